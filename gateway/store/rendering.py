"""Loading what a batch of deliveries is for and about: two statements, built once, whatever the number of rows.

The documents were checked when they came in, so they are decoded without the patterns of their texts, which would
take three quarters of the time.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, bindparam, false, literal_column, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Contact, ContactPoint, PostalAddress, Student
from gateway.store.bulk import given, has_arrays
from gateway.store.tables import contact_points, contacts, deliveries, messages, students


class Addressee(msgspec.Struct, kw_only=True, gc=False):
    """Who and what one delivery is for."""

    message: Any
    """Its `language`, and as JSON texts its `students` and `formats`."""
    contact: Contact
    point: ContactPoint | None
    """As the directory has it, whatever providers say of it since; None where the directory has it no more."""
    companions: tuple[Contact, ...] = ()
    """Whose deliveries travel inside this one, still in force."""
    apart: bool = False
    """Whether any of these is neutral."""


class _KnownContact(Contact, frozen=True):
    id: str
    title: str = ""
    given_name: str = ""
    family_name: str = ""


class _KnownStudent(Student, frozen=True):
    id: str
    given_name: str = ""
    family_name: str = ""


class _KnownAddress(PostalAddress, frozen=True):
    lines: tuple[str, ...]
    postcode: str = ""
    country: str = "GB"


class _KnownPoint(ContactPoint, frozen=True):
    id: str
    contact: str
    address: str | _KnownAddress


_CONTACT = msgspec.json.Decoder(_KnownContact)
_STUDENT = msgspec.json.Decoder(_KnownStudent)
_POINT = msgspec.json.Decoder(_KnownPoint)


async def load_addressees(connection: AsyncConnection, ids: Collection[str]) -> Mapping[str, Addressee]:
    """Load the addressees of deliveries by the delivery's id."""
    rows = (await connection.execute(_addressees(has_arrays(connection)), {"ids": list(ids)})).all()
    found: dict[str, Addressee] = {}
    followers: list[Any] = []
    for row in rows:
        if row.follows:
            followers.append(row)
            continue
        found[row.delivery] = Addressee(
            message=row,
            contact=_CONTACT.decode(row.contact),
            point=None if row.point is None else _POINT.decode(row.point),
        )
    for row in sorted(followers, key=lambda row: str(row.contact_id)):
        carrier = found[row.delivery]
        carrier.companions += (_CONTACT.decode(row.contact),)
        carrier.apart |= row.neutral
    return found


async def load_students(connection: AsyncConnection, school: str, ids: Collection[str]) -> Mapping[str, Student]:
    """Load students of a school by id."""
    query = _students(has_arrays(connection))
    rows = (await connection.execute(query, {"school": school, "ids": list(ids)})).all()
    return {student.id: student for student in [_STUDENT.decode(row.document) for row in rows]}


@cache
def _addressees(arrays: bool) -> Any:  # noqa: FBT001  # the dialect
    """Find deliveries by id, and those that travel inside them."""
    own = (
        select(
            deliveries.c.id.label("delivery"),
            false().label("follows"),
            deliveries.c.neutral,
            deliveries.c.contact.label("contact_id"),
            messages.c.language,
            messages.c.formats,
            messages.c.students,
            contacts.c.document.label("contact"),
            contact_points.c.document.label("point"),
        )
        .join(messages, messages.c.id == deliveries.c.message)
        .join(contacts, _is_of(contacts))
        .outerjoin(contact_points, and_(_is_of(contact_points, "point"), contact_points.c.ended_at.is_(None)))
        .where(given(arrays, deliveries.c.id, "ids"))
    )
    nothing: ColumnElement[str] = literal_column("''")
    carried = (
        select(
            deliveries.c.merged_into,
            true(),
            deliveries.c.neutral,
            deliveries.c.contact,
            nothing,
            nothing,
            nothing,
            contacts.c.document,
            nothing,
        )
        .join(contacts, _is_of(contacts))
        .where(given(arrays, deliveries.c.merged_into, "ids"), deliveries.c.state.not_in(("suppressed", "cancelled")))
    )
    return union_all(own, carried)


def _is_of(table: Any, column: str = "contact") -> Any:
    """Join a person's table to what deliveries name in this column."""
    return and_(table.c.school == deliveries.c.school, table.c.id == deliveries.c[column])


@cache
def _students(arrays: bool) -> Select[tuple[str]]:  # noqa: FBT001  # the dialect
    return select(students.c.document).where(
        students.c.school == bindparam("school"), given(arrays, students.c.id, "ids")
    )
