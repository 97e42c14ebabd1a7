"""Answers to questions of consent on record, and who was asked (R14)."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, and_, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Category
from gateway.store.tables import (
    chronology,
    consent_answers,
    decisions,
    notification_students,
    notifications,
    schools,
    tasks,
)


async def take_turns(connection: AsyncConnection, notification: str, student: str) -> bool:
    """Let the answers about one student wait for each other; says whether the notification is about the student."""
    table = notification_students.c
    query = select(table.student).where(table.notification == notification, table.student == student)
    return (await connection.execute(query.with_for_update())).first() is not None


async def add_answer(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Append an answer, and say in the chronologies of contact and student that it was given."""
    await connection.execute(insert(consent_answers).values(**values))
    detail = {name: values[name] for name in ("notification", "answer", "origin")}
    await connection.execute(
        insert(chronology).values(
            school=values["school"],
            at=values["at"],
            student=values["student"],
            contact=values["contact"],
            event="consent_answered",
            detail=msgspec.json.encode(detail).decode(),
        )
    )


async def answers_about(
    connection: AsyncConnection, notification: str, students: Collection[str]
) -> dict[str, list[Row[Any]]]:
    """List the answers about these students, oldest first, by student."""
    table = consent_answers.c
    query = select(consent_answers).where(table.notification == notification, table.student.in_(students))
    found: dict[str, list[Row[Any]]] = {}
    for row in await connection.execute(query.order_by(table.id)):
        found.setdefault(row.student, []).append(row)
    return found


async def decided_about(connection: AsyncConnection, notification: str, students: Collection[str]) -> list[Row[Any]]:
    """List what is on record of everybody who might have been asked about these students."""
    table = decisions.c
    query = select(decisions).where(table.notification == notification, table.student.in_(students))
    return list(await connection.execute(query.order_by(table.student, table.contact)))


async def students_asked_about(
    connection: AsyncConnection, notification: str, *, after: str = "", limit: int | None = None
) -> list[str]:
    """Name the students a notification is about, by id."""
    table = notification_students.c
    query = select(table.student).where(table.notification == notification, table.student > after)
    return list((await connection.execute(query.order_by(table.student).limit(limit))).scalars())


async def students_answered_about(connection: AsyncConnection, notification: str) -> list[str]:
    """Name the students about whom there is any answer, by id."""
    table = consent_answers.c
    query = select(table.student).where(table.notification == notification).distinct()
    return list((await connection.execute(query.order_by(table.student))).scalars())


async def recent_questions(connection: AsyncConnection, *, since: dt.datetime) -> list[Row[Any]]:
    """List the notifications of all schools that ask for consent and were posted, or were to be answered, since.

    Beside its columns each has `version`, its school's directory version, and `last_answer`, the newest one's number.
    """
    newest = (
        select(func.max(consent_answers.c.id)).where(consent_answers.c.notification == notifications.c.id)
    ).scalar_subquery()
    query = (
        select(
            notifications, schools.c.version, schools.c.document.label("school_document"), newest.label("last_answer")
        )
        .join(schools, schools.c.id == notifications.c.school)
        .where(
            notifications.c.category == Category.CONSENT.value,
            or_(
                notifications.c.created_at > since,
                and_(notifications.c.respond_by.is_not(None), notifications.c.respond_by > since),
            ),
        )
        .order_by(notifications.c.id)
    )
    return list(await connection.execute(query))


async def in_hand(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Pick those of the tasks that are on the list or that a person has settled."""
    query = select(tasks.c.id).where(tasks.c.id.in_(ids), or_(tasks.c.done_at.is_(None), tasks.c.done_by.is_not(None)))
    return set((await connection.execute(query)).scalars())
