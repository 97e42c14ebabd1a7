"""Schools take turns: one school's newsletter does not starve another's."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert

from gateway.store.claims import claim_batch, due_of, next_due, put_off, take_turn
from gateway.store.database import Database
from gateway.store.sending import enter_turns, load_deliveries
from gateway.store.tables import deliveries
from tests.store.rows import NOON, delivery

MINUTE = dt.timedelta(minutes=1)


async def put(database: Database, *rows: dict[str, Any]) -> None:
    """Write deliveries of schools that take part in the turns of their lanes."""
    async with database.writing() as connection:
        await connection.execute(insert(deliveries), list(rows))
        await enter_turns(connection, rows)


@pytest_asyncio.fixture
async def schools(database: Database) -> AsyncIterator[Database]:
    """Let the school Ash have three batches due, and Birch one."""
    ash = [delivery(f"a{number}", school="ash", batch=f"ash-{number}") for number in range(3)]
    await put(database, *ash, delivery("b0", school="birch", batch="birch-0"))
    return database


async def serve(database: Database, at: dt.datetime) -> str | None:
    """Take one turn in the lane and claim a batch of the school whose turn it is; gives the batch."""
    async with database.writing() as connection:
        school = await take_turn(connection, "bulk", now=at)
        due = None if school is None else await next_due(connection, school, "bulk", now=at)
        if due is None:
            return None
        await claim_batch(
            connection, due.batch, provider="outbox", owner="worker", now=at, until=at + MINUTE, limit=100
        )
        return due.batch


async def test_who_was_served_least_recently_is_next(schools: Database) -> None:
    """Birch posts last and is served second, not after all of Ash; then Ash goes on alone."""
    served = [await serve(schools, NOON + number * MINUTE) for number in range(5)]
    assert served == ["ash-0", "birch-0", "ash-1", "ash-2", None]


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "held"},
        {"state": "sending"},
        {"due_at": NOON + MINUTE},
        {"merged_into": "another"},
        {"lane": "standard"},
    ],
    ids=lambda columns: next(iter(columns)),
)
async def test_nothing_to_do_takes_no_turn(database: Database, columns: dict[str, Any]) -> None:
    """A school whose work waits for somebody or something else is passed over."""
    await put(database, delivery("a0", school="ash", batch="ash-0", **columns), delivery("b0", school="birch"))
    async with database.writing() as connection:
        assert await take_turn(connection, "bulk", now=NOON) == "birch"


async def test_two_workers_never_share_a_turn(gateway_postgresql_url: str) -> None:
    """While one worker's turn is not yet committed, another gets the next school's, and a third one none."""
    database = Database(gateway_postgresql_url)
    try:
        await put(database, delivery("a0", school="ash"), delivery("b0", school="birch"))
        all_have_asked = asyncio.Barrier(3)

        async def turn() -> str | None:
            async with database.writing() as connection:
                school = await take_turn(connection, "bulk", now=NOON)
                await all_have_asked.wait()
                return school

        turns = await asyncio.gather(turn(), turn(), turn())
    finally:
        await database.close()
    assert sorted(turns, key=str) == [None, "ash", "birch"]


async def test_what_is_due_is_counted_by_what_there_is_to_do(database: Database) -> None:
    """A worker learns in one question what to send, what to find out, and for which provider."""
    await put(
        database,
        delivery("d1"),
        delivery("d2", state="retrying"),
        delivery("d3", state="unknown"),
        delivery("d4", due_at=NOON + MINUTE),
        delivery("d5", state="sent"),
    )
    async with database.reading() as connection:
        due = await due_of(connection, "b1", now=NOON)
        assert await due_of(connection, "b2", now=NOON) is None
    assert due is not None
    assert (due.school, due.lane, due.channel, due.number, due.unknown) == ("school", "bulk", "email", 2, 1)


async def test_what_a_provider_has_no_room_for_waits_within_its_own_time(database: Database) -> None:
    """Put off, it uses up no attempt, and what expires before comes back at that moment."""
    soon = NOON + MINUTE
    await put(database, delivery("d1", expires_at=None), delivery("d2", expires_at=soon))
    async with database.writing() as connection:
        await put_off(connection, "b1", now=NOON, until=NOON + 5 * MINUTE)
        found = await load_deliveries(connection, ["d1", "d2"])
    assert {name: (row.state, row.attempts, row.due_at) for name, row in found.items()} == {
        "d1": ("queued", 0, NOON + 5 * MINUTE),
        "d2": ("queued", 0, soon),
    }
