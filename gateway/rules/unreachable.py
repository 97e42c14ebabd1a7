"""The unreachable report (R24): who is entitled and has no route, and whom a notification did not reach in fact."""

import datetime as dt
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Decision, Outcome, Request
from gateway.rules.audience import DEFAULT_POLICY, decide
from gateway.rules.contact_map import KnownPoint, PointBook
from gateway.rules.households import Households
from gateway.rules.lost_routes import lost_routes
from gateway.rules.occasion import Occasion, RefusedError, occasion_of, pair_of, pupil_of
from gateway.rules.parity import Fate
from gateway.rules.policy import Policy
from gateway.rules.treatment import Arrival, arrival_of

WATCHED = (Category.EMERGENCY, Category.NEWSLETTER, Category.REPORT)
"""One category for each kind of route: fast, personal and general."""

_TELEPHONE = (ChannelName.VOICE, ChannelName.SMS)
_SHARED_ROUTE = "R29"
_FAILED = "Every contact point failed; reach this contact by phone or by hand."
_UNKNOWN = "Nobody knows whether it left; ask the provider, or reach this contact by hand."


class NotReached(StrEnum):
    """In what way a contact is not reached."""

    NO_ROUTE = "no_route"
    HELD = "held"
    """A person must decide first."""
    FAILED = "failed"
    """Every delivery failed or expired."""
    UNKNOWN = "unknown"
    """The only attempts got no answer."""


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the way on one channel."""

    channel: ChannelName
    rule: str
    sentence: str


class Unreached(msgspec.Struct, frozen=True, kw_only=True):
    """One contact who is not reached in one category, and the telephones for staff to try."""

    contact: str
    title: str
    given_name: str
    family_name: str
    category: Category
    students: tuple[str, ...]
    kind: NotReached
    rule: str
    reason: str
    obstacles: tuple[Obstacle, ...]
    phones: tuple[KnownPoint, ...]
    """All that are recorded, dead ones too; masked."""


def unreachable(index: DirectoryIndex, at: dt.datetime, *, policy: Policy = DEFAULT_POLICY) -> Iterator[Unreached]:
    """Find, among everybody enrolled, who is entitled and has no route; in order of category, contact and rule.

    Raises `RefusedError` when P0 does.
    """
    for category in WATCHED:
        request = Request(category=category, at=at, everyone=True)
        answer = decide(index, request, policy=policy)
        if answer.error is not None:
            raise RefusedError(answer.error.reason)
        occasion = occasion_of(index, request, policy)
        lacking = [
            (decision, NotReached.NO_ROUTE)
            for decision in answer.decisions
            if decision.outcome is Outcome.UNREACHABLE or _is_contested(decision)
        ]
        yield from _listed(occasion, lacking)


def unreached(
    index: DirectoryIndex,
    category: Category,
    at: dt.datetime,
    fates: Iterable[Fate],
    *,
    policy: Policy = DEFAULT_POLICY,
) -> Iterator[Unreached]:
    """Find whom a notification did not reach: no route, held, all failed, or nobody knows; in the same order.

    What is still on its way, or was withdrawn, is not listed.
    """
    request = Request(category=category, at=at, everyone=True)
    found = ((_said(fate, kind), kind) for fate in fates for kind in [_kind(fate)] if kind is not None)
    yield from _listed(occasion_of(index, request, policy), found)


def _is_contested(decision: Decision) -> bool:
    """R29: the only route is shared with somebody of another household."""
    return decision.outcome is Outcome.HOLD and decision.rule == _SHARED_ROUTE


def _kind(fate: Fate) -> NotReached | None:
    if fate.decision.outcome is Outcome.UNREACHABLE:
        return NotReached.NO_ROUTE
    if fate.decision.outcome is Outcome.HOLD:
        return NotReached.HELD
    return _BY_ARRIVAL.get(arrival_of(fate.traces))


_BY_ARRIVAL: dict[Arrival | None, NotReached] = {Arrival.FAILED: NotReached.FAILED, Arrival.UNKNOWN: NotReached.UNKNOWN}


def _said(fate: Fate, kind: NotReached) -> Decision:
    """Give the decision, or where it was to send, what the deliveries came to."""
    if kind not in (NotReached.FAILED, NotReached.UNKNOWN):
        return fate.decision
    reason = _FAILED if kind is NotReached.FAILED else _UNKNOWN
    return msgspec.structs.replace(fate.decision, rule="R24", reason=reason)


def _listed(occasion: Occasion, found: Iterable[tuple[Decision, NotReached]]) -> Iterator[Unreached]:
    """Bring siblings together and put names and telephones to them."""
    book, households = PointBook(occasion.index), Households(occasion.index, occasion.today, occasion.policy)
    groups: dict[tuple[str, str, NotReached], list[Decision]] = {}
    for decision, kind in found:
        groups.setdefault((decision.contact, decision.rule, kind), []).append(decision)
    for (contact, rule, kind), decisions in sorted(groups.items()):
        person = occasion.index.contacts.get(contact)
        if person is None:
            continue
        yield Unreached(
            contact=contact,
            title=person.title,
            given_name=person.given_name,
            family_name=person.family_name,
            category=occasion.category,
            students=tuple(sorted(decision.student for decision in decisions)),
            kind=kind,
            rule=rule,
            reason=decisions[0].reason,
            obstacles=_obstacles(occasion, households, decisions[0]) if kind is NotReached.NO_ROUTE else (),
            phones=book.of(contact, _TELEPHONE),
        )


def _obstacles(occasion: Occasion, households: Households, decision: Decision) -> tuple[Obstacle, ...]:
    """Say what stands in the way on each channel, for the first of the students."""
    student = occasion.index.students.get(decision.student)
    if student is None:
        return ()
    pupil = pupil_of(occasion, student)
    row = pupil.rows.get(decision.contact)
    if row is None:
        return ()
    pair = pair_of(pupil, occasion.index.contacts[decision.contact], row)
    losses = lost_routes(pair, households).items()
    return tuple(Obstacle(channel=channel, rule=loss.rule, sentence=loss.sentence) for channel, loss in losses)
