"""The offices that the API's tests call from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.api.office import Office, opened
from tests.store.databases import (  # noqa: F401  # pytest finds fixtures by name in here
    emptied_postgresql,
    gateway_database_url,
    gateway_postgresql_url,
    gateway_sqlite_url,
    postgresql_template,
    sqlite_template,
)


@pytest.fixture
def database_url(gateway_database_url: str) -> str:  # noqa: F811  # the fixture of this name
    """Give a migrated database of this test's own, once on SQLite and once on PostgreSQL."""
    return gateway_database_url


@pytest_asyncio.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Give an office with a database of its own, once on SQLite and once on PostgreSQL."""
    async with opened(database_url, tmp_path) as office:
        yield office


@pytest_asyncio.fixture
async def small_office(tmp_path: Path) -> AsyncIterator[Office]:
    """Give an office with a database of its own on SQLite, for what does not depend on the database."""
    async with opened(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", tmp_path) as office:
        yield office


@pytest_asyncio.fixture
async def new_office(tmp_path: Path) -> AsyncIterator[Office]:
    """Give an office of an installation that has no directory yet."""
    async with opened(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", tmp_path, directory=None) as office:
        yield office


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quiet_office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """Give one office for a whole table of calls that change nothing, on SQLite."""
    folder = tmp_path_factory.mktemp("office")
    async with opened(f"sqlite+aiosqlite:///{folder / 'gateway.db'}", folder) as office:
        yield office
