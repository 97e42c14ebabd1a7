"""Notifications on record: accepted once, found again, counted, cancelled."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import (
    contacts,
    decisions,
    deliveries,
    idempotency_keys,
    messages,
    notifications,
    student_groups,
    students,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierAnswer:
    """What the same idempotency key was answered before."""

    body_hash: str
    status: int
    answer: str


async def find_earlier_answer(
    connection: AsyncConnection, *, school: str, endpoint: str, key: str
) -> EarlierAnswer | None:
    """Look an idempotency key up."""
    table = idempotency_keys.c
    query = select(table.body_hash, table.status, table.answer).where(
        table.school == school, table.endpoint == endpoint, table.key == key
    )
    row = (await connection.execute(query)).one_or_none()
    return EarlierAnswer(body_hash=row.body_hash, status=row.status, answer=row.answer) if row else None


async def keep_answer(
    connection: AsyncConnection,
    *,
    school: str,
    endpoint: str,
    key: str,
    answer: EarlierAnswer,
    at: dt.datetime,
) -> None:
    """Remember an answer in the transaction of the thing it answers; a second insert of the key fails."""
    await connection.execute(
        insert(idempotency_keys).values(
            school=school,
            endpoint=endpoint,
            key=key,
            body_hash=answer.body_hash,
            status=answer.status,
            answer=answer.answer,
            created_at=at,
        )
    )


async def unknown_students(connection: AsyncConnection, school: str, ids: tuple[str, ...]) -> set[str]:
    """Name those ids that are no students of the school."""
    known: set[str] = set()
    for start in range(0, len(ids), 5_000):
        query = select(students.c.id).where(students.c.school == school, students.c.id.in_(ids[start : start + 5_000]))
        known |= set((await connection.execute(query)).scalars())
    return set(ids) - known


async def unknown_contacts(connection: AsyncConnection, school: str, ids: tuple[str, ...]) -> set[str]:
    """Name those ids that are no contacts of the school."""
    query = select(contacts.c.id).where(contacts.c.school == school, contacts.c.id.in_(ids))
    return set(ids) - set((await connection.execute(query)).scalars())


async def unknown_groups(connection: AsyncConnection, school: str, names: tuple[str, ...]) -> set[str]:
    """Name those groups that no student is in."""
    query = (
        select(student_groups.c.group)
        .where(student_groups.c.school == school, student_groups.c.group.in_(names))
        .distinct()
    )
    return set(names) - set((await connection.execute(query)).scalars())


async def add_notification(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Record an accepted notification; it is durable when the caller's transaction is."""
    await connection.execute(insert(notifications).values(values))


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
    """Withdraw every delivery that has not left and stop the planning; says how many were withdrawn.

    What travels inside another that a worker has already is that worker's to withdraw, with its carrier.
    """
    await connection.execute(
        update(notifications)
        .where(notifications.c.id == notification, notifications.c.status != "finished")
        .values(status="cancelled", finished_at=at, owner=None, lease_until=None)
    )
    waiting = ("held", "queued", "retrying")
    carrier = deliveries.alias()
    carriers = select(carrier.c.id).where(carrier.c.notification == notification, carrier.c.state.in_(waiting))
    result = await connection.execute(
        update(deliveries)
        .where(
            deliveries.c.notification == notification,
            deliveries.c.state.in_(waiting),
            or_(deliveries.c.merged_into.is_(None), deliveries.c.merged_into.in_(carriers)),
        )
        .values(state="cancelled", due_at=None, changed_at=at, code="cancelled", detail="Withdrawn by the sender.")
    )
    return int(result.rowcount)


_OPEN = or_(
    deliveries.c.state.in_(("queued", "sending", "retrying")),
    and_(deliveries.c.state == "unknown", deliveries.c.due_at.is_not(None)),
)
"""Deliveries that still need something from us; an unknown one that waits for a person does not."""


async def finish(connection: AsyncConnection, notification: str, *, at: dt.datetime) -> str | None:
    """Bring the status of a planned notification up to date; gives the new status if it changed."""
    row = (
        await connection.execute(
            select(notifications.c.status, notifications.c.planned_at).where(notifications.c.id == notification)
        )
    ).one()
    if row.planned_at is None or row.status == "cancelled":
        return None
    status = "finished"
    if await _any(connection, notification, _OPEN):
        status = "sending"
    elif await _any(connection, notification, deliveries.c.state == "held"):
        status = "held"
    if status == row.status:
        return None
    await connection.execute(
        update(notifications)
        .where(notifications.c.id == notification, notifications.c.status != "cancelled")
        .values(status=status, finished_at=at if status == "finished" else None)
    )
    return status


async def _any(connection: AsyncConnection, notification: str, condition: Any) -> bool:
    query = select(deliveries.c.id).where(deliveries.c.notification == notification, condition).limit(1)
    return (await connection.execute(query)).first() is not None


async def unfinished(connection: AsyncConnection, *, limit: int = 50) -> list[str]:
    """Name notifications that say they are sending although nothing of them is open any more.

    Only a crash between the last record and the update of the status leaves one.
    """
    still_open = select(deliveries.c.id).where(deliveries.c.notification == notifications.c.id, _OPEN).exists()
    query = select(notifications.c.id).where(notifications.c.status == "sending", ~still_open).limit(limit)
    return list((await connection.execute(query)).scalars())
