"""Postings on record: one key, one notification, in one group, in two processes, and after a lost confirmation."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError

from gateway.store.database import Database
from gateway.store.postings import find_earlier_answers, record_postings, recording, unknown_people
from gateway.store.tables import contacts, idempotency_keys, notifications, student_groups, students
from tests.store.rows import NOON, notification


def row(name: str, **columns: Any) -> dict[str, Any]:
    """Describe a notification with every column that intake gives."""
    empty = {"traceparent": None, "reference": None, "expires_at": None, "respond_by": None}
    return notification(name) | empty | columns


def kept(key: str, name: str, **columns: Any) -> dict[str, Any]:
    """Describe the key of a posting and the answer that is kept with it."""
    return {
        "school": "school",
        "endpoint": "notifications",
        "key": key,
        "body_hash": "hash",
        "status": 202,
        "answer": f"answer {name}",
        "notification": name,
        "created_at": NOON,
        **columns,
    }


async def record(database: Database, *names: str, keys: dict[str, str] | None = None) -> set[str]:
    """Record notifications, those in `keys` with a key; gives what was new."""
    given = keys or {}
    async with recording(database) as connection:
        return await record_postings(
            connection,
            keys=[kept(given[name], name) for name in names if name in given],
            rows=[row(name) for name in names],
        )


async def on_record(database: Database) -> list[str]:
    """List the notifications."""
    async with database.reading() as connection:
        return list((await connection.execute(select(notifications.c.id).order_by(notifications.c.id))).scalars())


async def answer_for(database: Database, key: str) -> str | None:
    """Give what a key was answered."""
    async with database.reading() as connection:
        found = await find_earlier_answers(connection, endpoint="notifications", keys=[("school", key)])
    return found["school", key].answer if found else None


@pytest_asyncio.fixture
async def other(gateway_database_url: str) -> AsyncIterator[Database]:
    """Open the same database as another process does."""
    database = Database(gateway_database_url)
    yield database
    await database.close()


async def test_every_column_arrives(database: Database) -> None:
    """What intake says is what is read again, with and without a key."""
    full = row(
        "n1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        reference="Ref. Ümlaut 😀",
        expires_at=NOON,
        respond_by=NOON,
    )
    async with recording(database) as connection:
        await record_postings(connection, keys=[kept("k", "n1")], rows=[full, row("n2")])
    async with database.reading() as connection:
        rows = (await connection.execute(select(notifications).order_by(notifications.c.id))).mappings().all()
        keys = (await connection.execute(select(idempotency_keys))).mappings().one()
    assert [{name: found[name] for name in full} for found in rows] == [full, row("n2")]
    assert dict(keys) == {name: value for name, value in kept("k", "n1").items() if name != "notification"}


async def test_the_same_key_twice_in_one_group(database: Database) -> None:
    """The first wins; a neighbour with another key and one with none are not concerned."""
    new = await record(database, "n1", "n2", "n3", "n4", keys={"n1": "k", "n2": "k", "n3": "other"})
    assert new == {"n1", "n3", "n4"}
    assert await on_record(database) == ["n1", "n3", "n4"]
    assert await answer_for(database, "k") == "answer n1"


async def test_a_key_that_was_used_before(database: Database) -> None:
    """Nothing is written, and the first answer is found."""
    await record(database, "n1", keys={"n1": "k"})
    assert await record(database, "n2", keys={"n2": "k"}) == set()
    assert await on_record(database) == ["n1"]
    assert await answer_for(database, "k") == "answer n1"


async def test_one_key_for_each_school(database: Database) -> None:
    """Schools know nothing of each other's keys."""
    async with recording(database) as connection:
        new = await record_postings(
            connection,
            keys=[kept("k", "n1"), kept("k", "n2", school="elsewhere")],
            rows=[row("n1"), row("n2", school="elsewhere")],
        )
    assert new == {"n1", "n2"}


async def test_the_same_key_in_two_processes(database: Database, other: Database) -> None:
    """Whatever the order of the keys in each group, each key has one winner and nobody waits in a ring."""
    for number in range(5):
        forth = {f"a{number}-{key}": f"{number}-{key}" for key in range(20)}
        back = {f"b{number}-{key}": f"{number}-{key}" for key in reversed(range(20))}
        ours, theirs = await asyncio.gather(record(database, *forth, keys=forth), record(other, *back, keys=back))
        assert len(ours) + len(theirs) == 20
        assert {forth[name] for name in ours} | {back[name] for name in theirs} == set(forth.values())
    assert len(await on_record(database)) == 100


async def test_recording_again_what_is_there(database: Database) -> None:
    """After a lost confirmation the same postings come again: with a key they are old, without they stay one."""
    await record(database, "n1", "n2", keys={"n1": "k"})
    assert await record(database, "n1", "n2", keys={"n1": "k"}) == {"n2"}
    assert await on_record(database) == ["n1", "n2"]


async def test_a_group_is_written_whole_or_not_at_all(database: Database) -> None:
    """What one row is refused for takes back the keys and the other rows, too."""
    with pytest.raises((DBAPIError, asyncpg.PostgresError)):
        async with recording(database) as connection:
            await record_postings(connection, keys=[kept("k", "n1")], rows=[row("n1"), row("n2", created_by=None)])
    assert await on_record(database) == []
    assert await answer_for(database, "k") is None


async def test_a_connection_that_failed_is_not_used_again(gateway_postgresql_url: str) -> None:
    """Not even at once, when nobody has noticed yet that the server has cut it."""
    database = Database(gateway_postgresql_url)
    used = []

    async def use(fault: Exception | None = None) -> None:
        async with recording(database) as connection:
            used.append((await connection.get_raw_connection()).driver_connection)
            if fault is not None:
                raise fault

    with pytest.raises(RuntimeError):
        await use(RuntimeError())
    await use()
    await use()
    first, second, third = used
    assert first is not second
    assert second is third
    await database.close()


async def test_an_empty_group(database: Database) -> None:
    """When all were refused there is nothing to write."""
    assert await record(database) == set()


async def test_people_who_are_unknown(database: Database) -> None:
    """Only ids of the same school and kind count as known."""
    async with database.writing() as connection:
        for table, name in ((students, "S1"), (contacts, "C1")):
            await connection.execute(insert(table).values(school="oak", id=name, document="{}"))
        await connection.execute(insert(student_groups).values(school="oak", group="year-3", student="S1"))
    known = {("oak", "students", "S1"), ("oak", "contacts", "C1"), ("oak", "groups", "year-3")}
    strange = {(school, field, name) for school, field, name in known for school in ("elm",)} | {
        ("oak", "students", "C1"),
        ("oak", "contacts", "year-3"),
        ("oak", "groups", "S1"),
    }
    async with recording(database) as connection:
        assert await unknown_people(connection, known | strange) == strange
        assert await unknown_people(connection, set()) == set()


async def test_counting_keys(database: Database) -> None:
    """A key is kept once, however often it comes."""
    for name in ("n1", "n2", "n3"):
        await record(database, name, keys={name: "k"})
    async with database.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(idempotency_keys))).scalar_one() == 1
