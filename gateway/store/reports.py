"""What reports read: the directory, what became of one notification, approved texts, tasks that are known."""

import datetime as dt
from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Directory, School
from gateway.store.people import load_directory
from gateway.store.tables import decisions, deliveries, messages, students, tasks, templates


async def load_enrolment(connection: AsyncConnection, school: School) -> Directory:
    """Load everything of one school; a student whom the newest directory left out has left the school with it."""
    directory = await load_directory(connection, school)
    query = select(students.c.id, students.c.ended_at).where(
        students.c.school == school.id, students.c.ended_at.is_not(None)
    )
    zone = ZoneInfo(school.timezone)
    left = {
        row.id: row.ended_at.astimezone(zone).date() - dt.timedelta(days=1) for row in await connection.execute(query)
    }
    return msgspec.structs.replace(
        directory,
        students=tuple(
            msgspec.structs.replace(student, enrolled_to=min(left[student.id], student.enrolled_to or dt.date.max))
            if student.id in left
            else student
            for student in directory.students
        ),
    )


async def list_decided(connection: AsyncConnection, notification: str) -> list[Row[Any]]:
    """List every decision of a notification with the plan of its message, by student and contact."""
    query = (
        select(
            decisions.c.student,
            decisions.c.contact,
            decisions.c.outcome,
            decisions.c.rule,
            decisions.c.reason,
            decisions.c.message,
            messages.c.language,
            messages.c.routes,
            messages.c.step,
            messages.c.not_before,
        )
        .outerjoin(messages, messages.c.id == decisions.c.message)
        .where(decisions.c.notification == notification)
        .order_by(decisions.c.student, decisions.c.contact)
    )
    return list(await connection.execute(query))


async def list_traces(connection: AsyncConnection, notification: str) -> list[Row[Any]]:
    """List how every delivery of a notification stands, by message and in the order of the routes."""
    own = deliveries.c
    query = (
        select(own.message, own.channel, own.state, own.detail, own.fell_back)
        .where(own.notification == notification)
        .order_by(own.message, own.position)
    )
    return list(await connection.execute(query))


async def list_approved_texts(connection: AsyncConnection, school: str) -> list[Row[Any]]:
    """List the school's approved templates (`name`, `document`), newer versions after older ones."""
    query = (
        select(templates.c.name, templates.c.document)
        .where(templates.c.school == school, templates.c.status == "approved")
        .order_by(templates.c.name, templates.c.version)
    )
    return list(await connection.execute(query))


async def known_tasks(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Name those of the tasks that have ever been on the list."""
    return set((await connection.execute(select(tasks.c.id).where(tasks.c.id.in_(ids)))).scalars())
