"""Whom the planner decides about next, chunk by chunk in the order of ids, and whom it has passed by."""

from collections.abc import Sequence

from sqlalchemy import Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import decisions, notification_students, relationships

_FEW = 200
"""Students: up to so many it is cheaper to ask for their contacts than to walk all contacts in order."""


async def next_chunk(
    connection: AsyncConnection, school: str, audience: Select[tuple[str]], named: Sequence[str], after: str, size: int
) -> list[str]:
    """Name the next contacts, in order of id, who are related to the audience or named in the request.

    A small audience is where the search begins; of a large one the contacts are walked in their order, each asked for
    the audience alone: a join would be made anew over everybody for every chunk.
    """
    table = relationships.c
    pupil = audience.selected_columns[0]
    few = await _number_of(connection, audience, most=_FEW + 1) <= _FEW
    one = audience.where(pupil == table.student).correlate(relationships).limit(1).scalar_subquery()
    query = (
        select(table.contact)
        .where(table.school == school, table.contact > after, table.student.in_(audience) if few else one.is_not(None))
        .distinct()
        .order_by(table.contact)
        .limit(size)
    )
    related = list((await connection.execute(query)).scalars().all())
    extra = [contact for contact in named if contact > after]
    if extra and not related and (await connection.execute(audience.limit(1))).first() is None:
        return []  # about nobody there is nothing to decide
    return sorted({*related, *extra})[:size]


async def _number_of(connection: AsyncConnection, audience: Select[tuple[str]], *, most: int) -> int:
    counted = select(func.count()).select_from(audience.limit(most).subquery())
    return int((await connection.execute(counted)).scalar_one())


async def latecomers(connection: AsyncConnection, school: str, notification: str, *, upto: str, size: int) -> list[str]:
    """Name contacts whom the directory gained behind the planner's back: related to the audience, yet undecided.

    Only contacts of whom nothing was decided; one who gained another child has a message on the way already.
    """
    link, asked, decided = relationships.c, notification_students.c, decisions.c
    query = (
        select(link.contact)
        .where(
            link.school == school,
            link.contact <= upto,
            exists().where(asked.notification == notification, asked.student == link.student),
            ~exists().where(
                decided.notification == notification, decided.student == link.student, decided.contact == link.contact
            ),
        )
        .distinct()
        .order_by(link.contact)
        .limit(size)
    )
    undecided = {row.contact for row in await connection.execute(query)}
    known = select(decided.contact).where(decided.notification == notification, decided.contact.in_(undecided))
    return sorted(undecided - {row.contact for row in await connection.execute(known)})
