"""Postings on record: notifications with their idempotency keys and answers, many at once.

On PostgreSQL one statement past SQLAlchemy: for each statement that costs this process as much as 15 whole requests
(1,200 against 60 µs for the smallest, measured), and a transaction of one statement needs no BEGIN and no COMMIT.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Integer, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import fetch, has_arrays, insert_new
from gateway.store.columns import Instant
from gateway.store.database import Database
from gateway.store.notifications import unknown_contacts, unknown_groups, unknown_students
from gateway.store.tables import idempotency_keys, notifications

_LOOK_UPS = {"students": unknown_students, "groups": unknown_groups, "contacts": unknown_contacts}

Named = tuple[str, str, str]
"""School, field of the audience (`students`, `groups` or `contacts`), and an id in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierAnswer:
    """What the same idempotency key was answered before."""

    body_hash: str
    status: int
    answer: str


def recording(database: Database) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open what a group of postings is recorded on; what `record_postings` writes is committed whole or not at all."""
    return database.writing() if database.sqlite else _each_by_itself(database)


@asynccontextmanager
async def _each_by_itself(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a connection on which each statement is a transaction."""
    async with database.engine.connect() as plain:
        try:
            yield await plain.execution_options(isolation_level="AUTOCOMMIT")
        except BaseException:
            # Only the driver knows whether it is still of use, and nobody asks it: the next one gets another.
            await plain.invalidate()
            raise


async def unknown_people(connection: AsyncConnection, named: Collection[Named]) -> set[Named]:
    """Pick those that the schools' directories do not have."""
    if not named:
        return set()
    if has_arrays(connection):
        rows = await fetch(connection, _UNKNOWN, *(list(column) for column in zip(*named, strict=True)))
        return {tuple(row) for row in rows}
    fields: dict[tuple[str, str], list[str]] = defaultdict(list)
    for school, field, identifier in named:
        fields[school, field].append(identifier)
    return {
        (school, field, identifier)
        for (school, field), ids in fields.items()
        for identifier in await _LOOK_UPS[field](connection, school, tuple(ids))
    }


_UNKNOWN = """
    SELECT school, field, id FROM unnest($1::text[], $2::text[], $3::text[]) AS named (school, field, id)
    WHERE NOT CASE field
        WHEN 'students' THEN EXISTS (SELECT FROM students AS s WHERE (s.school, s.id) = (named.school, named.id))
        WHEN 'contacts' THEN EXISTS (SELECT FROM contacts AS c WHERE (c.school, c.id) = (named.school, named.id))
        ELSE EXISTS (SELECT FROM student_groups AS g WHERE (g.school, g."group") = (named.school, named.id))
    END"""


async def record_postings(
    connection: AsyncConnection, *, keys: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    """Record notifications with their keys and answers; gives the ids of those that are new.

    `keys` are rows of idempotency keys, each naming its `notification` besides. Of two with the same key one wins,
    in whatever process the other is; whoever lost finds its answer afterwards.
    """
    if not rows:
        return set()
    firsts: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for key in keys:
        firsts.setdefault((key["school"], key["endpoint"], key["key"]), key)
    # In their order: two processes that record the same keys must not wait for each other in a ring.
    asking = [firsts[key] for key in sorted(firsts)]
    keyed = {key["notification"] for key in keys}
    wanted = {key["notification"] for key in asking}
    ours = [row for row in rows if row["id"] in wanted or row["id"] not in keyed]
    record = _record_by_arrays if has_arrays(connection) else _record_one_by_one
    won = await record(connection, asking, ours)
    return {row["id"] for row in ours if row["id"] in won or row["id"] not in keyed}


async def _record_by_arrays(
    connection: AsyncConnection, keys: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    columns = [[key[name] for key in keys] for name in (*_KEY, "notification")]
    columns += [[row[name] for row in rows] for name in _ROW]
    return {row[0] for row in await fetch(connection, _RECORD, *columns)}


async def _record_one_by_one(
    connection: AsyncConnection, keys: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    plain = [{name: value for name, value in key.items() if name != "notification"} for key in keys]
    fresh = await insert_new(connection, idempotency_keys, plain)
    won = {key["notification"] for key in keys if (key["school"], key["endpoint"], key["key"]) in fresh}
    lost = {key["notification"] for key in keys} - won
    await insert_new(connection, notifications, [row for row in rows if row["id"] not in lost])
    return won


_KEY = ("school", "endpoint", "key", "body_hash", "status", "answer", "created_at")
_ROW = (
    *("id", "school", "category", "purpose", "lane", "status", "request", "sources", "traceparent", "reference"),
    *("created_by", "created_at", "send_at", "expires_at", "respond_by", "cursor"),
)


def _array(column: Column[Any]) -> str:
    if isinstance(column.type, Instant):
        return "timestamptz[]"
    return "integer[]" if isinstance(column.type, Integer) else "text[]"


def _arrays(kinds: Sequence[str], first: int) -> str:
    return ", ".join(f"${number}::{kind}" for number, kind in enumerate(kinds, first))


_KEY_ARRAYS = _arrays([*(_array(idempotency_keys.c[name]) for name in _KEY), "text[]"], 1)
_ROW_ARRAYS = _arrays([_array(notifications.c[name]) for name in _ROW], len(_KEY) + 2)
_RECORD = f"""
    WITH keys AS (
        SELECT * FROM unnest({_KEY_ARRAYS}) AS given ({", ".join(_KEY)}, notification)
    ), fresh AS (
        INSERT INTO idempotency_keys ({", ".join(_KEY)}) SELECT {", ".join(_KEY)} FROM keys
        ON CONFLICT DO NOTHING RETURNING school, endpoint, key
    ), won AS (
        SELECT notification FROM keys JOIN fresh USING (school, endpoint, key)
    ), written AS (
        INSERT INTO notifications ({", ".join(_ROW)})
        SELECT * FROM unnest({_ROW_ARRAYS}) AS given ({", ".join(_ROW)})
        WHERE id IN (SELECT notification FROM won) OR id NOT IN (SELECT notification FROM keys)
        ON CONFLICT DO NOTHING
    )
    SELECT notification FROM won"""  # noqa: S608  # the names of our own columns, no value


async def find_earlier_answers(
    connection: AsyncConnection, *, endpoint: str, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], EarlierAnswer]:
    """Look idempotency keys up by (school, key)."""
    table = idempotency_keys.c
    query = select(table.school, table.key, table.body_hash, table.status, table.answer).where(
        table.endpoint == endpoint, tuple_(table.school, table.key).in_(keys)
    )
    return {
        (row.school, row.key): EarlierAnswer(body_hash=row.body_hash, status=row.status, answer=row.answer)
        for row in await connection.execute(query)
    }
