"""What staff have to bring by telephone or by hand: which of it they still have, and what they did (Q34)."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import STAFF
from gateway.store.bulk import one_of
from gateway.store.tables import deliveries, hand_reports, notifications, schools, tasks

CALL = "call"
HAND_OVER = "hand_over"
BY_HAND = (CALL, HAND_OVER)
"""The kinds of tasks by which staff bring a message."""

_OVER = ("delivered", "failed", "expired", "cancelled", "suppressed")
"""States in which nothing of a delivery is left for staff to do."""


async def in_hands(connection: AsyncConnection, ids: Collection[str]) -> list[Row[Any]]:
    """Load those of the deliveries that staff have."""
    return list(await connection.execute(_in_hands(connection, ids)))


def _in_hands(connection: AsyncConnection, ids: Collection[str]) -> Any:
    return (
        select(deliveries)
        .where(
            one_of(connection, deliveries.c.id, list(ids)), deliveries.c.state == "sent", deliveries.c.provider == STAFF
        )
        .order_by(deliveries.c.id)
    )


async def lock_in_hands(connection: AsyncConnection, ids: Collection[str]) -> list[Row[Any]]:
    """Load those of the deliveries that staff have, in order, and let whoever else changes them wait."""
    return list(await connection.execute(_in_hands(connection, ids).with_for_update()))


async def open_deliveries(connection: AsyncConnection, notification: str) -> list[str]:
    """List the deliveries of a notification that staff have on their list."""
    query = select(tasks.c.delivery).where(
        tasks.c.notification == notification, tasks.c.kind.in_(BY_HAND), tasks.c.done_at.is_(None)
    )
    return [delivery for delivery in (await connection.execute(query)).scalars() if delivery is not None]


async def in_need_of_a_look(
    connection: AsyncConnection, *, now: dt.datetime, without: Collection[str], limit: int
) -> list[Row[Any]]:
    """List open tasks whose delivery is over, too late, called off, or was decided under an older directory.

    Each row has the task's `task`, the delivery's `delivery` and `notification`, and `over`, `late` and `called_off`.
    """
    over = deliveries.c.state.in_(_OVER)
    late = func.coalesce(deliveries.c.expires_at <= now, False)  # SQL's word for no
    called_off = notifications.c.status == "cancelled"
    query = (
        select(
            tasks.c.id.label("task"),
            tasks.c.delivery,
            tasks.c.notification,
            over.label("over"),
            late.label("late"),
            called_off.label("called_off"),
        )
        .join(deliveries, deliveries.c.id == tasks.c.delivery)
        .join(notifications, notifications.c.id == tasks.c.notification)
        .join(schools, schools.c.id == tasks.c.school)
        .where(
            tasks.c.kind.in_(BY_HAND),
            tasks.c.done_at.is_(None),
            tasks.c.id.not_in(without),
            or_(
                over,
                and_(
                    deliveries.c.state == "sent",
                    or_(late, called_off, deliveries.c.directory_version < schools.c.version),
                ),
            ),
        )
        .order_by(tasks.c.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def tasks_for(connection: AsyncConnection, ids: Collection[str]) -> list[str]:
    """Name the open tasks by which staff bring these deliveries."""
    query = select(tasks.c.id).where(tasks.c.delivery.in_(ids), tasks.c.kind.in_(BY_HAND), tasks.c.done_at.is_(None))
    return list((await connection.execute(query)).scalars())


async def lock_task(connection: AsyncConnection, school: str, task: str) -> Row[Any] | None:
    """Load a task and let whoever else reports on it wait."""
    query = select(tasks).where(tasks.c.school == school, tasks.c.id == task)
    return (await connection.execute(query.with_for_update())).one_or_none()


async def reports_on(connection: AsyncConnection, ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    """Load what staff did about tasks, by task, first try first."""
    found: dict[str, list[Row[Any]]] = {}
    if ids:
        query = select(hand_reports).where(hand_reports.c.task.in_(ids))
        for row in await connection.execute(query.order_by(hand_reports.c.recorded_at, hand_reports.c.id)):
            found.setdefault(row.task, []).append(row)
    return found


async def add_report(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Write down one try."""
    await connection.execute(insert(hand_reports), [dict(row)])


async def put_off_task(connection: AsyncConnection, task: str, *, until: dt.datetime) -> None:
    """Leave a task on the list for another try."""
    await connection.execute(update(tasks).where(tasks.c.id == task).values(due_at=until))


async def finish_task(connection: AsyncConnection, task: str, *, by: str, note: str, at: dt.datetime) -> None:
    """Take a task off the list by what somebody reports, also one that had gone by itself meanwhile."""
    statement = (
        update(tasks)
        .where(tasks.c.id == task, tasks.c.done_by.is_(None))
        .values(
            done_at=func.coalesce(tasks.c.done_at, at),
            done_by=by,
            note=note,
            acknowledged_at=func.coalesce(tasks.c.acknowledged_at, at),
            acknowledged_by=func.coalesce(tasks.c.acknowledged_by, by),
        )
    )
    await connection.execute(statement)
