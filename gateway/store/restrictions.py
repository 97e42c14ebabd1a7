"""The restrictions register on record: every version of a restriction, who saw it, and what people object to."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, and_, func, insert, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Restriction
from gateway.store.tables import (
    chronology,
    objections,
    restriction_steps,
    restriction_views,
    restrictions,
    schools,
    tasks,
)


def _encoded(restriction: Restriction | None) -> str | None:
    return None if restriction is None else msgspec.json.encode(restriction).decode()


async def add_restriction(
    connection: AsyncConnection, school: str, restriction: Restriction, *, evidence: str | None, by: str
) -> None:
    """Put a new restriction into the directory."""
    await connection.execute(
        insert(restrictions).values(
            school=school,
            id=restriction.id,
            document=_encoded(restriction),
            student=restriction.student,
            contact=restriction.contact,
            evidence=evidence,
            created_by=by,
        )
    )


async def find_restriction(
    connection: AsyncConnection, school: str, restriction: str, *, to_change: bool = False
) -> Row[Any] | None:
    """Load one restriction; with `to_change` nobody else can change it until the transaction ends."""
    query = select(restrictions).where(restrictions.c.school == school, restrictions.c.id == restriction)
    if to_change:
        query = query.with_for_update()
    return (await connection.execute(query)).one_or_none()


async def save_restriction(
    connection: AsyncConnection, school: str, restriction: Restriction, *, approved_by: str | None
) -> None:
    """Let another version of a restriction act; without an approver the one on record stays."""
    values: dict[str, Any] = {"document": _encoded(restriction)}
    if approved_by is not None:
        values["approved_by"] = approved_by
    await connection.execute(
        update(restrictions).where(restrictions.c.school == school, restrictions.c.id == restriction.id).values(values)
    )


Versions = tuple[Restriction, Restriction | None, Restriction | None]
"""What acts from a step on, what acts once it is approved, and what once it is rejected."""

Words = Mapping[str, str | None]
"""What people said at a step: `evidence`, `note` and `successor`, as far as they did."""


async def add_step(
    connection: AsyncConnection,
    school: str,
    *,
    number: int,
    step: str,
    by: str | None,
    at: dt.datetime,
    versions: Versions,
    words: Words,
) -> None:
    """Append to a restriction's history and say so, without its words, in the chronologies of both people."""
    document, proposed, otherwise = versions
    await connection.execute(
        insert(restriction_steps).values(
            school=school,
            restriction=document.id,
            number=number,
            step=step,
            by=by,
            at=at,
            document=_encoded(document),
            proposed=_encoded(proposed),
            otherwise=_encoded(otherwise),
            **words,
        )
    )
    detail = {"restriction": document.id, "number": number, "by": by}
    await _enter(connection, school, f"restriction_{step}", document.student, document.contact, detail, at)


async def list_steps(connection: AsyncConnection, school: str, restriction: str) -> list[Row[Any]]:
    """Tell a restriction's history, oldest first."""
    table = restriction_steps.c
    query = (
        select(restriction_steps).where(table.school == school, table.restriction == restriction).order_by(table.number)
    )
    return list(await connection.execute(query))


async def list_restrictions(
    connection: AsyncConnection,
    school: str,
    *,
    student: str | None,
    contact: str | None,
    after: tuple[str, ...],
    limit: int,
) -> list[Row[Any]]:
    """List restrictions by student, contact and id."""
    table = restrictions.c
    order = (table.student, table.contact, table.id)
    query = select(restrictions).where(table.school == school)
    if student is not None:
        query = query.where(table.student == student)
    if contact is not None:
        query = query.where(table.contact == contact)
    if after:
        query = query.where(tuple_(*order) > tuple_(*map(literal, after)))
    return list(await connection.execute(query.order_by(*order).limit(limit)))


async def last_steps(connection: AsyncConnection, school: str, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Find the last step of each of these restrictions; one from a file may have none."""
    query = _last_steps().where(restriction_steps.c.school == school, restriction_steps.c.restriction.in_(ids))
    return {row.restriction: row for row in await connection.execute(query)}


async def whole_register(connection: AsyncConnection) -> list[tuple[Row[Any], Row[Any] | None]]:
    """Load every restriction with its last step: restrictions are few, about one for every hundred students."""
    steps = {(row.school, row.restriction): row for row in await connection.execute(_last_steps())}
    query = (
        select(restrictions, schools.c.document.label("school_document"))
        .join(schools, schools.c.id == restrictions.c.school)
        .order_by(restrictions.c.school, restrictions.c.id)
    )
    return [(row, steps.get((row.school, row.id))) for row in await connection.execute(query)]


def _last_steps() -> Any:
    later = restriction_steps.alias()
    last = (
        select(func.max(later.c.number))
        .where(
            and_(
                later.c.school == restriction_steps.c.school,
                later.c.restriction == restriction_steps.c.restriction,
            )
        )
        .scalar_subquery()
    )
    return select(restriction_steps).where(restriction_steps.c.number == last)


async def add_views(
    connection: AsyncConnection, school: str, ids: Sequence[str], *, viewer: str, at: dt.datetime
) -> None:
    """Record who saw these restrictions."""
    if ids:
        view = {"school": school, "viewer": viewer, "at": at}
        await connection.execute(insert(restriction_views), [view | {"restriction": seen} for seen in ids])


async def list_views(
    connection: AsyncConnection, school: str, restriction: str, *, after: int, limit: int
) -> list[Row[Any]]:
    """List who saw a restriction, oldest first."""
    table = restriction_views.c
    query = (
        select(restriction_views)
        .where(table.school == school, table.restriction == restriction, table.id > after)
        .order_by(table.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def add_objection(
    connection: AsyncConnection,
    school: str,
    *,
    identifier: str,
    student: str,
    contact: str,
    said_by: str,
    note: str | None,
    taken_by: str,
    at: dt.datetime,
) -> None:
    """Note an objection; the chronologies of all three say that there is one, and not what it says."""
    await connection.execute(
        insert(objections).values(
            id=identifier,
            school=school,
            student=student,
            contact=contact,
            said_by=said_by,
            note=note,
            taken_by=taken_by,
            at=at,
        )
    )
    detail = {"objection": identifier}
    await _enter(connection, school, "objection_noted", student, contact, detail, at)
    await _enter(connection, school, "objection_made", None, said_by, detail, at)


async def find_objection(connection: AsyncConnection, school: str, objection: str) -> Row[Any] | None:
    """Load one objection."""
    query = select(objections).where(objections.c.school == school, objections.c.id == objection)
    return (await connection.execute(query)).one_or_none()


async def open_reminders(connection: AsyncConnection, kinds: Sequence[str]) -> set[str]:
    """Name the open tasks of these kinds, of all schools."""
    query = select(tasks.c.id).where(
        tasks.c.school.in_(select(schools.c.id)), tasks.c.done_at.is_(None), tasks.c.kind.in_(kinds)
    )
    return set((await connection.execute(query)).scalars())


async def _enter(
    connection: AsyncConnection,
    school: str,
    event: str,
    student: str | None,
    contact: str,
    detail: dict[str, Any],
    at: dt.datetime,
) -> None:
    await connection.execute(
        insert(chronology).values(
            school=school,
            at=at,
            student=student,
            contact=contact,
            event=event,
            detail=msgspec.json.encode(detail).decode(),
        )
    )
