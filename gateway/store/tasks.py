"""What people have to do: holds, unreachable contacts, outcomes nobody knows (R24, R45)."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.inserting import insert_new
from gateway.store.tables import tasks


async def add_tasks(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Put tasks on the list. Their ids are derived from their subject, so that none is listed twice."""
    await insert_new(connection, tasks, rows)


async def reopen_tasks(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Put tasks on the list, also those that were done before."""
    await connection.execute(
        update(tasks)
        .where(tasks.c.id.in_([row["id"] for row in rows]), tasks.c.done_at.is_not(None))
        .values(done_at=None)
    )
    await add_tasks(connection, rows)


async def open_tasks(connection: AsyncConnection, school: str, *, after: str = "", limit: int = 100) -> list[Row[Any]]:
    """List what is still to do, oldest first."""
    query = (
        select(tasks)
        .where(tasks.c.school == school, tasks.c.done_at.is_(None), tasks.c.id > after)
        .order_by(tasks.c.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def close_tasks(connection: AsyncConnection, ids: Sequence[str], *, at: dt.datetime) -> None:
    """Take tasks off the list."""
    await connection.execute(update(tasks).where(tasks.c.id.in_(ids)).values(done_at=at))
