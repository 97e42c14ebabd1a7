"""Planning on record: a chunk is written once, with its cursor, by the planner whose turn it is."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from gateway.store.database import Database
from gateway.store.planning import claim_planning, end_planning, save_chunk
from gateway.store.tables import decisions, deliveries, messages, notifications, tasks
from tests.store.rows import NOON, decision, delivery, message, notification

UNTIL = NOON + dt.timedelta(minutes=1)
ROWS: dict[str, list[dict[str, Any]]] = {
    "decisions": [decision("s1", "c1", message="m1")],
    "messages": [message("m1", "c1", "s1")],
    "deliveries": [delivery("d1", message="m1")],
    "tasks": [],
}


async def planned_by(database: Database, owner: str) -> None:
    """Let a planner claim a new notification."""
    async with database.writing() as connection:
        await connection.execute(insert(notifications), [notification()])
        assert await claim_planning(connection, "n1", owner=owner, now=NOON, until=UNTIL)


async def save(database: Database, owner: str = "planner", *, cursor: str = "", to: str = "c1") -> bool:
    """Save the one chunk."""
    async with database.writing() as connection:
        return await save_chunk(connection, "n1", owner=owner, cursor=cursor, next_cursor=to, until=UNTIL, rows=ROWS)


async def end(database: Database, owner: str = "planner", *, cursor: str) -> bool:
    """End the planning."""
    async with database.writing() as connection:
        return await end_planning(connection, "n1", owner=owner, cursor=cursor, at=NOON)


async def sizes(database: Database) -> list[int]:
    """Count decisions, messages, deliveries and tasks."""
    async with database.reading() as connection:
        return [
            (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (decisions, messages, deliveries, tasks)
        ]


async def test_the_same_chunk_twice_is_written_once(database: Database) -> None:
    """The cursor has moved on, so the repetition writes nothing and raises nothing."""
    await planned_by(database, "planner")
    assert await save(database)
    assert not await save(database)
    assert await sizes(database) == [1, 1, 1, 0]


async def test_two_at_once_write_one_chunk(database: Database) -> None:
    """Of two planners at the same cursor exactly one moves it."""
    await planned_by(database, "planner")
    assert sorted(await asyncio.gather(save(database), save(database))) == [False, True]
    assert await sizes(database) == [1, 1, 1, 0]


@pytest.mark.parametrize("columns", [{"owner": "another"}, {"status": "cancelled"}, {"cursor": "c9"}])
async def test_a_chunk_that_comes_too_late_is_dropped(database: Database, columns: dict[str, Any]) -> None:
    """After a take-over or a cancellation nothing of the chunk is written."""
    await planned_by(database, "planner")
    async with database.writing() as connection:
        await connection.execute(notifications.update().values(columns))
    assert not await save(database)
    assert await sizes(database) == [0, 0, 0, 0]


async def test_only_who_has_reached_the_end_ends_it(database: Database) -> None:
    """A planner that was overtaken at an earlier cursor, even by its own process, must not call it planned."""
    await planned_by(database, "planner")
    await save(database)
    assert not await end(database, cursor="")
    assert not await end(database, "another", cursor="c1")
    assert await end(database, cursor="c1")
    assert not await end(database, cursor="c1")
