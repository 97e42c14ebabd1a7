"""Readiness: true when the servers can be used, false in a sentence within a second when they cannot."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio

from gateway.dispatch.coordination.in_process import InProcess
from gateway.dispatch.provider_gate import ProviderGate
from gateway.dispatch.providers import ProviderChoice
from gateway.dispatch.readiness import Readiness
from gateway.store.database import Database
from gateway.store.server import server_facts

SOON = 3.0
"""Seconds; a probe gives up after one, and a busy machine may need some more."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@asynccontextmanager
async def _readiness(database_url: str, redis_url: str | None = None) -> AsyncIterator[Readiness]:
    gate = ProviderGate(InProcess(now=_now), {}, now=_now, chance=lambda: 0.5)
    database = Database(database_url)
    choice = ProviderChoice({}, gate, now=_now, chance=lambda: 0.5)
    readiness = Readiness(database, redis_url, gate, choice)
    try:
        yield readiness
    finally:
        await readiness.close()
        await database.close()


class Silence:
    """A server that accepts and says nothing, as a paused one does; counts who came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.came = 0


@pytest_asyncio.fixture
async def silence() -> AsyncIterator[Silence]:
    """Run a silent server on loopback."""
    connections = set[asyncio.StreamWriter]()

    async def keep_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.came += 1
        connections.add(writer)

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    silent = Silence(server.sockets[0].getsockname()[1])
    yield silent
    server.close()
    for writer in connections:
        writer.transport.abort()
    await server.wait_closed()


async def test_what_can_be_used_is_ready(servers_urls: tuple[str, str | None]) -> None:
    """Database, schema and queue, embedded and distributed."""
    database_url, redis_url = servers_urls
    async with _readiness(database_url, redis_url) as readiness:
        faults = await readiness.faults()
    assert faults.keys() == ({"database", "queue"} if redis_url else {"database"})
    assert set(faults.values()) == {None}


async def test_a_database_without_a_schema_is_not_ready(empty_database_url: str) -> None:
    """Between the start of a release and its migration; the sentence says what to run."""
    async with _readiness(empty_database_url) as readiness:
        assert "gateway migrate" in str((await readiness.faults())["database"])


async def test_silent_servers_are_given_up_within_a_second(silence: Silence) -> None:
    """Both are asked at the same time, and the next probes do not queue up behind the first."""
    urls = f"postgresql+asyncpg://gw@127.0.0.1:{silence.port}/gw", f"redis://127.0.0.1:{silence.port}/0"
    began = time.monotonic()
    async with _readiness(*urls) as readiness:
        for faults in await asyncio.gather(*(readiness.faults() for _ in range(10))):
            assert "does not answer" in str(faults["database"])
            assert "does not answer" in str(faults["queue"])
    assert time.monotonic() - began < SOON
    assert silence.came == 2


async def test_servers_that_are_not_there_are_named_by_their_setting() -> None:
    """Nobody listens: the sentence names what to check, and nothing of the URL."""
    async with _readiness(
        "postgresql+asyncpg://gw:hunter2@127.0.0.1:1/gw", "redis://:hunter2@127.0.0.1:1/0"
    ) as readiness:
        faults = await readiness.faults()
    assert "GATEWAY_DATABASE_URL" in str(faults["database"])
    assert "GATEWAY_REDIS_URL" in str(faults["queue"])
    assert "hunter2" not in str(faults)


async def test_a_pooler_setting_in_the_url_is_understood(gateway_postgresql_url: str) -> None:
    """What SQLAlchemy alone understands does not trip the probe's own connection."""
    async with _readiness(f"{gateway_postgresql_url}?prepared_statement_cache_size=0") as readiness:
        assert await readiness.faults() == {"database": None}


async def test_postgresql_says_how_safe_it_is(gateway_postgresql_url: str) -> None:
    """The facts that `gateway doctor` judges, from a real server; the tests' own keeps nothing safe."""
    database = Database(gateway_postgresql_url)
    async with database.reading() as connection:
        facts = await server_facts(connection)
    await database.close()
    assert facts is not None
    assert facts.settings.keys() == {"fsync", "synchronous_commit", "full_page_writes"}
    assert abs(facts.time - _now()) < dt.timedelta(minutes=1)
    assert 1 <= facts.in_use <= facts.connections


async def test_an_sqlite_file_has_no_server(tmp_path: Path) -> None:
    """Nothing to judge."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}")
    async with database.reading() as connection:
        assert await server_facts(connection) is None
    await database.close()
