"""The school of the benchmarks: two parents a child, a mailbox each, who may be written to at any hour."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from gateway.directory.model import (
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Preferences,
    Relationship,
    School,
    Student,
)
from gateway.directory.places import key_of
from gateway.store.tables import contact_points, contacts, relationships, schools, students
from tests.bench.servers import connect

SCHOOL = School(id="bench", name="Weir Street School")
_ANY_HOUR = Preferences(quiet_hours=None)
_SLICE = 100_000
"""Rows written at once: a million contacts must not all be in memory."""


def student(number: int) -> str:
    """Name a student."""
    return f"s{number:07}"


def _parents(families: int) -> Iterator[tuple[int, int, str]]:
    return ((number, 2 * number + one, f"c{number:07}{'ab'[one]}") for number in range(families) for one in (0, 1))


def _students(families: int) -> Iterator[Student]:
    born = dt.date(2014, 3, 1)
    return (Student(id=student(number), given_name="Robin", birth_date=born) for number in range(families))


def _contacts(families: int) -> Iterator[Contact]:
    return (
        Contact(id=contact, given_name="Sam", family_name=f"Weir {order}", preferences=_ANY_HOUR)
        for _, order, contact in _parents(families)
    )


def _points(families: int, mobiles: int) -> Iterator[ContactPoint]:
    for _, order, contact in _parents(families):
        address = f"{contact}@example.org"
        yield ContactPoint(id=f"{contact}-e", contact=contact, channel=ChannelName.EMAIL, address=address)
        if order < mobiles:
            number = f"+4477009{order:05}"
            yield ContactPoint(id=f"{contact}-m", contact=contact, channel=ChannelName.SMS, address=number)


def _relationships(families: int) -> Iterator[Relationship]:
    return (
        Relationship(student=student(number), contact=contact, natural_parent=True)
        for number, _, contact in _parents(families)
    )


def school_document(contacts_: int) -> bytes:
    """Write the directory document of a school with so many contacts, for `PUT /v1/directory`."""
    families = contacts_ // 2
    return msgspec.json.encode(
        Directory(
            school=SCHOOL,
            students=tuple(_students(families)),
            contacts=tuple(_contacts(families)),
            contact_points=tuple(_points(families, 0)),
            relationships=tuple(_relationships(families)),
        )
    )


async def write_school(database_url: str, contacts_: int, *, mobiles: int = 0) -> None:
    """Put a school of any size straight into the tables, which takes the seconds that an upload takes minutes."""
    families = contacts_ // 2
    connection = await connect(database_url)

    async def copy(table: Any, rows: Iterable[Any], columns: Callable[[Any], dict[str, Any]]) -> None:
        names = [column.name for column in table.columns if column.name != "ended_at"]
        remaining = iter(rows)
        while piece := list(islice(remaining, _SLICE)):
            values = [
                {"school": SCHOOL.id, "document": msgspec.json.encode(row).decode()} | columns(row) for row in piece
            ]
            records = [tuple(row[name] for name in names) for row in values]
            await connection.copy_records_to_table(table.name, records=records, columns=names)

    try:
        version = {"id": SCHOOL.id, "version": 1, "changed_at": dt.datetime.now(dt.UTC)}
        await copy(schools, [SCHOOL], lambda _row: version)
        await copy(students, _students(families), lambda row: {"id": row.id})
        await copy(contacts, _contacts(families), lambda row: {"id": row.id})
        await copy(
            contact_points,
            _points(families, mobiles),
            lambda row: {
                "id": row.id,
                "contact": row.contact,
                "channel": row.channel.value,
                "address_key": key_of(SCHOOL, row),
            },
        )
        await copy(
            relationships,
            _relationships(families),
            lambda row: {"student": row.student, "contact": row.contact, "started": "", "is_self": False},
        )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
