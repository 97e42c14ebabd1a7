"""Replies on record: what people write back, each once, with what they enclosed (R40)."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Receipt
from gateway.directory.addresses import address_key, country_of
from gateway.directory.model import ChannelName, School
from gateway.directory.places import key_of
from gateway.store.bulk import Record, insert_new
from gateway.store.people import load_points, load_school
from gateway.store.tables import (
    chronology,
    contact_points,
    deliveries,
    messages,
    notifications,
    receipts,
    replies,
    reply_enclosures,
    schools,
)

_LIKE = {ChannelName.SMS: ("sms", "voice"), ChannelName.VOICE: ("sms", "voice")}
"""Channels whose addresses are of one kind."""


async def deliveries_answered(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Any]:
    """Find deliveries that were answered, each with its category, its students, and its school's document."""
    if not ids:
        return {}
    query = (
        select(
            deliveries.c.id,
            deliveries.c.school,
            deliveries.c.notification,
            deliveries.c.message,
            deliveries.c.contact,
            deliveries.c.channel,
            notifications.c.category,
            messages.c.students,
            schools.c.document.label("school_document"),
        )
        .join(notifications, notifications.c.id == deliveries.c.notification)
        .join(messages, messages.c.id == deliveries.c.message)
        .join(schools, schools.c.id == deliveries.c.school)
        .where(deliveries.c.id.in_(ids))
    )
    return {row.id: row for row in await connection.execute(query)}


async def lone_school(connection: AsyncConnection) -> Any:
    """Give the installation's school (`school`, `school_document`) if it has exactly one, else None."""
    query = select(schools.c.id.label("school"), schools.c.document.label("school_document")).limit(2)
    found = list(await connection.execute(query))
    return found[0] if len(found) == 1 else None


async def school_of(connection: AsyncConnection, school: str) -> Any:
    """Give a school (`school`, `school_document`), or None when there is no such school."""
    query = select(schools.c.id.label("school"), schools.c.document.label("school_document"))
    return (await connection.execute(query.where(schools.c.id == school))).one_or_none()


def points_at(school: School, channel: ChannelName, address: str) -> tuple[ColumnElement[bool], ...]:
    """Match the contact points, of whomever, that are at an address."""
    table = contact_points.c
    return (
        table.school == school.id,
        table.channel.in_(_LIKE.get(channel, (channel.value,))),
        table.address_key == address_key(channel, address, country_of(school.jurisdiction)),
        table.ended_at.is_(None),
    )


async def writes_from(
    connection: AsyncConnection, school: School, contact: str, channel: ChannelName, address: str
) -> bool:
    """Tell whether an address is one of the contact's own."""
    query = select(contact_points.c.id).where(*points_at(school, channel, address), contact_points.c.contact == contact)
    return (await connection.execute(query.limit(1))).first() is not None


async def known_events(connection: AsyncConnection, events: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Pick those, by provider and event id, that are on record already."""
    key = tuple_(replies.c.provider, replies.c.event_id)
    query = select(replies.c.provider, replies.c.event_id).where(key.in_(list(events)))
    return {(row.provider, row.event_id) for row in await connection.execute(query)}


async def is_told(connection: AsyncConnection, receipt: Receipt) -> bool:
    """Tell whether an event is on record already."""
    same = (receipts.c.provider == receipt.provider, receipts.c.event_id == receipt.event_id)
    return (await connection.execute(select(receipts.c.provider).where(*same))).first() is not None


async def keep_replies(connection: AsyncConnection, rows: Sequence[Record], enclosures: Iterable[Record]) -> set[str]:
    """Store replies that were not told before, with their enclosures; gives the ids of those that are new."""
    new = {identifier for (identifier,) in await insert_new(connection, replies, rows)}
    kept = [enclosure for enclosure in enclosures if enclosure["reply"] in new]
    if kept:
        await connection.execute(insert(reply_enclosures), kept)
    return new


async def enter_reply(connection: AsyncConnection, reply: Record, students: Sequence[str]) -> None:
    """Write into the chronology of the contact and the students that there is a reply; its words stay out of it."""
    detail = {name: reply[name] for name in ("notification", "delivery", "channel")} | {"reply": reply["id"]}
    entry = {
        "school": reply["school"],
        "at": reply["received_at"],
        "contact": reply["contact"],
        "event": "reply_received",
        "detail": msgspec.json.encode(detail).decode(),
    }
    await connection.execute(insert(chronology), [entry | {"student": student} for student in students or (None,)])


async def number_of_replies(connection: AsyncConnection, delivery: str, *, since: dt.datetime) -> int:
    """Count what has come in answer to one delivery."""
    query = select(func.count()).where(replies.c.delivery == delivery, replies.c.received_at >= since)
    return int((await connection.execute(query)).scalar_one())


async def find_reply(connection: AsyncConnection, school: str, reply: str) -> Row[Any] | None:
    """Find a reply to this school."""
    query = select(replies).where(replies.c.school == school, replies.c.id == reply)
    return (await connection.execute(query)).one_or_none()


async def list_replies(
    connection: AsyncConnection,
    school: str,
    *,
    is_open: bool | None = None,
    notification: str | None = None,
    contact: str | None = None,
    after: tuple[str, ...] = (),
    limit: int = 100,
) -> list[Row[Any]]:
    """List replies in the order in which they came, without their words; `after` holds the id of the last one seen."""
    query = select(*(column for column in replies.c if column is not replies.c.body)).where(replies.c.school == school)
    if is_open is not None:
        query = query.where(replies.c.answered_at.is_(None) if is_open else replies.c.answered_at.is_not(None))
    for column, wanted in ((replies.c.notification, notification), (replies.c.contact, contact)):
        if wanted is not None:
            query = query.where(column == wanted)
    if after:
        query = query.where(replies.c.id > after[0])
    return list(await connection.execute(query.order_by(replies.c.id).limit(limit)))


async def secret_writers(connection: AsyncConnection, school: str, rows: Sequence[Any]) -> set[str]:
    """Pick replies whose writer's address may not be shown (R36).

    It is a confidential contact point of somebody's, or may be one: its contact has one on this channel.
    """
    known = await load_school(connection, school)
    if known is None or not rows:
        return set()
    country, table = country_of(known[0].jurisdiction), contact_points.c
    keys = {row.id: address_key(ChannelName(row.channel), row.writer, country) for row in rows}
    near = or_(table.address_key.in_(set(keys.values())), table.contact.in_({row.contact for row in rows}))
    points = [point for point in await load_points(connection, known[0], near) if point.confidential]
    hidden = {key_of(known[0], point) for point in points}
    careful = {(point.contact, point.channel.value) for point in points}
    return {row.id for row in rows if keys[row.id] in hidden or (row.contact, row.channel) in careful}


async def enclosures_of(connection: AsyncConnection, ids: Collection[str]) -> list[Row[Any]]:
    """List what was sent along with some replies, without the contents."""
    table = reply_enclosures.c
    query = select(table.reply, table.number, table.name, table.content_type, table.size)
    return list(await connection.execute(query.where(table.reply.in_(ids)).order_by(table.reply, table.number)))


async def find_enclosure(connection: AsyncConnection, school: str, reply: str, number: int) -> Row[Any] | None:
    """Find one file that came with a reply to this school."""
    query = (
        select(reply_enclosures)
        .join(replies, replies.c.id == reply_enclosures.c.reply)
        .where(replies.c.school == school, replies.c.id == reply, reply_enclosures.c.number == number)
    )
    return (await connection.execute(query)).one_or_none()


async def close_reply(connection: AsyncConnection, reply: str, *, by: str, at: dt.datetime) -> bool:
    """Note that somebody has dealt with a reply; says whether it was still open."""
    closed = await connection.execute(
        update(replies)
        .where(replies.c.id == reply, replies.c.answered_at.is_(None))
        .values(answered_at=at, handled_by=by)
    )
    return closed.rowcount == 1
