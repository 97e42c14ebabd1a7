"""What people have to do: holds, unreachable contacts, outcomes nobody knows (R24, R45)."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, and_, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.inserting import insert_new
from gateway.store.tables import chronology, decisions, tasks

_FRESH: Mapping[str, None] = {
    "done_at": None,
    "done_by": None,
    "note": None,
    "paged_at": None,
    "acknowledged_at": None,
    "acknowledged_by": None,
}
"""How a task looks that has come back."""


async def add_tasks(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put tasks on the list; their ids are derived from their subject, so that none is listed twice.

    One that had gone by itself comes back; one that a person has settled stays settled.
    """
    new = await insert_new(connection, tasks, rows)
    known = [row["id"] for row in rows if (row["id"],) not in new]
    if known:
        gone = (tasks.c.id.in_(known), tasks.c.done_at.is_not(None), tasks.c.done_by.is_(None))
        await connection.execute(update(tasks).where(*gone).values(_FRESH))


async def reopen_tasks(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put tasks on the list, also those that a person had settled before."""
    await connection.execute(
        update(tasks).where(tasks.c.id.in_([row["id"] for row in rows]), tasks.c.done_at.is_not(None)).values(_FRESH)
    )
    await add_tasks(connection, rows)


async def close_tasks(connection: AsyncConnection, ids: Collection[str], *, at: dt.datetime) -> None:
    """Take tasks off the list that have gone by themselves."""
    await connection.execute(update(tasks).where(tasks.c.id.in_(ids), tasks.c.done_at.is_(None)).values(done_at=at))


async def find_task(connection: AsyncConnection, school: str, task: str) -> Row[Any] | None:
    """Find a task of this school, with the rule of the decision that it is about, if any."""
    return (await connection.execute(_with_rule().where(tasks.c.school == school, tasks.c.id == task))).one_or_none()


async def list_tasks(
    connection: AsyncConnection,
    school: str,
    *,
    is_open: bool = True,
    kind: str | None = None,
    owner: str | None = None,
    after: tuple[Any, ...] = (),
    limit: int = 100,
) -> list[Row[Any]]:
    """List tasks by deadline, those without one last; each with the rule of the decision that it is about.

    `after` is deadline and id of the last one seen.
    """
    query = _with_rule().where(
        tasks.c.school == school, tasks.c.done_at.is_(None) if is_open else tasks.c.done_at.is_not(None)
    )
    for column, wanted in ((tasks.c.kind, kind), (tasks.c.owner, owner)):
        if wanted is not None:
            query = query.where(column == wanted)
    if after:
        query = query.where(_beyond(*after))
    query = query.order_by(tasks.c.due_at.is_(None), tasks.c.due_at, tasks.c.id).limit(limit)
    return list(await connection.execute(query))


def _beyond(due_at: dt.datetime | None, task: str) -> ColumnElement[bool]:
    """Match what comes after a place in the list."""
    if due_at is None:
        return and_(tasks.c.due_at.is_(None), tasks.c.id > task)
    later = tuple_(tasks.c.due_at, tasks.c.id) > tuple_(literal(due_at, tasks.c.due_at.type), literal(task))
    return or_(tasks.c.due_at.is_(None), later)


def _with_rule() -> Any:
    about = and_(
        decisions.c.notification == tasks.c.notification,
        decisions.c.student == tasks.c.student,
        decisions.c.contact == tasks.c.contact,
    )
    return select(tasks, decisions.c.outcome, decisions.c.rule).outerjoin(decisions, about)


async def acknowledge_task(
    connection: AsyncConnection, task: Any, kinds: Collection[str], *, by: str, at: dt.datetime
) -> None:
    """Note that somebody looks after a task and, as pages speak of all of them, after its notification's others."""
    same = tasks.c.id == task.id
    if task.notification is not None and task.kind in kinds:
        same = or_(same, and_(tasks.c.notification == task.notification, tasks.c.kind.in_(kinds)))
    statement = (
        update(tasks)
        .where(tasks.c.school == task.school, same, tasks.c.done_at.is_(None), tasks.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at, acknowledged_by=by)
        .returning(tasks.c.id, tasks.c.school, tasks.c.student, tasks.c.contact, tasks.c.notification)
    )
    rows = list(await connection.execute(statement))
    await enter_tasks(connection, rows, "task_acknowledged", {"by": by}, at=at)


async def settle_task(connection: AsyncConnection, task: Any, *, by: str, note: str, at: dt.datetime) -> bool:
    """Take a task off the list because a person says so; says whether it was still on it."""
    settled = await connection.execute(
        update(tasks)
        .where(tasks.c.id == task.id, tasks.c.done_at.is_(None))
        .values(
            done_at=at,
            done_by=by,
            note=note,
            acknowledged_at=func.coalesce(tasks.c.acknowledged_at, at),
            acknowledged_by=func.coalesce(tasks.c.acknowledged_by, by),
        )
    )
    if settled.rowcount != 1:
        return False
    await enter_tasks(connection, [task], "task_done", {"by": by}, at=at)
    return True


async def enter_tasks(
    connection: AsyncConnection, rows: Sequence[Any], event: str, detail: Mapping[str, Any], *, at: dt.datetime
) -> None:
    """Write into the chronology of whom each task is about; a task about nobody leaves no entry there."""
    entries = [
        {
            "school": row.school,
            "at": at,
            "student": row.student,
            "contact": row.contact,
            "event": event,
            "detail": msgspec.json.encode({"task": row.id, "notification": row.notification, **detail}).decode(),
        }
        for row in rows
        if row.student is not None or row.contact is not None
    ]
    if entries:
        await connection.execute(insert(chronology), entries)
