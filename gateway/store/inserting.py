"""Inserting what may be there already: another process may write the same row at the same moment."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import insert_new

__all__ = ["insert_new", "tolerant_insert"]


def tolerant_insert(connection: AsyncConnection, table: Table) -> Any:
    """Begin an INSERT that knows ON CONFLICT; both dialects spell it alike, each in a construct of its own."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
