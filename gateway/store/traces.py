"""Where the traces of notifications began, for the wake-ups that the clock sends again."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import deliveries, notifications


async def traces_of_notifications(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, str]:
    """Give the `traceparent` of each notification that was accepted while traces were wanted."""
    query = select(notifications.c.id, notifications.c.traceparent).where(
        notifications.c.id.in_(ids), notifications.c.traceparent.is_not(None)
    )
    return {row.id: row.traceparent for row in await connection.execute(query)}


async def traces_of_batches(connection: AsyncConnection, batches: Sequence[str]) -> dict[str, str]:
    """Give the `traceparent` of each batch: all of it is of one notification."""
    query = (
        select(deliveries.c.batch, notifications.c.traceparent)
        .join(notifications, notifications.c.id == deliveries.c.notification)
        .where(
            deliveries.c.batch.in_(batches),
            deliveries.c.state.in_(("queued", "retrying", "unknown")),
            deliveries.c.due_at.is_not(None),
            deliveries.c.merged_into.is_(None),
            notifications.c.traceparent.is_not(None),
        )
        .distinct()
    )
    return {row.batch: row.traceparent for row in await connection.execute(query)}
