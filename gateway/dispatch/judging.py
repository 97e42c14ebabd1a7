"""What provider's news does to deliveries: whom it is about, what it changes, what it teaches. Pure."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from channels.base import Receipt, ReceiptStatus
from channels.email_bounces import PROVIDER as RETURNED_MAIL
from gateway.directory.model import ChannelName, PointState
from gateway.dispatch.requests import Lane
from gateway.dispatch.retrying import next_after_miss
from gateway.store.receipts import Known
from gateway.tracking.receipts import in_order, news_of
from gateway.tracking.states import News, State, Step, settle
from gateway.tracking.tries import Try, number_named, number_possible, tries_of

WITNESSES = frozenset({RETURNED_MAIL})
"""Those who tell of what others carried. Our own signature proves which delivery they mean, and nothing else does."""

MISMATCH = "receipt_mismatch"
"""Why news is refused that names a delivery which its provider, or that provider's id, has nothing to do with."""

OWN_WORD = dt.timedelta(hours=1)
"""How long the news that a letter was withdrawn waits for our own record that it was us who took it back."""

_LONGEST_CODE = 40


class Meant(NamedTuple):
    """Whom an event is about."""

    receipt: Receipt
    delivery: str
    number: int
    """Of the attempt."""


@dataclass(kw_only=True)
class Sorted:
    """Events by whether they can be told to somebody."""

    meant: list[Meant] = field(default_factory=list)
    refused: list[Receipt] = field(default_factory=list)
    """Those that name a delivery they cannot be about."""
    waiting: list[Receipt] = field(default_factory=list)
    """Those of whose delivery nothing is on record yet, or not enough."""
    tries: Mapping[str, Mapping[int, Try]] = field(default_factory=dict)
    """All attempts of the deliveries that may be meant."""


def sort_out(news: Sequence[Receipt], known: Known, *, now: dt.datetime) -> Sorted:
    """Find whom events are about: never a delivery that was not handed to their provider under their id."""
    tries = {name: tries_of(row, known.tries.get(name)) for name, row in known.rows.items()}
    by_id: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for name, attempts in tries.items():
        for each in attempts.values():
            if each.provider is not None and each.provider_id is not None:
                by_id[each.provider, each.provider_id].add(name)
    found = Sorted(tries=tries)
    for receipt in news:
        owners = by_id.get((receipt.provider, receipt.provider_id), set())
        name = receipt.delivery or min(owners, default="")
        if owners and name not in owners:
            found.refused.append(receipt)
        elif name not in known.rows:
            found.waiting.append(receipt)
        elif (number := _number(receipt, tries[name])) is None:
            found.refused.append(receipt)
        elif (
            news_of(receipt) is News.MISSED and _is_in_hand(known.rows[name], number, known.tries.get(name, ()), now)
        ) or (receipt.status is ReceiptStatus.CANCELED and _may_be_ours(receipt, known.rows[name], now)):
            found.waiting.append(receipt)
        else:
            found.meant.append(Meant(receipt, name, number))
    return found


def _is_in_hand(row: Any, number: int, recorded: Collection[int], now: dt.datetime) -> bool:
    """Tell whether a worker has still to record that this attempt was accepted: that would undo the plan of another.

    A claim is its worker's until the clock has found that it is lost, even if its lease is over. Where the provider's
    own word was quicker than the worker's record, the claim stays on the row, and only the record tells of it.
    """
    if number < row.attempts:
        return False
    if row.state == State.SENDING:
        return True
    leased = row.owner is not None and row.lease_until is not None and row.lease_until > now
    return leased and number not in recorded


def _may_be_ours(receipt: Receipt, row: Any, now: dt.datetime) -> bool:
    """Tell whether we may just be taking it back: a rule's withdrawal starts no further route, as a failure does."""
    return row.channel == ChannelName.LETTER and row.state == State.SENT and now - receipt.at < OWN_WORD


def _number(receipt: Receipt, tries: Mapping[int, Try]) -> int | None:
    if receipt.provider in WITNESSES:
        return max(tries, default=None)
    named = number_named(receipt, tries)
    return number_possible(receipt, tries) if named is None else named


_CONTRADICTIONS = {
    (State.DELIVERED, News.BOUNCED),
    (State.FAILED, News.DELIVERED),
    (State.EXPIRED, News.ACCEPTED),
}


def contested(meant: Sequence[Meant], known: Known) -> set[str]:
    """Name deliveries whose news contradicts their state: what brought them there, and when, decides."""
    told: dict[str, set[News | None]] = defaultdict(set)
    for each in meant:
        told[each.delivery].add(news_of(each.receipt))
    return {
        name for name, news in told.items() if any((known.rows[name].state, each) in _CONTRADICTIONS for each in news)
    }


@dataclass(kw_only=True)
class Consequences:
    """What is to be written."""

    states: list[dict[str, Any]] = field(default_factory=list)
    moved: list[tuple[Any, State]] = field(default_factory=list)
    """Rows as they were, each with its new state."""
    failed: list[str] = field(default_factory=list)
    """Deliveries whose next route is to be started."""
    events: list[dict[str, Any]] = field(default_factory=list)
    missed: list[tuple[str, int]] = field(default_factory=list)
    confirmed: dict[str, dt.datetime] = field(default_factory=dict)
    """When messages were confirmed by a person."""
    learnt: list[tuple[Any, PointState, str]] = field(default_factory=list)
    """What providers say of addresses: rows, marks, reasons."""
    wanted_again: list[Any] = field(default_factory=list)
    """Rows whose address's owner takes back that nothing more is wanted."""


def judge(
    meant: Sequence[Meant],
    rows: Mapping[str, Any],
    tries: Mapping[str, Mapping[int, Try]],
    told: Mapping[str, Sequence[Receipt]],
    *,
    now: dt.datetime,
    chance: Callable[[], float],
) -> Consequences:
    """Tell events to their deliveries in the order of their instants; `told` is what contested ones heard before."""
    courses: dict[str, _Course] = {}
    consequences = Consequences()
    wishes: dict[tuple[str, str], tuple[Any, Receipt]] = {}
    for each in sorted(meant, key=lambda each: in_order(each.receipt)):
        name, receipt = each.delivery, each.receipt
        row, course = rows[name], courses.get(name)
        if course is None:
            course = courses[name] = _Course(row, tries[name], told.get(name, ()))
        course.hear(receipt, each.number, now, chance)
        consequences.events.append(_event(name, receipt, course.state))
        if receipt.status is ReceiptStatus.ACKNOWLEDGED:
            consequences.confirmed.setdefault(row.message, receipt.at)
        if receipt.status in {ReceiptStatus.OPTED_OUT, ReceiptStatus.OPTED_IN}:
            wishes[row.school, row.point] = (row, receipt)
        elif receipt.address_dead:
            consequences.learnt.append((row, PointState.DEAD, _code(receipt)))
    for row, receipt in wishes.values():
        if receipt.status is ReceiptStatus.OPTED_IN:
            consequences.wanted_again.append(row)
        else:
            consequences.learnt.append((row, PointState.CARRIER_BLOCKED, _code(receipt)))
    for course in courses.values():
        course.end(consequences, now)
    return consequences


class _Course:
    """One delivery while news is told to it."""

    def __init__(self, row: Any, tries: Mapping[int, Try], told: Sequence[Receipt]) -> None:
        self.row = row
        self.state = State(row.state)
        self.step = Step.NOTHING
        self.due_at: dt.datetime | None = None
        self.last: Receipt | None = None
        """The event that brought it to its state."""
        self.newly_missed: set[int] = set()
        self._tries = tries
        self._missed = {number for number, each in tries.items() if each.missed}
        self._said: dict[News, dict[int, dt.datetime]] = {News.DELIVERED: {}, News.BOUNCED: {}, News.EXPIRED: {}}
        for receipt in told:
            number = _number(receipt, tries)
            if number is not None:
                self._note(news_of(receipt), number, receipt.at)

    def hear(self, receipt: Receipt, number: int, now: dt.datetime, chance: Callable[[], float]) -> None:
        """Take one event in that is about the attempt of this number."""
        news, earlier = news_of(receipt), number < self.row.attempts
        self._note(news, number, receipt.at)
        if news is None or self._is_overtaken(news, number, receipt.at):
            return
        due_at = None
        if news is News.MISSED and not earlier and settle(self.state, news).state is State.RETRYING:
            self.newly_missed.add(number)
            self._missed.add(number)
            due_at = self._next_attempt(now, chance())
            if due_at is None and self.state is not State.RETRYING:
                news = News.BOUNCED
        change = settle(self.state, news, earlier=earlier)
        if change.state is not self.state and not self._is_old(receipt, number):
            self.state, self.step, self.last, self.due_at = change.state, change.step, receipt, due_at

    def end(self, consequences: Consequences, now: dt.datetime) -> None:
        """Say what it has come to."""
        consequences.missed += [(self.row.id, number) for number in sorted(self.newly_missed)]
        if self.last is not None and self.state != self.row.state:
            consequences.states.append(_moved(self, self.last, now))
            consequences.moved.append((self.row, self.state))
            if self.step is Step.NEXT_ROUTE:
                consequences.failed.append(self.row.id)

    def _is_overtaken(self, news: News, number: int, at: dt.datetime) -> bool:
        """Tell whether something later, or more, is known already."""
        if news in {News.ACCEPTED, News.MISSED}:
            return number in self._missed or number in self._said[News.EXPIRED]
        arrived, came_back = self._said[News.DELIVERED], self._said[News.BOUNCED]
        if news is News.BOUNCED and self.state is State.DELIVERED:
            return any(other != number or then > at for other, then in arrived.items())
        if news is News.DELIVERED and self.state is State.FAILED:
            return number in came_back and came_back[number] >= at
        return False

    def _is_old(self, receipt: Receipt, number: int) -> bool:
        """Tell whether it says no more than our own record: what was taken back is not `sent` or failed for that."""
        told = receipt.status
        taken_back = told is ReceiptStatus.CANCELED and self.state is State.QUEUED
        return (taken_back or told is ReceiptStatus.QUEUED) and self._tries[number].provider_id is not None

    def _next_attempt(self, now: dt.datetime, chance: float) -> dt.datetime | None:
        row = self.row
        return next_after_miss(
            Lane(row.lane),
            ChannelName(row.channel),
            len(self._missed),
            now=now,
            expires_at=row.expires_at,
            chance=chance,
        )

    def _note(self, news: News | None, number: int, at: dt.datetime) -> None:
        if news is not None and news in self._said:
            instants = self._said[news]
            instants[number] = max(at, instants.get(number, at))


def _code(receipt: Receipt) -> str:
    return (receipt.code or receipt.status.value)[:_LONGEST_CODE]


def _moved(course: _Course, receipt: Receipt, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": course.row.id,
        "was": course.row.state,
        "state": course.state.value,
        "code": _code(receipt),
        "detail": receipt.explanation,
        "due_at": course.due_at,
        "changed_at": now,
        "provider": None if receipt.provider in WITNESSES else receipt.provider,
        "provider_id": None if receipt.provider in WITNESSES else receipt.provider_id,
    }


def _event(delivery: str, receipt: Receipt, state: State) -> dict[str, Any]:
    return {
        "delivery": delivery,
        "at": receipt.at,
        "state": state.value,
        "news": receipt.status.value,
        "detail": receipt.explanation,
    }
