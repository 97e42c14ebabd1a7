"""Planning on record: one planner at a time, chunk by chunk, each chunk committed with its cursor."""

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Select, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Student
from gateway.rules.occasion import is_enrolled
from gateway.store.bulk import copy_rows, one_of
from gateway.store.columns import LONG_AGO
from gateway.store.sending import enter_turns
from gateway.store.tables import (
    decisions,
    deliveries,
    messages,
    notification_students,
    notifications,
    student_groups,
    students,
)
from gateway.store.tasks import add_tasks

_PAGE = 5_000
"""Students read at a time when an audience is written down."""

_DUE = or_(
    notifications.c.status == "accepted",
    and_(notifications.c.status == "planning", notifications.c.lease_until.is_not(None)),
)


async def due_for_planning(connection: AsyncConnection, *, now: dt.datetime, limit: int = 100) -> list[tuple[str, str]]:
    """Name the notifications (id, lane) that nobody plans at the moment although their time has come."""
    query = (
        select(notifications.c.id, notifications.c.lane)
        .where(_DUE, notifications.c.send_at <= now, _unleased(now))
        .order_by(notifications.c.send_at)
        .limit(limit)
    )
    return [(row.id, row.lane) for row in await connection.execute(query)]


def _unleased(now: dt.datetime) -> Any:
    return or_(notifications.c.lease_until.is_(None), notifications.c.lease_until < now)


async def claim_planning(
    connection: AsyncConnection, notification: str, *, owner: str, now: dt.datetime, until: dt.datetime
) -> Row[Any] | None:
    """Become the notification's planner, or None when it is not due or another one is at it."""
    statement = (
        update(notifications)
        .where(notifications.c.id == notification, _DUE, notifications.c.send_at <= now, _unleased(now))
        .values(status="planning", owner=owner, lease_until=until)
        .returning(*notifications.c)
    )
    return (await connection.execute(statement)).one_or_none()


def audience_of(notification: str) -> Select[tuple[str]]:
    """Select the students the notification is about, as fixed when its planning began."""
    return select(notification_students.c.student).where(notification_students.c.notification == notification)


async def fix_audience(
    connection: AsyncConnection,
    notification: str,
    school: str,
    *,
    listed: tuple[str, ...] | None,
    groups: tuple[str, ...] | None,
    today: dt.date,
) -> None:
    """Write down once which students a notification is about: the listed, or who is enrolled of groups or everyone."""

    async def write(chosen: Iterable[str]) -> None:
        rows = [{"notification": notification, "student": student} for student in chosen]
        await copy_rows(connection, notification_students, rows)

    if listed is not None:
        await write(dict.fromkeys(listed))
        return
    async for page in _enrolled(connection, school, groups, today):
        await write(page)


async def enrolled_students(
    connection: AsyncConnection, school: str, *, groups: tuple[str, ...] | None, today: dt.date
) -> list[str]:
    """List who is enrolled, of the groups or, without any, of the whole school."""
    return [student async for page in _enrolled(connection, school, groups, today) for student in page]


async def _enrolled(
    connection: AsyncConnection, school: str, groups: tuple[str, ...] | None, today: dt.date
) -> AsyncIterator[list[str]]:
    """Find them page by page: half a million at once take 250 MB (measured)."""
    query = select(students.c.document).where(students.c.school == school, students.c.ended_at.is_(None))
    if groups is not None:
        query = query.where(
            exists().where(
                student_groups.c.school == school,
                student_groups.c.student == students.c.id,
                student_groups.c.group.in_(groups),
            )
        )
    decoder, after = msgspec.json.Decoder(Student), ""
    in_order = query.order_by(students.c.id).limit(_PAGE)
    while documents := (await connection.execute(in_order.where(students.c.id > after))).scalars().all():
        found = [decoder.decode(document) for document in documents]
        after = found[-1].id
        yield [student.id for student in found if is_enrolled(student, today)]


async def audience_fixed(connection: AsyncConnection, notification: str) -> bool:
    """Whether the audience is written down already."""
    return (await connection.execute(audience_of(notification).limit(1))).first() is not None


async def among(connection: AsyncConnection, notification: str, candidates: Sequence[str]) -> list[str]:
    """Pick those of the candidates whom the notification is about, in order of id."""
    audience = audience_of(notification).where(one_of(connection, notification_students.c.student, candidates))
    rows = await connection.execute(audience.order_by(notification_students.c.student))
    return [row.student for row in rows]


async def save_chunk(
    connection: AsyncConnection,
    notification: str,
    *,
    owner: str,
    cursor: str,
    next_cursor: str,
    until: dt.datetime,
    rows: dict[str, list[dict[str, Any]]],
) -> bool:
    """Write a chunk and move the cursor, unless another planner or a cancellation came in between."""
    moved = await connection.execute(
        update(notifications)
        .where(
            notifications.c.id == notification,
            notifications.c.status == "planning",
            notifications.c.owner == owner,
            notifications.c.cursor == cursor,
        )
        .values(cursor=next_cursor, lease_until=until)
    )
    if moved.rowcount != 1:
        return False
    await _part_from_departed(connection, rows["deliveries"])
    for table, key in ((decisions, "decisions"), (messages, "messages"), (deliveries, "deliveries")):
        await copy_rows(connection, table, rows[key])
    await enter_turns(connection, rows["deliveries"])
    await add_tasks(connection, rows["tasks"])
    return True


async def _part_from_departed(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Let deliveries go on their own whose carrier, planned in an earlier chunk, no longer waits to take them along.

    The carriers that do wait are locked, so that no worker takes one of them without those it is to carry.
    """
    own = {row["id"] for row in rows}
    carriers = {row["merged_into"] for row in rows} - {None} - own
    if not carriers:
        return
    waiting = deliveries.c
    query = (
        select(waiting.id)
        .where(
            waiting.id.in_(carriers),
            waiting.state.in_(("queued", "retrying")),
            waiting.merged_into.is_(None),
            waiting.bare.is_(False),
        )
        .order_by(waiting.id)
        .with_for_update()
    )
    still_there = own | set((await connection.execute(query)).scalars())
    for row in rows:
        if row["merged_into"] not in still_there:
            row["merged_into"] = None


async def release_planning(connection: AsyncConnection, notification: str, *, owner: str) -> None:
    """Let whoever is woken next go on from the cursor at once."""
    await connection.execute(
        update(notifications)
        .where(notifications.c.id == notification, notifications.c.status == "planning", notifications.c.owner == owner)
        .values(owner=None, lease_until=LONG_AGO)
    )


async def end_planning(
    connection: AsyncConnection, notification: str, *, owner: str, cursor: str, at: dt.datetime
) -> bool:
    """Record that every contact has been decided; says whether it was still this planner's to say."""
    ended = await connection.execute(
        update(notifications)
        .where(
            notifications.c.id == notification,
            notifications.c.status == "planning",
            notifications.c.owner == owner,
            notifications.c.cursor == cursor,
        )
        .values(status="sending", planned_at=at, owner=None, lease_until=None)
    )
    return ended.rowcount == 1
