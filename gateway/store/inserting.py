"""Inserting what may be there already: another process may write the same row at the same moment."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def tolerant_insert(connection: AsyncConnection, table: Table) -> Any:
    """Begin an INSERT that knows ON CONFLICT; both dialects spell it alike, each in a construct of its own."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


async def insert_new(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> set[tuple[Any, ...]]:
    """Insert rows in the order of their primary keys; gives the keys of those that were not there before.

    The order keeps two writers of the same rows from waiting for each other in a ring.
    """
    keys = list(table.primary_key.columns)
    in_order = sorted(rows, key=lambda row: tuple(row[column.name] for column in keys))
    if not in_order:
        return set()
    statement = tolerant_insert(connection, table).on_conflict_do_nothing().returning(*keys)
    return {tuple(row) for row in await connection.execute(statement, in_order)}
