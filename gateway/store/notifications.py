"""Notifications on record: found again, counted, cancelled."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, and_, case, func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import one_of
from gateway.store.tables import (
    contacts,
    decisions,
    deliveries,
    messages,
    notifications,
    student_groups,
    students,
    tasks,
)


async def unknown_students(connection: AsyncConnection, school: str, ids: tuple[str, ...]) -> set[str]:
    """Name those ids that are no students of the school."""
    known: set[str] = set()
    for start in range(0, len(ids), 5_000):
        query = select(students.c.id).where(
            students.c.school == school, one_of(connection, students.c.id, ids[start : start + 5_000])
        )
        known |= set((await connection.execute(query)).scalars())
    return set(ids) - known


async def unknown_contacts(connection: AsyncConnection, school: str, ids: tuple[str, ...]) -> set[str]:
    """Name those ids that are no contacts of the school."""
    query = select(contacts.c.id).where(contacts.c.school == school, one_of(connection, contacts.c.id, ids))
    return set(ids) - set((await connection.execute(query)).scalars())


async def unknown_groups(connection: AsyncConnection, school: str, names: tuple[str, ...]) -> set[str]:
    """Name those groups that no student is in."""
    query = (
        select(student_groups.c.group)
        .where(student_groups.c.school == school, student_groups.c.group.in_(names))
        .distinct()
    )
    return set(names) - set((await connection.execute(query)).scalars())


async def find_notification(connection: AsyncConnection, school: str, notification: str) -> Row[Any] | None:
    """Find a notification of this school."""
    query = select(notifications).where(notifications.c.id == notification, notifications.c.school == school)
    return (await connection.execute(query)).one_or_none()


async def count(connection: AsyncConnection, notification: str) -> dict[str, Any]:
    """Count what a notification has come to: messages, decisions, and deliveries by state, channel and language."""
    decided = await connection.execute(
        select(decisions.c.outcome, func.count())
        .where(decisions.c.notification == notification)
        .group_by(decisions.c.outcome)
    )
    outcomes: dict[str, int] = dict(list(decided))
    planned = (
        await connection.execute(
            select(func.count()).select_from(messages).where(messages.c.notification == notification)
        )
    ).scalar_one()
    rows = await connection.execute(
        select(deliveries.c.channel, deliveries.c.state, deliveries.c.language, func.count())
        .where(deliveries.c.notification == notification)
        .group_by(deliveries.c.channel, deliveries.c.state, deliveries.c.language)
    )
    states: dict[str, int] = {}
    channels: dict[str, dict[str, int]] = {}
    languages: dict[str, int] = {}
    for channel, state, language, number in rows:
        states[state] = states.get(state, 0) + number
        by_state = channels.setdefault(channel, {})
        by_state[state] = by_state.get(state, 0) + number
        languages[language] = languages.get(language, 0) + number
    return {
        "messages": planned,
        "sent": outcomes.get("send", 0),
        "held": outcomes.get("hold", 0),
        "excluded": outcomes.get("exclude", 0),
        "unreachable": outcomes.get("unreachable", 0),
        "deliveries": states,
        "channels": channels,
        "languages": languages,
    }


async def cancel(connection: AsyncConnection, notification: str, *, at: dt.datetime) -> int:
    """Withdraw every delivery that has not left, for good; says how many were withdrawn.

    A finished one is withdrawn, too: whatever comes back of it starts nothing more, and nobody is to tell it by hand.
    What travels inside another that a worker has already is that worker's to withdraw, with its carrier.
    """
    await connection.execute(
        update(notifications)
        .where(notifications.c.id == notification, notifications.c.status != "cancelled")
        .values(status="cancelled", finished_at=at, owner=None, lease_until=None)
    )
    waiting = ("held", "queued", "retrying")
    carrier = deliveries.alias()
    carriers = select(carrier.c.id).where(carrier.c.notification == notification, carrier.c.state.in_(waiting))
    # Locked in the order of their ids, as news and workers lock them: nobody waits in a ring.
    named = (deliveries.c.notification == notification, deliveries.c.state.in_(waiting))
    await connection.execute(select(deliveries.c.id).where(*named).order_by(deliveries.c.id).with_for_update())
    result = await connection.execute(
        update(deliveries)
        .where(
            *named,
            or_(deliveries.c.merged_into.is_(None), deliveries.c.merged_into.in_(carriers)),
        )
        .values(state="cancelled", due_at=None, changed_at=at, code="cancelled", detail="Withdrawn by the sender.")
    )
    by_hand = (tasks.c.notification == notification, tasks.c.kind == "reach_by_hand", tasks.c.done_at.is_(None))
    await connection.execute(update(tasks).where(*by_hand).values(done_at=at))
    return int(result.rowcount)


_OPEN = or_(
    deliveries.c.state.in_(("queued", "sending", "retrying")),
    and_(deliveries.c.state == "unknown", deliveries.c.due_at.is_not(None)),
)
"""Deliveries that still need something from us; an unknown one that waits for a person does not."""


async def is_open(connection: AsyncConnection, notification: str) -> bool:
    """Whether anything of a notification still needs something from us."""
    query = select(deliveries.c.id).where(deliveries.c.notification == notification, _OPEN).limit(1)
    return (await connection.execute(query)).first() is not None


async def settle_status(connection: AsyncConnection, notification: str, *, at: dt.datetime) -> str | None:
    """Bring the status of a planned notification up to date with its deliveries; gives its school if it just finished.

    Call it in a transaction of its own, after what changed the deliveries was committed: of two that record the last
    two deliveries at the same moment each would still see the other's open. The row is locked first, so that whoever
    writes last has also seen most.
    """
    await connection.execute(select(notifications.c.id).where(notifications.c.id == notification).with_for_update())
    of_it = deliveries.c.notification == notification
    still_open = select(deliveries.c.id).where(of_it, _OPEN).exists()
    held = select(deliveries.c.id).where(of_it, deliveries.c.state == "held").exists()
    status = case((still_open, "sending"), (held, "held"), else_="finished")
    finished_at = case((or_(still_open, held), null()), else_=func.coalesce(notifications.c.finished_at, at))
    statement = (
        update(notifications)
        .where(
            notifications.c.id == notification,
            notifications.c.planned_at.is_not(None),
            notifications.c.status != "cancelled",
        )
        .values(status=status, finished_at=finished_at)
        .returning(notifications.c.school, notifications.c.finished_at)
    )
    settled = (await connection.execute(statement)).one_or_none()
    return settled.school if settled is not None and settled.finished_at == at else None


async def lanes_in_force(connection: AsyncConnection, ids: Collection[str]) -> dict[str, str]:
    """Give the lanes of those notifications that were not withdrawn, by id."""
    query = select(notifications.c.id, notifications.c.lane).where(
        notifications.c.id.in_(ids), notifications.c.status != "cancelled"
    )
    return {row.id: row.lane for row in await connection.execute(query)} if ids else {}


async def unfinished(connection: AsyncConnection, *, limit: int = 50) -> list[str]:
    """Name notifications that say they are sending although nothing of them is open any more.

    Only a crash between the last record and the update of the status leaves one.
    """
    still_open = select(deliveries.c.id).where(deliveries.c.notification == notifications.c.id, _OPEN).exists()
    query = select(notifications.c.id).where(notifications.c.status == "sending", ~still_open).limit(limit)
    return list((await connection.execute(query)).scalars())
