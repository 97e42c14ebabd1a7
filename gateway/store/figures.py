"""Figures for operators, counted in the database."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import deliveries, notifications

_LANES = ("emergency", "standard", "bulk")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How much there is of what."""

    notifications: dict[str, int]
    deliveries: dict[tuple[str, str], int]
    oldest_due: dict[str, float]
    """Seconds by lane; 0 when nothing is due."""


async def load_figures(connection: AsyncConnection, *, now: dt.datetime) -> Figures:
    """Count."""
    by_status = await connection.execute(select(notifications.c.status, func.count()).group_by(notifications.c.status))
    by_state = await connection.execute(
        select(deliveries.c.state, deliveries.c.channel, func.count()).group_by(
            deliveries.c.state, deliveries.c.channel
        )
    )
    oldest = await connection.execute(
        select(deliveries.c.lane, func.min(deliveries.c.due_at).label("due_at"))
        .where(deliveries.c.state.in_(("queued", "retrying")), deliveries.c.due_at <= now)
        .group_by(deliveries.c.lane)
    )
    ages = {row.lane: (now - row.due_at).total_seconds() for row in oldest}
    return Figures(
        notifications=dict(list(by_status)),
        deliveries={(state, channel): number for state, channel, number in by_state},
        oldest_due={lane: ages.get(lane, 0.0) for lane in _LANES},
    )
