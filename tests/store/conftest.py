"""Migrated databases for the store's tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from gateway.store.database import Database
from tests.store.databases import (  # noqa: F401  # pytest finds fixtures by name in here
    emptied_postgresql,
    gateway_database_url,
    gateway_postgresql_url,
    gateway_sqlite_url,
    postgresql_template,
    sqlite_template,
)


@pytest_asyncio.fixture
async def database(gateway_database_url: str) -> AsyncIterator[Database]:  # noqa: F811  # pytest hands it over
    """Open a migrated database, once on SQLite and once on PostgreSQL."""
    database = Database(gateway_database_url)
    yield database
    await database.close()
