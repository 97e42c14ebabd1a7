"""The openings of secure pages on record: who opened what, and which identity checks failed (R41)."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import contacts, document_openings


class Opening(StrEnum):
    """What came of an identity check."""

    OPENED = "opened"
    WRONG = "wrong"


async def add_opening(
    connection: AsyncConnection, *, school: str, contact: str, delivery: str, at: dt.datetime, outcome: Opening
) -> None:
    """Put one identity check on record."""
    await connection.execute(
        insert(document_openings).values(
            school=school, contact=contact, delivery=delivery, at=at, outcome=outcome.value
        )
    )


async def was_opened(connection: AsyncConnection, delivery: str) -> bool:
    """Whether the page of this delivery has been opened before."""
    table = document_openings.c
    query = select(table.id).where(table.delivery == delivery, table.outcome == Opening.OPENED.value).limit(1)
    return (await connection.execute(query)).first() is not None


async def wrong_for_link(connection: AsyncConnection, delivery: str, *, since: dt.datetime) -> int:
    """Count the failed checks of one link."""
    table = document_openings.c
    query = select(func.count()).where(
        table.delivery == delivery, table.at > since, table.outcome == Opening.WRONG.value
    )
    return (await connection.execute(query)).scalar_one()


async def wrong_for_contact(connection: AsyncConnection, school: str, contact: str, *, since: dt.datetime) -> int:
    """Count the failed checks of all links of one contact."""
    table = document_openings.c
    query = select(func.count()).where(
        table.school == school, table.contact == contact, table.at > since, table.outcome == Opening.WRONG.value
    )
    return (await connection.execute(query)).scalar_one()


async def take_turns(connection: AsyncConnection, school: str, contact: str) -> None:
    """Let the checks of one contact wait for each other, so that many at once are still counted one by one."""
    query = select(contacts.c.id).where(contacts.c.school == school, contacts.c.id == contact).with_for_update()
    await connection.execute(query)
