"""Holds on record: which are settled, which were decided under an older directory, and what they say now (R44, R45)."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.pages import HOLD
from gateway.store.rechecking import TEXT_CHECK
from gateway.store.tables import decisions, deliveries, notifications, schools, tasks

_ABOUT = and_(
    decisions.c.notification == tasks.c.notification,
    decisions.c.student == tasks.c.student,
    decisions.c.contact == tasks.c.contact,
)
_OPEN = and_(tasks.c.kind == HOLD, tasks.c.done_at.is_(None))


async def settled_holds(connection: AsyncConnection, *, limit: int = 500) -> list[Row[Any]]:
    """List open tasks whose hold is gone: decided otherwise by now, or of a notification that was cancelled.

    An alert's text that waits (R38) is none of them: its bare notice is sent, and so the decision says.
    """
    text_of_alert = and_(notifications.c.lane == "emergency", tasks.c.detail.startswith(f"{TEXT_CHECK}:"))
    query = (
        select(tasks.c.id, tasks.c.school, tasks.c.notification, tasks.c.student, tasks.c.contact)
        .join(notifications, notifications.c.id == tasks.c.notification)
        .join(decisions, _ABOUT)
        .where(
            _OPEN,
            or_(notifications.c.status == "cancelled", and_(decisions.c.outcome != "hold", ~text_of_alert)),
        )
        .limit(limit)
    )
    return list(await connection.execute(query))


async def outdated_holds(
    connection: AsyncConnection, *, now: dt.datetime, without: Collection[str] = (), limit: int
) -> list[Row[Any]]:
    """List holds that were decided under an older directory and may still be sent, alerts first.

    `without` names notifications that have just failed to be decided: they must not keep the others from their turn.

    Those whose text waits (R38) have deliveries that are decided again with all others.
    """
    query = (
        select(tasks.c.id, tasks.c.notification, tasks.c.student, tasks.c.contact)
        .join(notifications, notifications.c.id == tasks.c.notification)
        .join(schools, schools.c.id == tasks.c.school)
        .join(decisions, _ABOUT)
        .where(
            _OPEN,
            decisions.c.outcome == "hold",
            decisions.c.rule != TEXT_CHECK,
            tasks.c.notification.not_in(without),
            notifications.c.status.in_(("sending", "held", "finished")),
            or_(notifications.c.expires_at.is_(None), notifications.c.expires_at > now),
            func.coalesce(tasks.c.directory_version, -1) < schools.c.version,
        )
        .order_by(notifications.c.lane != "emergency", tasks.c.notification, tasks.c.contact, tasks.c.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def lock_holds(connection: AsyncConnection, ids: Collection[str], *, version: int) -> list[Row[Any]]:
    """Take those of the tasks that nobody else has decided again meanwhile or is about to."""
    query = (
        select(tasks)
        .where(tasks.c.id.in_(ids), _OPEN, func.coalesce(tasks.c.directory_version, -1) < version)
        .order_by(tasks.c.id)
        .with_for_update(skip_locked=True)
    )
    return list(await connection.execute(query))


async def unsettled_contacts(
    connection: AsyncConnection, notification: str, contacts: Collection[str], *, version: int
) -> set[str]:
    """Name the contacts with something on its way that was decided under an older directory."""
    query = select(deliveries.c.contact).where(
        deliveries.c.notification == notification,
        deliveries.c.contact.in_(contacts),
        deliveries.c.state.in_(("held", "queued", "retrying", "sending")),
        deliveries.c.directory_version != version,
    )
    return set((await connection.execute(query)).scalars())


async def note_decided(connection: AsyncConnection, rows: Sequence[tuple[str, str]], *, version: int) -> None:
    """Note on tasks (id, what they say now) under which directory their hold was decided last."""
    statement = (
        update(tasks)
        .where(tasks.c.id == bindparam("key_id"))
        .values(detail=bindparam("new_detail"), directory_version=version)
    )
    if rows:
        await connection.execute(statement, [{"key_id": task, "new_detail": detail} for task, detail in rows])
