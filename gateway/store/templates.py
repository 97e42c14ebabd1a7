"""Templates that schools wrote themselves: versions, approved by a second person."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import templates


async def add_version(
    connection: AsyncConnection, school: str, name: str, *, version: int, document: str, author: str, at: dt.datetime
) -> None:
    """Add a version that waits for its approval."""
    await connection.execute(
        insert(templates).values(
            school=school,
            name=name,
            version=version,
            document=document,
            status="draft",
            author=author,
            approved_by=None,
            created_at=at,
        )
    )


async def find_versions(connection: AsyncConnection, school: str, name: str) -> list[Row[Any]]:
    """List a template's versions, newest first."""
    query = (
        select(templates)
        .where(templates.c.school == school, templates.c.name == name)
        .order_by(templates.c.version.desc())
    )
    return list(await connection.execute(query))


async def approve_version(connection: AsyncConnection, school: str, name: str, version: int, *, approver: str) -> bool:
    """Approve a draft; the author cannot. Says whether there was such a draft by somebody else."""
    result = await connection.execute(
        update(templates)
        .where(
            templates.c.school == school,
            templates.c.name == name,
            templates.c.version == version,
            templates.c.status == "draft",
            templates.c.author != approver,
        )
        .values(status="approved", approved_by=approver)
    )
    return result.rowcount == 1


async def all_versions(connection: AsyncConnection, school: str) -> Mapping[str, list[Row[Any]]]:
    """Gather the school's own templates by name, each with its versions, newest first."""
    query = select(templates).where(templates.c.school == school).order_by(templates.c.name, templates.c.version.desc())
    by_name: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in await connection.execute(query):
        by_name[row.name].append(row)
    return by_name
