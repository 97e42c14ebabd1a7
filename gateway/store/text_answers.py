"""Texts that come in: whose number it is, which message they answer, and what was asked for with one word."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inbound
from gateway.directory.model import ChannelName, ContactPoint, PointState
from gateway.directory.places import place_at
from gateway.store.inserting import insert_new, tolerant_insert
from gateway.store.tables import (
    attempts,
    chronology,
    contact_points,
    contacts,
    decisions,
    deliveries,
    point_marks,
    schools,
    text_wishes,
)

_NUMBERS = ("sms", "voice")
_PLANNED_BEFORE = dt.timedelta(days=14)
"""How long a text may have waited after it was decided: quiet hours, an embargo, a hold."""

_STOP = "stop"
_SAID_STOP = (_STOP, "opted_out", "21610")
"""Why a number is blocked when its owner asked for it: said to us, or to the provider who then refused our texts."""

_UNWANTED = (PointState.OPTED_OUT, PointState.CARRIER_BLOCKED)


async def holders_of(connection: AsyncConnection, number: str) -> list[Row[Any]]:
    """List who has or had a number (E.164), in every school: (school, contact, ended, document, school_document)."""
    point, person = contact_points.c, contacts.c
    query = (
        select(
            point.school,
            point.contact,
            # Whoever still has a point at the number counts as having it.
            (func.count() > func.count(func.coalesce(point.ended_at, person.ended_at))).label("current"),
            person.document,
            schools.c.document.label("school_document"),
        )
        .select_from(schools)
        .join(contact_points, and_(point.school == schools.c.id, point.address_key == number))
        .join(contacts, and_(person.school == point.school, person.id == point.contact))
        .where(point.channel.in_(_NUMBERS))
        .group_by(point.school, point.contact, person.document, schools.c.document)
        .order_by(point.school, point.contact)
    )
    return list(await connection.execute(query))


async def latest_text(
    connection: AsyncConnection,
    people: Collection[tuple[str, str]],
    number: str,
    *,
    provider: str,
    lanes: Collection[str],
    since: dt.datetime,
    until: dt.datetime,
) -> Row[Any] | None:
    """Find the text on these lanes that these (school, contact) were sent last at a number, by this provider.

    What left after `until` cannot have been answered then, however late the answer is told.
    """
    found = [
        row
        for school, contact in people
        for row in await connection.execute(_texts_to(school, contact, number, provider, lanes, since, until).limit(1))
    ]
    return max(found, key=lambda row: row.sent_at, default=None)


def _texts_to(
    school: str,
    contact: str,
    number: str,
    provider: str,
    lanes: Collection[str],
    since: dt.datetime,
    until: dt.datetime,
) -> Select[Any]:
    """Select the texts of one contact, by way of the decisions, which alone are found by contact."""
    tried = select(func.max(attempts.c.started_at)).where(
        attempts.c.delivery == deliveries.c.id, attempts.c.started_at <= until
    )
    sent_at = tried.correlate(deliveries).scalar_subquery()
    decided = select(decisions.c.message).where(
        decisions.c.school == school,
        decisions.c.contact == contact,
        decisions.c.at >= since - _PLANNED_BEFORE,
        decisions.c.message.is_not(None),
    )
    point = contact_points.c
    return (
        select(deliveries, sent_at.label("sent_at"))
        .join(contact_points, and_(point.school == deliveries.c.school, point.id == deliveries.c.point))
        .where(
            deliveries.c.message.in_(decided),
            deliveries.c.channel == ChannelName.SMS.value,
            point.address_key == number,
            # A point whose number was another one then.
            or_(deliveries.c.place.is_(None), deliveries.c.place == place_at(ChannelName.SMS, number)),
            deliveries.c.provider == provider,
            deliveries.c.lane.in_(lanes),
            deliveries.c.merged_into.is_(None),
            deliveries.c.state.in_(("sent", "delivered", "unknown")),
            sent_at >= since,
        )
        .order_by(sent_at.desc(), deliveries.c.id)
    )


async def knows_wish(connection: AsyncConnection, inbound: Inbound) -> bool:
    """Tell whether a text of one word is on record already: it is being told again."""
    same = (text_wishes.c.provider == inbound.provider, text_wishes.c.event_id == inbound.event_id)
    return (await connection.execute(select(text_wishes.c.at).where(*same))).first() is not None


async def enter_wish(
    connection: AsyncConnection, inbound: Inbound, wish: str, category: str | None, *, answered: bool
) -> bool:
    """Put a text of one word on record; False when another process was quicker."""
    row = {
        "provider": inbound.provider,
        "event_id": inbound.event_id,
        "number": inbound.sender[:40],
        "wish": wish,
        "category": category,
        "at": inbound.at,
        "answered": answered,
    }
    return bool(await insert_new(connection, text_wishes, [row]))


async def overtaken(connection: AsyncConnection, number: str, at: dt.datetime) -> bool:
    """Tell whether the number's owner has said STOP or START since then."""
    query = select(text_wishes.c.at).where(
        text_wishes.c.number == number,
        text_wishes.c.at > at,
        text_wishes.c.wish.in_(("stop", "start")),
        text_wishes.c.category.is_(None),
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def answered_since(connection: AsyncConnection, number: str, since: dt.datetime) -> list[str]:
    """List what a number was texted back for since then."""
    query = select(text_wishes.c.wish).where(
        text_wishes.c.number == number, text_wishes.c.at >= since, text_wishes.c.answered
    )
    return list((await connection.execute(query)).scalars())


async def is_blocked(connection: AsyncConnection, number: str) -> bool:
    """Tell whether any school may not text a number any more, as we were told or as a directory says."""
    query = select(point_marks.c.school).where(
        point_marks.c.school.in_(select(schools.c.id)),
        point_marks.c.channel == "sms",
        point_marks.c.address_key == number,
        point_marks.c.state == PointState.CARRIER_BLOCKED.value,
    )
    if (await connection.execute(query.limit(1))).first() is not None:
        return True
    point = contact_points.c
    on_record = select(point.document).where(
        point.school.in_(select(schools.c.id)),
        point.channel == "sms",
        point.address_key == number,
        point.ended_at.is_(None),
    )
    documents = (await connection.execute(on_record)).scalars()
    return any(msgspec.json.decode(document, type=ContactPoint).state in _UNWANTED for document in documents)


async def block_number(
    connection: AsyncConnection, school_ids: Collection[str], number: str, *, at: dt.datetime
) -> set[str]:
    """Let nobody at these schools be texted at a number (R33); gives the schools for which that is new."""
    # A later STOP counts from its own instant: a START from between the two, told late, must not lift it.
    await connection.execute(
        update(point_marks).where(*_said_stop(school_ids, number), point_marks.c.at < at).values(at=at)
    )
    new = set()
    for school in sorted(school_ids):
        mark = {"school": school, "channel": "sms", "address_key": number, "reason": _STOP, "at": at}
        statement = tolerant_insert(connection, point_marks).values(mark | {"state": PointState.CARRIER_BLOCKED.value})
        statement = statement.on_conflict_do_update(
            index_elements=["school", "channel", "address_key"],
            set_={name: statement.excluded[name] for name in ("state", "reason", "at")},
            where=point_marks.c.state != PointState.CARRIER_BLOCKED.value,
        ).returning(point_marks.c.school)
        new |= set((await connection.execute(statement)).scalars())
    return new


async def unblock_number(
    connection: AsyncConnection, school_ids: Collection[str], number: str, *, at: dt.datetime
) -> set[str]:
    """Take back what STOP did before that instant; gives the schools for which that is new."""
    statement = (
        delete(point_marks)
        .where(*_said_stop(school_ids, number), point_marks.c.at <= at)
        .returning(point_marks.c.school)
    )
    return set((await connection.execute(statement)).scalars())


def _said_stop(school_ids: Collection[str], number: str) -> list[ColumnElement[bool]]:
    mark = point_marks.c
    return [
        mark.school.in_(school_ids),
        mark.channel == "sms",
        mark.address_key == number,
        mark.state == PointState.CARRIER_BLOCKED.value,
        mark.reason.in_(_SAID_STOP),
    ]


async def enter_people(
    connection: AsyncConnection, people: Sequence[tuple[str, str]], event: str, *, at: dt.datetime
) -> None:
    """Write into the chronologies of these (school, contact) what was asked for at their number."""
    detail = msgspec.json.encode({"channel": "sms", "origin": "text"}).decode()
    rows = [
        {"school": school, "at": at, "contact": contact, "event": event, "detail": detail} for school, contact in people
    ]
    if rows:
        await connection.execute(insert(chronology), rows)
