"""Writing the directory: compare a document with what is on record, apply the difference, keep the chronology."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, and_, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.changes import COLLECTIONS, Changes, CollectionChanges, Key, Recorded, compare
from gateway.directory.model import Contact, ContactPoint, Directory, School
from gateway.directory.places import key_of
from gateway.store.tables import (
    chronology,
    contact_points,
    contacts,
    household_members,
    households,
    placement_plans,
    relationships,
    restrictions,
    schools,
    student_groups,
    students,
)

_TABLES: Mapping[str, tuple[Table, tuple[str, ...]]] = {
    "students": (students, ("id",)),
    "contacts": (contacts, ("id",)),
    "contact_points": (contact_points, ("id",)),
    "households": (households, ("id",)),
    "relationships": (relationships, ("student", "contact", "started")),
    "restrictions": (restrictions, ("id",)),
    "placement_plans": (placement_plans, ("student", "contact")),
}


async def compare_directory(
    connection: AsyncConnection,
    directory: Directory,
    *,
    today: dt.date,
    mentioned: frozenset[tuple[str, Key]] = frozenset(),
) -> Changes:
    """Find out what the document would change; writes nothing."""
    recorded = {}
    for collection in COLLECTIONS:
        table, keys = _TABLES[collection.name]
        query = select(table.c.document, table.c.ended_at, *(table.c[key] for key in keys)).where(
            table.c.school == directory.school.id
        )
        recorded[collection.name] = {
            tuple(row[2:]): Recorded(document=row.document.encode(), ended=row.ended_at is not None)
            for row in await connection.execute(query)
        }
    return compare(recorded, directory, today=today, mentioned=mentioned)


async def load_everybody(
    connection: AsyncConnection, school: str
) -> tuple[tuple[Contact, ...], tuple[ContactPoint, ...]]:
    """Load all contacts and contact points that are or were on record, without what decides about them."""

    async def documents(table: Table) -> Sequence[str]:
        return (await connection.execute(select(table.c.document).where(table.c.school == school))).scalars().all()

    people, points = msgspec.json.Decoder(Contact), msgspec.json.Decoder(ContactPoint)
    return (
        tuple(people.decode(document) for document in await documents(contacts)),
        tuple(points.decode(document) for document in await documents(contact_points)),
    )


async def apply_changes(connection: AsyncConnection, school: School, changes: Changes, *, at: dt.datetime) -> bool:
    """Write the changes and raise the directory's version; says whether anything changed."""
    changed = await _save_school(connection, school, at=at)
    for name, difference in changes.collections.items():
        if difference:
            await _save_rows(connection, school, name, difference, at)
            changed = True
    if changed:
        await raise_version(connection, school.id, at=at)
    return changed


async def raise_version(connection: AsyncConnection, school: str, *, at: dt.datetime) -> None:
    """Say that decisions made so far may differ from those made from now on (R44)."""
    await connection.execute(
        update(schools).where(schools.c.id == school).values(version=schools.c.version + 1, changed_at=at)
    )


async def _save_school(connection: AsyncConnection, school: School, *, at: dt.datetime) -> bool:
    document = msgspec.json.encode(school).decode()
    known = (await connection.execute(select(schools.c.document).where(schools.c.id == school.id))).scalar_one_or_none()
    if known is None:
        await connection.execute(insert(schools).values(id=school.id, document=document, version=0, changed_at=at))
    elif known != document:
        await connection.execute(update(schools).where(schools.c.id == school.id).values(document=document))
    return known != document


async def _save_rows(
    connection: AsyncConnection, school: School, name: str, difference: CollectionChanges, at: dt.datetime
) -> None:
    table, keys = _TABLES[name]
    extra = _COLUMNS.get(name, _no_columns)

    def values(rows: Mapping[Key, Any], ended_at: dt.datetime | None) -> list[dict[str, Any]]:
        return [
            {f"key_{column}": part for column, part in zip(keys, key, strict=True)}
            | {"document": msgspec.json.encode(row).decode(), "ended_at": ended_at, "key_school": school.id}
            | extra(school, row)
            for key, row in rows.items()
        ]

    if difference.added:
        new = [
            {name.removeprefix("key_"): value for name, value in row.items()} for row in values(difference.added, None)
        ]
        await connection.execute(insert(table), new)
    for rows, ended_at in ((difference.changed, None), (difference.ended, at)):
        if rows:
            same = and_(*(table.c[column] == bindparam(f"key_{column}") for column in ("school", *keys)))
            await connection.execute(update(table).where(same), values(rows, ended_at))
    await _save_memberships(connection, school.id, name, difference)
    await connection.execute(insert(chronology), list(_entries(school.id, name, difference, at)))


def _no_columns(_school: School, _row: Any) -> dict[str, Any]:
    return {}


def _point_columns(school: School, row: Any) -> dict[str, Any]:
    return {"contact": row.contact, "channel": row.channel.value, "address_key": key_of(school, row)}


def _pair_columns(_school: School, row: Any) -> dict[str, Any]:
    return {"student": row.student, "contact": row.contact}


def _relationship_columns(_school: School, row: Any) -> dict[str, Any]:
    return {"is_self": row.relation == "self"}


_COLUMNS: Mapping[str, Callable[[School, Any], dict[str, Any]]] = {
    "contact_points": _point_columns,
    "restrictions": _pair_columns,
    "relationships": _relationship_columns,
}

_MEMBERSHIPS = {
    "students": (student_groups, "student", "group", "groups"),
    "households": (household_members, "household", "contact", "members"),
}


async def _save_memberships(connection: AsyncConnection, school: str, name: str, difference: CollectionChanges) -> None:
    """Keep the side tables by which students are found by group, and households by member."""
    if name not in _MEMBERSHIPS:
        return
    table, owner, member, attribute = _MEMBERSHIPS[name]
    touched = [key[0] for key in (*difference.changed, *difference.ended)]
    if touched:
        same = and_(table.c.school == school, table.c[owner] == bindparam("touched"))
        await connection.execute(delete(table).where(same), [{"touched": key} for key in touched])
    rows = [
        {"school": school, owner: row.id, member: value}
        for row in (*difference.added.values(), *difference.changed.values())
        for value in dict.fromkeys(getattr(row, attribute))
    ]
    if rows:
        await connection.execute(insert(table), rows)


def _entries(school: str, name: str, difference: CollectionChanges, at: dt.datetime) -> Iterable[dict[str, Any]]:
    """Write what happened to whose record, by the names of fields and never by their values."""
    for event, rows in (("added", difference.added), ("changed", difference.changed), ("ended", difference.ended)):
        for key, row in rows.items():
            detail = {"entity": name, "fields": difference.fields.get(key, [])}
            yield {
                "school": school,
                "at": at,
                "student": row.id if name == "students" else getattr(row, "student", None),
                "contact": row.id if name == "contacts" else getattr(row, "contact", None),
                "event": f"record_{event}",
                "detail": msgspec.json.encode(detail).decode(),
            }
