"""What is on record of contacts' places, for the notice that their details changed (R37)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Contact
from gateway.rules.address_change import Arrival, Place
from gateway.store.inserting import insert_new
from gateway.store.openings import Opening
from gateway.store.tables import (
    contact_points,
    contacts,
    decisions,
    deliveries,
    document_openings,
    notifications,
    relationships,
)

_AT_A_TIME = 5_000
"""Ids in one statement; both databases take some 32,000 parameters."""


async def places_on_record(
    connection: AsyncConnection, school: str, people: Collection[str]
) -> dict[str, frozenset[Place]]:
    """Give the places of those of these contacts who are on record; of one who has ended, what they had at the end."""
    found: defaultdict[str, set[Place]] = defaultdict(set)
    for some in _portions(people):
        known = select(contacts.c.id).where(contacts.c.school == school, contacts.c.id.in_(some))
        for contact in (await connection.execute(known)).scalars():
            found[contact] = set()
        query = (
            select(contact_points.c.contact, contact_points.c.channel, contact_points.c.address_key)
            .join(
                contacts, and_(contacts.c.school == contact_points.c.school, contacts.c.id == contact_points.c.contact)
            )
            .where(
                contact_points.c.school == school,
                contact_points.c.contact.in_(some),
                or_(contact_points.c.ended_at.is_(None), contacts.c.ended_at.is_not(None)),
            )
        )
        for row in await connection.execute(query):
            found[row.contact].add((row.channel, row.address_key))
    return {contact: frozenset(places) for contact, places in found.items()}


async def living(connection: AsyncConnection, school: str, people: Collection[str]) -> set[str]:
    """Pick the contacts who are still in the directory and alive."""
    alive = set()
    for some in _portions(people):
        query = select(contacts.c.document).where(
            contacts.c.school == school, contacts.c.id.in_(some), contacts.c.ended_at.is_(None)
        )
        found = [
            msgspec.json.decode(document, type=Contact) for document in (await connection.execute(query)).scalars()
        ]
        alive |= {contact.id for contact in found if not contact.deceased}
    return alive


async def students_of(connection: AsyncConnection, school: str, people: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Name the students whom each of these contacts is related to, in order of id."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for some in _portions(people):
        query = select(relationships.c.contact, relationships.c.student).where(
            relationships.c.school == school, relationships.c.contact.in_(some), relationships.c.ended_at.is_(None)
        )
        for row in await connection.execute(query):
            found[row.contact].add(row.student)
    return {contact: tuple(sorted(students)) for contact, students in found.items()}


async def shared_addresses(connection: AsyncConnection, school: str, people: Collection[str]) -> set[tuple[str, str]]:
    """Name contact and normalised address where somebody else has it too, dead or alive: who reads there is unknown."""
    shared = set()
    mine, theirs = contact_points.alias().c, contact_points.alias().c
    for some in _portions(people):
        query = select(mine.contact, mine.address_key).where(
            mine.school == school,
            mine.contact.in_(some),
            mine.ended_at.is_(None),
            theirs.school == school,
            theirs.address_key == mine.address_key,
            theirs.contact != mine.contact,
            theirs.ended_at.is_(None),
        )
        shared |= {(row.contact, row.address_key) for row in await connection.execute(query)}
    return shared


async def arrivals(
    connection: AsyncConnection, school: str, people: Collection[str], *, since: dt.datetime
) -> dict[tuple[str, str], list[Arrival]]:
    """List what went to these contacts and was not refused, by contact and place (`place_of`)."""
    found: defaultdict[tuple[str, str], list[Arrival]] = defaultdict(list)
    sent, opening = deliveries.c, document_openings.c
    opened = exists().where(opening.delivery == sent.id, opening.outcome == Opening.OPENED.value)
    for some in _portions(people):
        # By way of the decisions, which are indexed by contact.
        query = (
            select(sent.id, sent.contact, sent.place, sent.state, sent.changed_at, opened.label("opened"))
            .join(decisions, decisions.c.message == sent.message)
            .where(
                decisions.c.school == school,
                decisions.c.contact.in_(some),
                decisions.c.at >= since,
                sent.place.is_not(None),
                or_(sent.state.in_(("sent", "delivered")), opened),
            )
            .distinct()
        )
        for row in await connection.execute(query):
            arrival = Arrival(
                at=row.changed_at,
                delivered=row.state == "delivered",
                opened=row.opened,
                accepted=row.state == "sent",
            )
            found[row.contact, row.place].append(arrival)
    return dict(found)


async def add_notices(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Record notifications whose ids are derived from what they tell: none is recorded twice."""
    await insert_new(connection, notifications, rows)


def _portions(ids: Collection[str]) -> Iterator[list[str]]:
    every = sorted(ids)
    for start in range(0, len(every), _AT_A_TIME):
        yield every[start : start + _AT_A_TIME]
