"""Gateways for the flow tests: each test runs embedded and distributed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.flow.installation import Installation, installed
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


@pytest.fixture(params=["embedded", "distributed"])
def servers_urls(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    """Give database and queue: SQLite and this process, or PostgreSQL and Redis."""
    if request.param == "embedded":
        return request.getfixturevalue("gateway_sqlite_url"), None
    return request.getfixturevalue("gateway_postgresql_url"), request.getfixturevalue("redis_database")


@pytest_asyncio.fixture
async def gateway(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Installation]:
    """Give a gateway at work."""
    database_url, redis_url = servers_urls
    async with installed(database_url, redis_url, tmp_path) as installation:
        yield installation


@pytest_asyncio.fixture
async def idle(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Installation]:
    """Give a gateway whose workers sleep: the test plans and sends by hand, step by step."""
    database_url, redis_url = servers_urls
    async with installed(database_url, redis_url, tmp_path, working=False) as installation:
        yield installation
