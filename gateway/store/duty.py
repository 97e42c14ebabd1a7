"""The duty roster on record: whom a school's life-safety holds page (R45)."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import chronology, duty_contacts, schools


async def list_duty(connection: AsyncConnection, of: Collection[str]) -> list[Row[Any]]:
    """List everybody on the rosters of these schools (`school`, `document`), in order of id."""
    query = select(duty_contacts).where(duty_contacts.c.school.in_(of))
    return list(await connection.execute(query.order_by(duty_contacts.c.school, duty_contacts.c.id)))


async def replace_duty(
    connection: AsyncConnection, school: str, rows: Sequence[dict[str, Any]], *, by: str, at: dt.datetime
) -> None:
    """Put a new roster in place of the old one; that it changed is on record, not who is on it."""
    await connection.execute(delete(duty_contacts).where(duty_contacts.c.school == school))
    if rows:
        await connection.execute(insert(duty_contacts), list(rows))
    detail = msgspec.json.encode({"by": by, "people": len(rows)}).decode()
    await connection.execute(
        insert(chronology).values(school=school, at=at, event="duty_roster_changed", detail=detail)
    )


async def schools_without(connection: AsyncConnection, role: str) -> list[str]:
    """Name the schools that have nobody of this role on their roster."""
    somebody = select(duty_contacts.c.id).where(duty_contacts.c.school == schools.c.id, duty_contacts.c.role == role)
    query = select(schools.c.id).where(~somebody.exists()).order_by(schools.c.id)
    return list((await connection.execute(query)).scalars())
