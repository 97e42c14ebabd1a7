"""Loading the people a batch of deliveries is for and about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Contact, ContactPoint, School, Student
from gateway.store.bulk import one_of
from gateway.store.people import load_points
from gateway.store.tables import contact_points, contacts, students


@dataclass(frozen=True, kw_only=True)
class People:
    """Directory rows by id."""

    contacts: Mapping[str, Contact]
    students: Mapping[str, Student]
    points: Mapping[str, ContactPoint]


async def load_people(
    connection: AsyncConnection,
    school: School,
    *,
    contacts: Collection[str],
    students: Collection[str],
    points: Collection[str],
) -> People:
    """Load these contacts, students and contact points."""
    found = await load_points(connection, school, one_of(connection, contact_points.c.id, points))
    return People(
        contacts={row.id: row for row in await _rows(connection, _CONTACTS, Contact, school.id, contacts)},
        students={row.id: row for row in await _rows(connection, _STUDENTS, Student, school.id, students)},
        points={point.id: point for point in found},
    )


_CONTACTS, _STUDENTS = contacts, students
_Person = TypeVar("_Person", Contact, Student)


async def _rows(
    connection: AsyncConnection, table: Table, kind: type[_Person], school: str, ids: Collection[str]
) -> list[_Person]:
    query = select(table.c.document).where(table.c.school == school, one_of(connection, table.c.id, ids))
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(document) for document in (await connection.execute(query)).scalars().all()]
