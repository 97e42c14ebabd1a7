"""Finding what has not left and was decided under an older directory, and taking it back (R44)."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sending import set_states
from gateway.store.tables import deliveries, schools

# Written out, as parameters would hide from either database that its partial index serves.
_WAITING = text("deliveries.state IN ('held', 'queued', 'retrying')")
_STATES = ("held", "queued", "retrying")


async def changed_schools(connection: AsyncConnection, lane: str) -> list[tuple[str, int]]:
    """Name the schools (id, version) with something waiting in this lane that was decided before their last change."""
    # The index's first entry answers for a school; an EXISTS would be turned into a join over all that waits.
    oldest = (
        select(deliveries.c.directory_version)
        .where(deliveries.c.school == schools.c.id, deliveries.c.lane == lane, _WAITING)
        .order_by(deliveries.c.directory_version)
        .limit(1)
        .scalar_subquery()
    )
    rows = await connection.execute(select(schools.c.id, schools.c.version).where(oldest < schools.c.version))
    return [(row.id, row.version) for row in rows]


async def stale_deliveries(
    connection: AsyncConnection,
    school: str,
    lane: str,
    version: int,
    *,
    now: dt.datetime,
    backlog: dt.timedelta,
    without: Collection[str],
    limit: int,
) -> list[Row[Any]]:
    """List what waits since before this version: `id`, `merged_into`, `notification`, in order of notification.

    What has just become due is left to the worker that is about to take it and checks it itself.
    """
    query = (
        select(deliveries.c.id, deliveries.c.merged_into, deliveries.c.notification)
        .where(
            deliveries.c.school == school,
            deliveries.c.lane == lane,
            deliveries.c.directory_version < version,
            _WAITING,
            or_(deliveries.c.due_at.is_(None), deliveries.c.due_at > now, deliveries.c.due_at <= now - backlog),
            deliveries.c.notification.not_in(without),
        )
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def keep_from_workers(connection: AsyncConnection, ids: Collection[str]) -> list[Row[Any]]:
    """Load and lock those of the deliveries that still wait on their own; what a worker has claimed is the worker's.

    A claim passes over locked rows, and merged deliveries are only ever touched by whoever has their carrier.
    """
    query = (
        select(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.state.in_(_STATES), deliveries.c.merged_into.is_(None))
        .order_by(deliveries.c.id)
        .with_for_update(skip_locked=True)
    )
    return list(await connection.execute(query))


async def withdraw(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[Row[Any]]:
    """Suppress waiting deliveries; gives those that travelled inside them, still hold, and now go on their own.

    Each row has `id`, `was`, `code`, `detail`, `changed_at`.
    """
    ids = [row["id"] for row in rows]
    # Parted first: a carrier takes everything that is still merged into it along.
    parted = list(
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.merged_into.in_(ids), deliveries.c.id.not_in(ids), deliveries.c.state.in_(_STATES))
            .values(merged_into=None, state="queued", changed_at=rows[0]["changed_at"], code=None, detail=None)
            .returning(deliveries.c.id, deliveries.c.lane, deliveries.c.batch, deliveries.c.due_at)
        )
    )
    await set_states(connection, [{**row, "state": "suppressed", "due_at": None} for row in rows])
    return parted
