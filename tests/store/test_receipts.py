"""Receipts on record: kept once, applied once, whoever does it at the same moment; many parked ones cost nothing."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from sqlalchemy import insert, select, text

from channels.base import Receipt, ReceiptStatus
from gateway.store.bulk import copy_rows
from gateway.store.database import Database
from gateway.store.postings import recording
from gateway.store.receipts import (
    Mark,
    acknowledge,
    keep_receipts,
    key_of,
    known_deliveries,
    list_events,
    mark_applied,
    mark_missed,
    parked,
    put_off,
    told_before,
)
from gateway.store.sending import record_attempts, record_states, set_states
from gateway.store.silence import any_silent, plan_questions, take_silent
from gateway.store.tables import attempts, deliveries, messages, receipts
from gateway.tracking.tries import Try
from tests.store.rows import NOON, delivery, message

SOON = NOON + dt.timedelta(seconds=1)


@pytest_asyncio.fixture
async def other(gateway_database_url: str) -> AsyncIterator[Database]:
    """Open the same database as another process does."""
    database = Database(gateway_database_url)
    yield database
    await database.close()


def news(name: str = "1", **fields: Any) -> Receipt:
    """Describe an event of a text that the provider calls `sid`."""
    told = {"provider": "sms", "event_id": name, "status": ReceiptStatus.DELIVERED, "at": NOON, "provider_id": "sid"}
    return Receipt(**told | fields)


async def keep(database: Database, *told: Receipt, look_at: dt.datetime = SOON) -> list[str]:
    """Keep events; gives the ids of those that are new."""
    async with recording(database) as connection:
        return [receipt.event_id for receipt in await keep_receipts(connection, told, at=NOON, look_at=look_at)]


async def put(database: Database, *rows: dict[str, Any]) -> None:
    """Put deliveries on record."""
    async with database.writing() as connection:
        await connection.execute(insert(deliveries), list(rows))


def sent(name: str = "d1", **columns: Any) -> dict[str, Any]:
    """Describe a text that was handed over."""
    taken = {"state": "sent", "due_at": None, "attempts": 1, "provider": "sms", "provider_id": "sid"}
    return delivery(name, **taken | columns)


async def test_every_column_arrives(database: Database) -> None:
    """What the provider said is what is read again, its raw payload included."""
    whole = news(delivery="d1", code="30003", explanation="Out of reach.", raw={"n": ["Ü", "\0", 1]})
    assert await keep(database, whole) == ["1"]
    async with database.writing() as connection:
        (waiting,) = await parked(connection, now=SOON)
        assert waiting == (whole, NOON)
        await mark_applied(connection, [Mark(whole, "d1")], at=SOON)
        (event,) = await list_events(connection, "d1", limit=10)
    assert event.receipt == whole


async def test_an_event_is_kept_once(database: Database, other: Database) -> None:
    """Told twice in one breath, later, and to two processes at the same moment in another order."""
    events = [news(str(number)) for number in range(40)]
    first, second = await asyncio.gather(
        keep(database, *events, *events), keep(other, *reversed(events)), return_exceptions=False
    )
    assert sorted(first + second) == sorted(receipt.event_id for receipt in events)
    assert await keep(database, *events) == []
    assert await keep(database) == []


async def test_an_event_is_applied_once(database: Database, other: Database) -> None:
    """The clock and the process that took it in may reach for it at the same moment."""
    await keep(database, news())

    async def apply(through: Database) -> set[tuple[str, str]]:
        async with through.writing() as connection:
            return await mark_applied(connection, [Mark(news(), "d1")], at=SOON)

    marked = await asyncio.gather(apply(database), apply(other))
    assert sorted(marked, key=len) == [set(), {key_of(news())}]


async def test_deliveries_are_found_by_either_id(database: Database) -> None:
    """By ours, by the provider's, and by that of an attempt which reached nobody."""
    await put(
        database,
        sent("by-ours", provider_id="other"),
        sent("by-theirs"),
        sent("by-missed", provider_id="second", attempts=2),
        sent("another", provider_id="another"),
    )
    tried = {"owner": "w", "started_at": NOON, "delivery": "by-missed", "provider": "sms"}
    async with database.writing() as connection:
        rows = [tried | {"number": 1, "provider_id": "first", "missed_at": NOON}]
        await copy_rows(
            connection, attempts, [*rows, tried | {"number": 2, "provider_id": "second", "missed_at": None}]
        )
        told = [news("1", delivery="by-ours", provider_id=None), news("2"), news("3", provider_id="first")]
        known = await known_deliveries(connection, told)
    assert set(known.rows) == {"by-ours", "by-theirs", "by-missed"}
    assert known.tries["by-missed"] == {1: Try("sms", "first", missed=True), 2: Try("sms", "second")}
    assert "by-theirs" not in known.tries


async def test_what_was_told_before_is_what_counted(database: Database) -> None:
    """Refused news is none of the delivery's."""
    told = [news("1"), news("2"), news("3")]
    await keep(database, *told)
    async with database.writing() as connection:
        await mark_applied(connection, [Mark(told[0], "d1"), Mark(told[1], "d1", "receipt_mismatch")], at=SOON)
        assert await told_before(connection, ["d1"]) == {"d1": [told[0]]}
        assert await told_before(connection, []) == {}
        assert [event.receipt.event_id for event in await list_events(connection, "d1", limit=9)] == ["1"]


async def test_what_is_put_off_is_not_looked_at(database: Database) -> None:
    """However much is parked, only what is due costs anything."""
    told = [news("1"), news("2")]
    await keep(database, *told)
    async with database.writing() as connection:
        assert await parked(connection, now=NOON) == []
        await put_off(connection, [(told[0], SOON + dt.timedelta(days=1))])
        assert [waiting.receipt.event_id for waiting in await parked(connection, now=SOON)] == ["2"]
        assert [waiting.receipt.event_id for waiting in await parked(connection, now=SOON, limit=0)] == []


async def test_an_event_of_a_newer_version_keeps_no_other_back(database: Database) -> None:
    """While processes of two versions run beside each other, one may keep what the other cannot read."""
    told = [news("1", delivery="d1"), news("2")]
    await keep(database, *told)
    async with database.writing() as connection:
        newer = {"document": '{"status":"beamed_up"}', "look_at": NOON}
        await connection.execute(receipts.update().where(receipts.c.event_id == "1").values(newer))
        unreadable, readable = await parked(connection, now=SOON)
    assert readable == (told[1], NOON)
    assert key_of(unreadable.receipt) == key_of(told[0])
    assert (unreadable.receipt.delivery, unreadable.receipt.provider_id) == (None, None)  # it is told to nobody


async def test_many_parked_events_are_passed_over_by_an_index(database: Database) -> None:
    """A foreign system that reports to us for a week must not slow the clock down."""
    if database.sqlite:
        return
    rows = [
        {
            "provider": "sms",
            "event_id": str(number),
            "delivery": None,
            "provider_id": f"foreign-{number}",
            "status": "sent",
            "document": "{}",
            "at": NOON,
            "received_at": NOON,
            "look_at": NOON + dt.timedelta(days=1),
        }
        for number in range(20_000)
    ]
    async with database.writing() as connection:
        await copy_rows(connection, receipts, rows)
    async with database.reading() as connection:
        explained = "EXPLAIN SELECT 1 FROM receipts WHERE applied_at IS NULL AND look_at <= now() LIMIT 1"
        plan = "\n".join((await connection.execute(text(explained))).scalars())
    assert "ix_receipts_waiting" in plan


async def test_the_first_confirmation_stays(database: Database) -> None:
    """Later ones change nothing."""
    async with database.writing() as connection:
        await connection.execute(insert(messages), [message("m1", "mum", "kid")])
        await acknowledge(connection, {"m1": NOON})
        await acknowledge(connection, {"m1": SOON})
        assert (await connection.execute(select(messages.c.acknowledged_at))).scalar_one() == NOON


async def test_states_are_moved_only_from_where_they_were(database: Database) -> None:
    """Provider and id are filled in where nothing is known yet."""
    await put(database, sent("d1"), sent("d2", provider=None, provider_id=None), sent("d3"))
    moved = {"state": "delivered", "code": None, "detail": None, "due_at": None, "changed_at": SOON}
    named = {"provider": "late", "provider_id": "late"}
    async with database.writing() as connection:
        await set_states(
            connection,
            [
                {"id": "d2", "was": "sent", **moved, **named},
                {"id": "d1", "was": "sent", **moved, **named},
                {"id": "d3", "was": "queued", **moved},
            ],
        )
        found = {row.id: row for row in await connection.execute(select(deliveries))}
    assert [(row.state, row.provider_id) for _, row in sorted(found.items())] == [
        ("delivered", "sid"),
        ("delivered", "late"),
        ("sent", "sid"),
    ]


async def test_an_answer_that_comes_late_does_not_undo_the_plan_of_another_attempt(database: Database) -> None:
    """The provider reports a busy line before a worker whose claim was lost says that the call was accepted."""
    await put(database, sent("missed", state="retrying", due_at=SOON), sent("postponed", state="retrying", due_at=SOON))
    tried = {"number": 1, "owner": "w", "started_at": NOON, "provider": "sms", "provider_id": "sid"}
    late = {
        "attempt": 1,
        "state": "sent",
        "code": None,
        "detail": None,
        "due_at": None,
        "provider": "sms",
        "provider_id": "sid",
        "attempts": 1,
        "changed_at": SOON,
    }
    async with database.writing() as connection:
        rows = [tried | {"delivery": "missed", "missed_at": NOON}, tried | {"delivery": "postponed", "missed_at": None}]
        await copy_rows(connection, attempts, rows)
        await record_states(connection, [late | {"id": "missed"}, late | {"id": "postponed"}], owner="w")
        states = {row.id: row.state for row in await connection.execute(select(deliveries))}
    assert states == {"missed": "retrying", "postponed": "sent"}


async def test_an_attempt_that_nobody_lived_to_record_is_marked_as_missed(database: Database) -> None:
    """Its worker may be only slow: what it says in the end does not undo the plan of another attempt."""
    await put(database, *(sent(name, owner="w") for name in ("late", "gone", "recorded")))
    tried = {"number": 1, "owner": "w", "started_at": NOON, "provider": "sms", "provider_id": "sid"}
    answered = {"answered_at": SOON, "outcome": "accepted", "code": None, "detail": None}
    async with database.writing() as connection:
        await copy_rows(connection, attempts, [tried | {"delivery": "recorded"}])
        await mark_missed(connection, [("late", 1), ("gone", 1), ("recorded", 1)], at=SOON)
        await record_attempts(connection, [tried | answered | {"delivery": "late"}])
        rows = list(await connection.execute(select(attempts).order_by(attempts.c.delivery)))
    assert [(row.delivery, row.provider_id, row.missed_at) for row in rows] == [
        (name, "sid", SOON) for name in ("gone", "late", "recorded")
    ]


async def test_the_silent_are_taken_in_turn(database: Database, other: Database) -> None:
    """Longest due first, each by one clock, and only while it is `sent`."""
    await put(database, sent("d1"), sent("d2"), sent("d3"), sent("d4", state="delivered"))
    until = SOON + dt.timedelta(minutes=5)
    async with database.writing() as connection:
        due = [("d1", SOON), ("d2", NOON), ("d3", until), ("d4", NOON)]
        await plan_questions(connection, due)
        await connection.execute(deliveries.update().where(deliveries.c.id == "d4").values(ask_at=NOON))
        assert await any_silent(connection, now=SOON)
        assert [row.id for row in await take_silent(connection, now=SOON, until=until, limit=1)] == ["d2"]
        assert [row.id for row in await take_silent(connection, now=SOON, until=until, limit=9)] == ["d1"]
        assert not await any_silent(connection, now=SOON)
    async with other.writing() as connection:
        assert await take_silent(connection, now=SOON, until=until, limit=9) == []
