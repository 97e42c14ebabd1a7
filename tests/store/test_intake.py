"""Intake on a database alone: what is said after a lost confirmation, whom it wakes, and what is counted."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal, Scope
from gateway.dispatch.intake import Intake
from gateway.dispatch.library import Library
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.refusals import Refused
from gateway.dispatch.requests import Lane, NotificationRequest
from gateway.dispatch.tracing import Tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.store.database import Database
from gateway.store.tables import notifications, students
from tests.store.rows import NOON

PRINCIPAL = Principal(key="key", name="office", school="oak", scopes=frozenset({Scope.ADMIN}))
NOTICE = {
    "category": "routine",
    "purpose": "information",
    "audience": {"students": ["S1"]},
    "content": {"language": "en", "subject": "Swimming", "body": "Please bring a towel."},
}


NOT_TRACED: Mapping[str, str] = {}
_IN_ORDER = select(notifications.c.id, notifications.c.traceparent).order_by(notifications.c.traceparent)


class Listener(WakeUps):
    """Notes wake-ups instead of announcing them."""

    def __init__(self) -> None:
        super().__init__(None)
        self.woken: list[tuple[str, str, str, str | None]] = []

    async def wake(
        self, kind: str, lane: str, subjects: Sequence[str], *, traces: Mapping[str, str] = {}
    ) -> None:  # never changed
        """Note each."""
        self.woken += [(kind, lane, subject, traces.get(subject)) for subject in subjects]


class NumberedTracer(Tracer):
    """Gives every request a place in a trace of its own."""

    def __init__(self) -> None:
        self.number = 0

    def traceparent(self) -> str | None:
        """Count on."""
        self.number += 1
        return f"00-{self.number:032x}-{self.number:016x}-01"


class Forgetful(Database):
    """Commits, and then loses the connection before anybody has heard of it."""

    losses = 1

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction whose commit is not confirmed the first time."""
        async with super().writing() as connection:
            yield connection
        if self.losses:
            self.losses -= 1
            raise ConnectionError("the answer to COMMIT never came")


@dataclass
class Desk:
    """An intake and all that it tells."""

    database: Database
    wakeups: Listener = field(default_factory=Listener)
    metrics: Metrics = field(default_factory=Metrics)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        """Put it together."""
        self.intake = Intake(
            self.database,
            self.wakeups,
            Library({}),
            now=lambda: NOON,
            metrics=self.metrics,
            tracer=NumberedTracer(),
        )

    async def post(self, *keys: str | None, **changes: object) -> list[tuple[str, bool] | BaseException]:
        """Post the notice once for each key at the same moment; gives the id and whether it is an old answer."""
        request = msgspec.convert(NOTICE | changes, NotificationRequest)
        answers = await asyncio.gather(
            *(self.intake.accept(PRINCIPAL, request, key=key) for key in keys), return_exceptions=True
        )
        await asyncio.sleep(0)
        return [
            answer
            if isinstance(answer, BaseException)
            else (str(msgspec.json.decode(answer.body)["id"]), answer.replayed)
            for answer in answers
        ]

    async def on_record(self) -> dict[str, str | None]:
        """Give the traces of the notifications by id, in the order of the requests."""
        async with self.database.reading() as connection:
            rows = await connection.execute(_IN_ORDER)
        return {row.id: row.traceparent for row in rows}


async def with_a_student(database: Database) -> Desk:
    """Open a desk of a school with one student."""
    async with Database.writing(database) as connection:
        await connection.execute(insert(students).values(school="oak", id="S1", document="{}"))
    return Desk(database)


async def test_each_notification_keeps_the_trace_of_its_request(database: Database) -> None:
    """Sharing a transaction mixes no traces: the row and the wake-up carry the request's own."""
    desk = await with_a_student(database)
    await desk.post("k1", "k2", None)
    on_record = await desk.on_record()
    assert len(set(on_record.values())) == 3
    assert sorted(desk.wakeups.woken) == sorted(("plan", Lane.BULK, name, trace) for name, trace in on_record.items())


async def test_what_is_new_and_durable_is_counted(database: Database) -> None:
    """Neither a repetition nor a refused posting counts."""
    desk = await with_a_student(database)
    await desk.post("k1", "k1", None)
    await desk.post("k1")
    (refused,) = await desk.post("k2", audience={"students": ["S9"]})
    assert isinstance(refused, Refused)
    assert b'gateway_accepted_total{lane="bulk"} 2.0' in desk.metrics.exposition()


async def test_what_is_not_due_wakes_nobody(database: Database) -> None:
    """It is durable, and the clock will find it."""
    desk = await with_a_student(database)
    await desk.post("k1", send_at="2026-06-16T11:00:00Z")
    assert len(await desk.on_record()) == 1
    assert desk.wakeups.woken == []


async def test_a_repetition_wakes_nobody(database: Database) -> None:
    """The first did."""
    desk = await with_a_student(database)
    first, again = [(await desk.post("k1"))[0] for _ in range(2)]
    assert isinstance(first, tuple)
    assert again == (first[0], True)
    assert len(desk.wakeups.woken) == 1


@pytest.mark.parametrize("keys", [["k1"], [None], ["k1", None, "k2"]])
async def test_a_lost_confirmation_is_answered_as_the_first_time(
    gateway_sqlite_url: str, keys: list[str | None]
) -> None:
    """Whoever posted learns the id that is on record, not that it is an old one; the planner is woken once."""
    database = Forgetful(gateway_sqlite_url)
    try:
        desk = await with_a_student(database)
        answers = await desk.post(*keys)
        assert database.losses == 0
        on_record = await desk.on_record()
        assert answers == [(name, False) for name in on_record]
        assert len(answers) == len(keys)
        assert [name for _, _, name, _ in desk.wakeups.woken] == list(on_record)
    finally:
        await database.close()
