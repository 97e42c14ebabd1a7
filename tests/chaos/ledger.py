"""Holds what the outside received against what the database says, after a schedule has come to rest."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from gateway.store.database import Database
from gateway.store.tables import attempts, decisions, deliveries, delivery_events, messages, notifications, tasks
from tests.chaos.traffic import ROUTES

_ARRIVED = frozenset({"sent", "delivered"})
_OPEN = frozenset({"queued", "sending", "retrying"})


@dataclass(frozen=True, kw_only=True)
class Received:
    """What the outside has of each delivery: how many copies, and what it told about texts."""

    copies: Counter[str]
    """From the beginning on: a copy may come late, while the next schedule runs."""
    lately: Collection[str] = ()
    """Of which of them a copy has come during this schedule."""
    told: Mapping[str, str] = field(default_factory=dict)
    """The last receipt that the gateway took, by delivery."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What a schedule came to."""

    deliveries: int
    unknown: int
    """Attempts that got no answer."""
    doubled_mails: int
    """Copies too many of deliveries that were unknown for a while: the price of never losing any."""
    doubled_texts: int
    tasks: int
    """Left to people."""
    faults: list[str]


@dataclass(frozen=True, kw_only=True)
class _Books:
    """The database's side, of one school."""

    notifications: Sequence[Any]
    decided: Collection[tuple[str, str]]
    """(notification, contact) that the rules let have it."""
    messages: Sequence[Any]
    deliveries: Sequence[Any]
    doubts: Counter[str]
    """How often each delivery was without an answer."""
    settled_by_hand: frozenset[str]
    """Deliveries somebody is to find out about."""
    reached_by_hand: frozenset[tuple[str, str]]
    """(notification, contact) that somebody is to reach."""
    tasks: int
    elsewhere: frozenset[str] = frozenset()
    """Deliveries of other schools of which something has come lately."""


async def balance(
    database: Database, school: str, posted: Mapping[str, str], contacts: Sequence[str], received: Received
) -> Balance:
    """Strike the balance of one school; `posted` gives the category of each notification that was taken."""
    books = await _read(database, school, received.lately)
    return Balance(
        deliveries=len(books.deliveries),
        unknown=sum(books.doubts.values()),
        doubled_mails=_doubled(books, received, "email"),
        doubled_texts=_doubled(books, received, "sms"),
        tasks=books.tasks,
        faults=faults_of(books, posted, contacts, received),
    )


def faults_of(books: _Books, posted: Mapping[str, str], contacts: Sequence[str], received: Received) -> list[str]:
    """Compare the two sides."""
    return [
        *_not_on_record(books, posted),
        *_not_decided(books, posted, contacts),
        *_lost(books),
        *_left_open(books),
        *_mismatched(books, received),
        *_not_told(books, received),
    ]


def _doubled(books: _Books, received: Received, channel: str) -> int:
    of_channel = [received.copies[row.id] for row in books.deliveries if row.channel == channel]
    return sum(copies - 1 for copies in of_channel if copies > 1)


async def _read(database: Database, school: str, lately: Collection[str]) -> _Books:
    async with database.reading() as connection:

        async def rows(table: Any) -> list[Any]:
            return list(await connection.execute(select(table).where(table.c.school == school)))

        of_school = select(deliveries.c.id).where(deliveries.c.school == school)
        silent = select(attempts.c.delivery, attempts.c.number).where(
            attempts.c.delivery.in_(of_school), attempts.c.outcome == "no_answer"
        )
        found_out = select(delivery_events.c.delivery).where(
            delivery_events.c.delivery.in_(of_school), delivery_events.c.news == "found_out"
        )
        unanswered = Counter(row.delivery for row in await connection.execute(silent))
        asked = Counter(row.delivery for row in await connection.execute(found_out))
        elsewhere = select(deliveries.c.id).where(deliveries.c.school != school, deliveries.c.id.in_(lately))
        to_do = [row for row in await rows(tasks) if row.done_at is None]
        return _Books(
            notifications=await rows(notifications),
            decided={(row.notification, row.contact) for row in await rows(decisions) if row.outcome == "send"},
            messages=await rows(messages),
            deliveries=await rows(deliveries),
            # A late answer takes the place of none; that it was looked for stays on record.
            doubts=unanswered | asked,
            settled_by_hand=frozenset(row.delivery for row in to_do if row.kind == "settle_unknown"),
            reached_by_hand=frozenset((row.notification, row.contact) for row in to_do if row.kind == "reach_by_hand"),
            tasks=len(to_do),
            elsewhere=frozenset((await connection.execute(elsewhere)).scalars()),
        )


def _not_on_record(books: _Books, posted: Mapping[str, str]) -> Iterator[str]:
    """Find what was answered with 202 and is not there, and what is there twice for one key."""
    known = {row.id for row in books.notifications}
    yield from (f"notification {name} was accepted and is not on record" for name in posted.keys() - known)
    times = Counter(row.reference for row in books.notifications)
    yield from (f"notification {name} is on record {number} times" for name, number in times.items() if number > 1)


def _not_decided(books: _Books, posted: Mapping[str, str], contacts: Sequence[str]) -> Iterator[str]:
    """Find contacts who should have each notification and have no delivery for one of its channels."""
    started: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in books.deliveries:
        started[row.notification, row.contact][row.channel] += 1
    told = Counter((row.notification, row.contact) for row in books.messages)
    for name, category in posted.items():
        for contact in contacts:
            if (name, contact) not in books.decided:
                yield f"{category}: nothing was decided about {contact}"
            elif told[name, contact] != 1:
                yield f"{category}: {contact} has {told[name, contact]} messages"
            for channel in ROUTES[category]:
                if started[name, contact][channel] != 1:
                    yield f"{category}: {contact} has {started[name, contact][channel]} deliveries by {channel}"


def _lost(books: _Books) -> Iterator[str]:
    """Find messages that reached nobody and are nobody's task."""
    hopeful = {row.message for row in books.deliveries if row.state in _ARRIVED}
    hopeful |= {row.message for row in books.deliveries if row.state == "unknown" and row.id in books.settled_by_hand}
    for message in books.messages:
        if message.id not in hopeful and (message.notification, message.contact) not in books.reached_by_hand:
            states = sorted(f"{row.channel} {row.state}" for row in books.deliveries if row.message == message.id)
            yield f"lost: message {message.id} ({', '.join(states)}) is nobody's task"


def _left_open(books: _Books) -> Iterator[str]:
    """Find what is not at rest."""
    yield from (
        f"notification {row.reference} is {row.status}" for row in books.notifications if row.status != "finished"
    )
    for row in books.deliveries:
        if row.state in _OPEN:
            yield f"delivery {row.id} ({row.channel}) is {row.state}"
        if row.state == "unknown" and (row.due_at is not None or row.id not in books.settled_by_hand):
            yield f"delivery {row.id} ({row.channel}) is unknown and nobody's task"


def _mismatched(books: _Books, received: Received) -> Iterator[str]:
    """Compare copies with states."""
    known = {row.id for row in books.deliveries} | books.elsewhere
    yield from (f"{name} left and is not on record" for name in set(received.lately) - known)
    for row in books.deliveries:
        copies, doubts = received.copies[row.id], books.doubts[row.id]
        if row.state in _ARRIVED and not copies:
            yield f"{row.channel} {row.id} is {row.state} and never left ({row.attempts} attempts, {doubts} doubts)"
        if copies and row.state not in _ARRIVED and not doubts:
            yield f"{row.channel} {row.id} left and is {row.state}, without any doubt on record"
        if copies - 1 > doubts:
            yield f"{row.channel} {row.id} left {copies} times with {doubts} doubts on record"


def _not_told(books: _Books, received: Received) -> Iterator[str]:
    """Find texts whose delivery the provider has reported, and the gateway has forgotten."""
    state = {row.id: row.state for row in books.deliveries}
    for name, news in received.told.items():
        if news == "delivered" and state.get(name) not in {"delivered", None}:
            yield f"sms {name} was reported delivered and is {state[name]}"
