"""Messages kept back because of their text, and letting them go."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.rules.answer import Decision
from gateway.store.rechecking import TEXT_CHECK
from gateway.store.tables import chronology, decisions, deliveries, tasks

_CONFIRMED = "text_confirmed"


async def kept_back(connection: AsyncConnection, notification: str, codes: Sequence[str]) -> list[Row[Any]]:
    """Find a notification's deliveries that wait for somebody to look at their text."""
    query = select(deliveries).where(
        deliveries.c.notification == notification, deliveries.c.state == "held", deliveries.c.code.in_(codes)
    )
    return list(await connection.execute(query))


async def waiting_pairs(connection: AsyncConnection, messages: Sequence[str]) -> set[tuple[str, str]]:
    """Name the students and contacts whose decision waits for these messages' text."""
    query = select(decisions.c.student, decisions.c.contact).where(
        decisions.c.message.in_(messages), decisions.c.rule == TEXT_CHECK
    )
    return {(row.student, row.contact) for row in await connection.execute(query)}


async def confirmed_texts(
    connection: AsyncConnection, school: str, notification: str, people: Collection[str]
) -> set[tuple[str, str]]:
    """Name the students and contacts for whom somebody has confirmed the notification's text."""
    query = select(chronology.c.student, chronology.c.contact, chronology.c.detail).where(
        chronology.c.school == school, chronology.c.contact.in_(people), chronology.c.event == _CONFIRMED
    )
    return {
        (row.student, row.contact)
        for row in await connection.execute(query)
        if msgspec.json.decode(row.detail)["notification"] == notification
    }


async def let_go(connection: AsyncConnection, ids: Sequence[str], *, now: dt.datetime, version: int) -> None:
    """Queue deliveries, due at once."""
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.state == "held")
        .values(state="queued", due_at=now, changed_at=now, code=None, detail=None, directory_version=version)
    )


async def confirm_texts(
    connection: AsyncConnection,
    school: str,
    notification: str,
    decided: Sequence[Decision],
    *,
    by: str,
    reason: str,
    at: dt.datetime,
) -> None:
    """Give decisions back what the rules say, close their tasks, and record who confirmed the text and why."""
    for decision in decided:
        pair = (decisions.c.student == decision.student, decisions.c.contact == decision.contact)
        await connection.execute(
            update(decisions)
            .where(decisions.c.notification == notification, *pair)
            .values(outcome=decision.outcome.value, rule=decision.rule, reason=decision.reason, at=at)
        )
        about = (tasks.c.student == decision.student, tasks.c.contact == decision.contact)
        open_ones = (tasks.c.notification == notification, tasks.c.kind == "decide_hold", tasks.c.done_at.is_(None))
        await connection.execute(update(tasks).where(*open_ones, *about).values(done_at=at))
    detail = msgspec.json.encode({"notification": notification, "by": by, "reason": reason}).decode()
    if not decided:
        return
    await connection.execute(
        insert(chronology),
        [
            {
                "school": school,
                "at": at,
                "student": decision.student,
                "contact": decision.contact,
                "event": _CONFIRMED,
                "detail": detail,
            }
            for decision in decided
        ],
    )
