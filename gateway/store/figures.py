"""What waits in each lane, by the partial indexes of open work: never a count of all that ever was."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import deliveries, notifications

LONGEST_MS = 2_000
"""How long PostgreSQL may count; with a million open deliveries figures must not slow down their sending."""


@dataclass(frozen=True, kw_only=True)
class OpenWork:
    """Work of one lane that is not done."""

    lane: str
    number: int
    oldest_due: dt.datetime | None
    """Since when the oldest is due; None when nothing is due yet."""


async def limit_counting(connection: AsyncConnection) -> None:
    """Let a count that takes too long fail; for the transaction of `connection`."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SET LOCAL statement_timeout = {LONGEST_MS}"))


async def open_planning(connection: AsyncConnection, *, now: dt.datetime) -> list[OpenWork]:
    """Count the notifications that are not planned to their end, by lane."""
    due = func.min(notifications.c.send_at).filter(notifications.c.send_at <= now)
    query = (
        select(notifications.c.lane, func.count().label("number"), due.label("oldest_due"))
        .where(notifications.c.status.in_(("accepted", "planning")))
        .group_by(notifications.c.lane)
    )
    return [OpenWork(**row._mapping) for row in await connection.execute(query)]  # noqa: SLF001  # SQLAlchemy's public name


async def open_sending(connection: AsyncConnection, *, now: dt.datetime) -> list[OpenWork]:
    """Count the deliveries that a worker will have to take, now or later, by lane."""
    due = func.min(deliveries.c.due_at).filter(deliveries.c.due_at <= now)
    query = (
        select(deliveries.c.lane, func.count().label("number"), due.label("oldest_due"))
        .where(
            deliveries.c.state.in_(("queued", "retrying", "unknown")),
            deliveries.c.due_at.is_not(None),
            deliveries.c.merged_into.is_(None),
        )
        .group_by(deliveries.c.lane)
    )
    return [OpenWork(**row._mapping) for row in await connection.execute(query)]  # noqa: SLF001  # the same
