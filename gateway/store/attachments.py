"""Files on record: kept once, however many notifications carry them."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.content.files import File
from gateway.store.bulk import one_of
from gateway.store.inserting import tolerant_insert
from gateway.store.tables import attachments


async def keep_attachment(
    connection: AsyncConnection, school: str, key: str, file: File, *, by: str, at: dt.datetime
) -> None:
    """Keep a file under its id; the same file again changes nothing."""
    row = {
        "school": school,
        "id": key,
        "name": file.name,
        "content_type": file.content_type,
        "size": len(file.content),
        "content": file.content,
        "words": file.words,
        "searchable": file.searchable,
        "created_by": by,
        "created_at": at,
    }
    await connection.execute(tolerant_insert(connection, attachments).values(row).on_conflict_do_nothing())


_DESCRIPTION = (
    attachments.c.school,
    attachments.c.id,
    attachments.c.name,
    attachments.c.content_type,
    attachments.c.size,
    attachments.c.searchable,
)


async def describe_attachments(connection: AsyncConnection, school: str, keys: Collection[str]) -> dict[str, Row[Any]]:
    """Describe files by id, without their content."""
    return await _rows(connection, select(*_DESCRIPTION), school, keys)


async def load_attachments(connection: AsyncConnection, school: str, keys: Collection[str]) -> dict[str, Row[Any]]:
    """Load files by id, content and all."""
    return await _rows(connection, select(*_DESCRIPTION, attachments.c.content), school, keys)


async def words_of_attachments(connection: AsyncConnection, school: str, keys: Collection[str]) -> dict[str, str]:
    """Load names and texts of files by id, for the text check (R38)."""
    rows = await _rows(connection, select(attachments.c.id, attachments.c.words), school, keys)
    return {key: row.words for key, row in rows.items()}


async def _rows(
    connection: AsyncConnection, query: Select[Any], school: str, keys: Collection[str]
) -> dict[str, Row[Any]]:
    if not keys:
        return {}
    wanted = one_of(connection, attachments.c.id, list(keys))
    found = await connection.execute(query.where(attachments.c.school == school, wanted))
    return {row.id: row for row in found.all()}
