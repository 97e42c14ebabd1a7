"""R37: who is told that their contact details changed, and by which contact points they may be told.

A point is *verified* when something on record shows that what goes there reaches its owner: within 400 days a message
to this contact at that very place (channel and address) was delivered, or its secure page was opened by somebody who
passed the identity check, or it was handed over at least 7 days ago and nothing has come back. One that is in any
doubt today (bounced, blocked, opted out) is not. A point that anybody else has, too, tells nobody in particular.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import msgspec

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, ContactPoint, PointState
from gateway.rules.answer import Answer, Outcome, PlannedDelivery, PlannedMessage
from gateway.rules.audience import Evaluation
from gateway.rules.categories import CATEGORIES

RULE = "R37"

COMES_BACK_WITHIN = dt.timedelta(days=7)
"""A bounce or a returned letter is known by then."""

KEPT_IN_MIND = dt.timedelta(days=400)
"""Older news of an address proves nothing: numbers and mailboxes are given to other people."""

UNCONFIRMED = "No verified contact point of this contact's own is left: ask them by hand whether the change is theirs."

Place = tuple[str, str]
"""Channel and normalised address (`address_key`)."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of one delivery to a contact at one place."""

    at: dt.datetime
    """When its state last changed."""
    delivered: bool = False
    """The provider reported its arrival."""
    opened: bool = False
    """Its page was opened after the identity check."""
    accepted: bool = False
    """The provider took it, and nothing has been heard since."""


class AddressChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one contact's places."""

    contact: str
    new: frozenset[Place]
    gone: frozenset[Place]


def address_changes(
    before: Mapping[str, frozenset[Place]], after: Mapping[str, frozenset[Place]]
) -> list[AddressChange]:
    """Compare the places of contacts on record before and after one change of the directory, by contact's id.

    What only moved to another id, or is spelt another way, is no change; nor is what was taken away and put back.
    """
    return [
        AddressChange(contact=contact, new=after[contact] - before[contact], gone=before[contact] - after[contact])
        for contact in sorted(before.keys() & after.keys())
        if before[contact] != after[contact]
    ]


def is_verified(arrivals: Iterable[Arrival], now: dt.datetime) -> bool:
    """Tell from what went to one place whether it reaches its owner."""
    return any(
        arrival.delivered or arrival.opened or (arrival.accepted and now - arrival.at >= COMES_BACK_WITHIN)
        for arrival in arrivals
        if now - arrival.at <= KEPT_IN_MIND
    )


def may_tell(point: ContactPoint, place: Place, change: AddressChange, *, verified: bool, shared: bool) -> bool:
    """Tell whether a point that a contact has now may carry the notice; a point that is gone is none of these."""
    telling = point.channel in CATEGORIES[Category.ACCOUNT].channels
    return telling and point.state is PointState.OK and verified and not shared and place not in change.new


def limited(evaluation: Evaluation, points: Collection[str], index: DirectoryIndex) -> Evaluation:
    """Leave of an answer only what goes to these points, as long as nobody else has them; nothing is ever added.

    Whoever has no route left is out of reach, which is a task for staff (R24).
    """
    own = {point.id for known in index.points.values() for point in known if point.id in points and not point.sharers}
    kept = [
        msgspec.structs.replace(message, deliveries=routes)
        for message in evaluation.answer.messages
        if (routes := _within(message, own))
    ]
    told = {(student, message.contact) for message in kept for student in message.students}
    decisions = tuple(
        msgspec.structs.replace(decision, outcome=Outcome.UNREACHABLE, rule=RULE, reason=UNCONFIRMED)
        if decision.outcome is Outcome.SEND and (decision.student, decision.contact) not in told
        else decision
        for decision in evaluation.answer.decisions
    )
    answer = Answer(decisions=decisions, messages=tuple(kept), error=evaluation.answer.error)
    return replace(evaluation, answer=answer)


def _within(message: PlannedMessage, points: Collection[str]) -> tuple[PlannedDelivery, ...]:
    return tuple(route for route in message.deliveries if route.point in points and route.merged_into is None)


def notice_id_parts(change: AddressChange, day: dt.date) -> tuple[str, ...]:
    """Name a change by whom, what and when: the same one told twice on a day is told once."""
    places = [f"+{channel} {key}" for channel, key in sorted(change.new)]
    places += [f"-{channel} {key}" for channel, key in sorted(change.gone)]
    return change.contact, day.isoformat(), *places
