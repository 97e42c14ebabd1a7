"""The contacts' own wishes on record (R21): `people` lays them over the directory whenever contacts are loaded."""

import datetime as dt
from collections.abc import Collection

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Category
from gateway.store.roster import raise_version
from gateway.store.tables import chronology, contacts, wishes


async def opt_out(
    connection: AsyncConnection,
    school: str,
    people: Collection[str],
    category: Category,
    *,
    origin: str,
    at: dt.datetime,
) -> list[str]:
    """Record that these contacts want no more of a category; gives those for whom that is new.

    The directory's version rises, so that what is on its way is decided again before it leaves (R44).
    """
    new = sorted(set(people) - await _opted_out(connection, school, people, category))
    if not new:
        return []
    same = (wishes.c.school == school, wishes.c.contact.in_(new), wishes.c.category == category.value)
    await connection.execute(delete(wishes).where(*same))
    wish = {"school": school, "category": category.value, "opted_out": True, "at": at, "origin": origin}
    await connection.execute(insert(wishes), [wish | {"contact": contact} for contact in new])
    detail = msgspec.json.encode({"category": category, "opted_out": True, "origin": origin}).decode()
    await connection.execute(
        insert(chronology),
        [
            {"school": school, "at": at, "contact": contact, "event": "wish_recorded", "detail": detail}
            for contact in new
        ],
    )
    await raise_version(connection, school, at=at)
    return new


async def _opted_out(connection: AsyncConnection, school: str, people: Collection[str], category: Category) -> set[str]:
    """Name who has said so already; their rows are locked, so that a click repeated at once waits for the first."""
    locked = select(contacts.c.id).where(contacts.c.school == school, contacts.c.id.in_(people)).order_by(contacts.c.id)
    await connection.execute(locked.with_for_update())
    query = select(wishes.c.contact).where(
        wishes.c.school == school,
        wishes.c.contact.in_(people),
        wishes.c.category == category.value,
        wishes.c.opted_out,
    )
    return set((await connection.execute(query)).scalars())
