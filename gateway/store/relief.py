"""Calls for help on record, and whether what they were about is over."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import decisions, deliveries, notifications, tasks


async def open_calls(connection: AsyncConnection, kinds: Collection[str]) -> list[Row[Any]]:
    """List the open tasks of these kinds (`task`, `kind`) with their notifications' rows."""
    query = (
        select(tasks.c.id.label("task"), tasks.c.kind, *notifications.c)
        .join(notifications, notifications.c.id == tasks.c.notification)
        .where(tasks.c.kind.in_(kinds), tasks.c.done_at.is_(None))
        .order_by(tasks.c.id)
    )
    return list(await connection.execute(query))


async def is_waiting(connection: AsyncConnection, notification: str, *, until: dt.datetime) -> bool:
    """Whether anything of a notification should leave by then and has not."""
    query = select(deliveries.c.id).where(
        deliveries.c.notification == notification,
        deliveries.c.state.in_(("queued", "retrying", "sending")),
        deliveries.c.merged_into.is_(None),
        deliveries.c.due_at <= until,
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def left_out(connection: AsyncConnection, notification: str, rule: str) -> set[tuple[str, str]]:
    """Name the students and contacts whom a notification excluded by this rule."""
    query = select(decisions.c.student, decisions.c.contact).where(
        decisions.c.notification == notification, decisions.c.outcome == "exclude", decisions.c.rule == rule
    )
    return {(row.student, row.contact) for row in await connection.execute(query)}
