"""What screens and other systems read: decisions, deliveries with their timelines, chronologies; cursor-paged."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, String, and_, cast, func, literal, null, or_, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import (
    attempts,
    chronology,
    decisions,
    deliveries,
    delivery_events,
    messages,
    notification_students,
    notifications,
    relationships,
)


async def list_decisions(
    connection: AsyncConnection, notification: str, *, after: tuple[str, ...], limit: int
) -> list[Row[Any]]:
    """List decisions by student and contact."""
    query = select(decisions).where(decisions.c.notification == notification)
    if after:
        query = query.where(tuple_(decisions.c.student, decisions.c.contact) > tuple_(*map(literal, after)))
    query = query.order_by(decisions.c.student, decisions.c.contact).limit(limit)
    return list(await connection.execute(query))


async def list_deliveries(
    connection: AsyncConnection, notification: str, *, after: tuple[str, ...], limit: int
) -> list[Row[Any]]:
    """List deliveries by id, with the students of their messages."""
    query = select(deliveries, messages.c.students).join(messages, messages.c.id == deliveries.c.message)
    query = query.where(deliveries.c.notification == notification)
    if after:
        query = query.where(deliveries.c.id > after[0])
    return list(await connection.execute(query.order_by(deliveries.c.id).limit(limit)))


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a delivery's timeline."""

    at: dt.datetime
    state: str
    detail: str | None = None


_STATE_AFTER = {
    "accepted": "sent",
    "postponed": "retrying",
    "refused": "failed",
    "no_answer": "unknown",
    "expired": "expired",
}
"""The state an attempt's outcome led to."""


async def load_timelines(connection: AsyncConnection, rows: Sequence[Any]) -> dict[str, list[Moment]]:
    """Tell each delivery's story: planned, handed over, answered, and what providers said later."""
    ids = [row.id for row in rows]
    stories: dict[str, list[Moment]] = defaultdict(list)
    for row in rows:
        stories[row.id].append(Moment(at=row.created_at, state="queued"))
    tries = await connection.execute(select(attempts).where(attempts.c.delivery.in_(ids)).order_by(attempts.c.number))
    for row in tries:
        stories[row.delivery].append(Moment(at=row.started_at, state="sending", detail=f"Attempt {row.number}."))
        if row.answered_at is not None:
            state = _STATE_AFTER.get(row.outcome, row.outcome)
            stories[row.delivery].append(Moment(at=row.answered_at, state=state, detail=row.detail))
    events = await connection.execute(
        select(delivery_events).where(delivery_events.c.delivery.in_(ids)).order_by(delivery_events.c.id)
    )
    for row in events:
        stories[row.delivery].append(Moment(at=row.at, state=row.state, detail=row.detail or row.news))
    return {key: sorted(story, key=lambda moment: moment.at) for key, story in stories.items()}


async def count_by_channel(connection: AsyncConnection, notification: str) -> list[Row[Any]]:
    """Count deliveries by channel, language and state."""
    grouping = (deliveries.c.channel, deliveries.c.language, deliveries.c.state)
    query = (
        select(*grouping, func.count().label("number"))
        .where(deliveries.c.notification == notification)
        .group_by(*grouping)
        .order_by(*grouping)
    )
    return list(await connection.execute(query))


async def count_by_reason(connection: AsyncConnection, notification: str) -> list[Row[Any]]:
    """Count the decisions that sent nothing, by outcome, rule and reason."""
    grouping = (decisions.c.outcome, decisions.c.rule, decisions.c.reason)
    query = (
        select(*grouping, func.count().label("number"))
        .where(decisions.c.notification == notification, decisions.c.outcome != "send")
        .group_by(*grouping)
        .order_by(*grouping)
    )
    return list(await connection.execute(query))


async def count_candidates(connection: AsyncConnection, notification: str) -> int:
    """Count from the directory itself who had to be decided about: each pair with a relationship row.

    An independent check of the decisions: both numbers must be equal.
    """
    pairs = (
        select(relationships.c.student, relationships.c.contact)
        .join(
            notification_students,
            and_(
                notification_students.c.notification == notification,
                notification_students.c.student == relationships.c.student,
            ),
        )
        .join(notifications, notifications.c.id == notification_students.c.notification)
        .where(relationships.c.school == notifications.c.school)
        .distinct()
        .subquery()
    )
    return int((await connection.execute(select(func.count()).select_from(pairs))).scalar_one())


async def list_chronology(
    connection: AsyncConnection,
    school: str,
    *,
    person: str,
    is_student: bool,
    after: tuple[str, ...],
    limit: int,
) -> list[Row[Any]]:
    """List everything that happened about one contact or one student, oldest first.

    Decisions, attempts, receipts and changes of the record are kept where they happen and joined here. Each entry
    has `at`, `kind`, `key` (orders entries of one instant), `notification`, `other` (the other person), `delivery`,
    `event` and `detail`.
    """
    entries = union_all(
        _decisions(school, person, is_student=is_student),
        _attempts(school, person, is_student=is_student, answered=False),
        _attempts(school, person, is_student=is_student, answered=True),
        _events(school, person, is_student=is_student),
        _changes(school, person, is_student=is_student),
    ).subquery()
    query = select(entries)
    if after:
        at, kind, key = dt.datetime.fromisoformat(after[0]), after[1], after[2]
        query = query.where(
            or_(
                entries.c.at > at,
                and_(entries.c.at == at, entries.c.kind > kind),
                and_(entries.c.at == at, entries.c.kind == kind, entries.c.key > key),
            )
        )
    query = query.order_by(entries.c.at, entries.c.kind, entries.c.key).limit(limit)
    return list(await connection.execute(query))


def _decisions(school: str, person: str, *, is_student: bool) -> Any:
    own, other = _sides(decisions, is_student=is_student)
    return select(
        decisions.c.at.label("at"),
        literal("decision").label("kind"),
        (decisions.c.notification + "/" + other).label("key"),
        decisions.c.notification.label("notification"),
        other.label("other"),
        cast(null(), String).label("delivery"),
        decisions.c.outcome.label("event"),
        (decisions.c.rule + ": " + decisions.c.reason).label("detail"),
    ).where(decisions.c.school == school, own == person)


def _mine(person: str, *, is_student: bool) -> Any:
    """Match the deliveries to a contact, or about a student."""
    if not is_student:
        return deliveries.c.contact == person
    about = select(decisions.c.message).where(decisions.c.student == person, decisions.c.message.is_not(None))
    return deliveries.c.message.in_(about)


def _attempts(school: str, person: str, *, is_student: bool, answered: bool) -> Any:
    number = cast(attempts.c.number, String)
    at, kind = (attempts.c.answered_at, "attempt_answer") if answered else (attempts.c.started_at, "attempt")
    query = (
        select(
            at.label("at"),
            literal(kind).label("kind"),
            (attempts.c.delivery + "/" + number).label("key"),
            deliveries.c.notification.label("notification"),
            deliveries.c.contact.label("other") if is_student else cast(null(), String).label("other"),
            attempts.c.delivery.label("delivery"),
            (attempts.c.outcome if answered else literal("handed_over")).label("event"),
            (attempts.c.detail if answered else deliveries.c.channel).label("detail"),
        )
        .join(deliveries, deliveries.c.id == attempts.c.delivery)
        .where(deliveries.c.school == school, _mine(person, is_student=is_student))
    )
    return query.where(attempts.c.answered_at.is_not(None)) if answered else query


def _events(school: str, person: str, *, is_student: bool) -> Any:
    return (
        select(
            delivery_events.c.at.label("at"),
            literal("delivery").label("kind"),
            (delivery_events.c.delivery + "/" + cast(delivery_events.c.id, String)).label("key"),
            deliveries.c.notification.label("notification"),
            deliveries.c.contact.label("other") if is_student else cast(null(), String).label("other"),
            delivery_events.c.delivery.label("delivery"),
            delivery_events.c.news.label("event"),
            delivery_events.c.detail.label("detail"),
        )
        .join(deliveries, deliveries.c.id == delivery_events.c.delivery)
        .where(deliveries.c.school == school, _mine(person, is_student=is_student))
    )


def _changes(school: str, person: str, *, is_student: bool) -> Any:
    own, other = _sides(chronology, is_student=is_student)
    return select(
        chronology.c.at.label("at"),
        literal("record").label("kind"),
        cast(chronology.c.id, String).label("key"),
        cast(null(), String).label("notification"),
        other.label("other"),
        cast(null(), String).label("delivery"),
        chronology.c.event.label("event"),
        chronology.c.detail.label("detail"),
    ).where(chronology.c.school == school, own == person)


def _sides(table: Any, *, is_student: bool) -> tuple[Any, Any]:
    """Give the column that must be the person, and the one that names the other."""
    return (table.c.student, table.c.contact) if is_student else (table.c.contact, table.c.student)
