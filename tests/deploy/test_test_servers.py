"""The ground other tests stand on: servers that answer, databases of one's own, and no way out of the machine."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests import servers
from tests.network import OutsideAddressError

MACHINE_ELSEWHERE = "192.0.2.1"
"""Reserved for documentation: nobody is there."""


async def test_each_test_has_an_empty_database(database_url: str) -> None:
    """A table made here is this test's own, on both databases."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE school (name text)"))
        rows = (await connection.execute(text("SELECT * FROM school"))).all()
    await engine.dispose()
    assert rows == []


@pytest.mark.parametrize("turn", [1, 2])
def test_a_redis_database_starts_empty(redis_database: str, turn: int) -> None:
    """What one test leaves in Redis, the next does not find."""
    with redis.Redis.from_url(redis_database) as client:
        assert client.keys() == []
        client.set(f"left by turn {turn}", "1")


def test_the_database_is_dropped_even_when_a_connection_was_left_open(postgresql_url: str) -> None:
    """Dropping with force ends forgotten connections, so no test trips over another's."""
    servers.execute_sql(postgresql_url, "CREATE DATABASE forgotten")

    async def leave_open() -> None:
        there = postgresql_url.replace("+asyncpg", "").rpartition("/")[0] + "/forgotten"
        connection = await asyncpg.connect(there)
        await asyncio.to_thread(servers.execute_sql, postgresql_url, "DROP DATABASE forgotten WITH (FORCE)")
        with pytest.raises(asyncpg.InterfaceError):
            await connection.fetchval("SELECT 1")

    asyncio.run(leave_open())


def test_servers_end_with_their_block() -> None:
    """After the block nothing listens on the server's port any more."""
    try:
        with servers.redis_server() as url:
            port = int(url.rpartition(":")[2])
    except servers.ServerMissingError as missing:
        pytest.skip(f"leg skipped: {missing}")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_given_servers_are_used(postgresql_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a URL in the environment nothing is started."""
    monkeypatch.setenv(servers.GIVEN_POSTGRESQL, postgresql_url.replace("+asyncpg", ""))
    monkeypatch.setenv(servers.GIVEN_REDIS, f"{redis_url}/0")
    with servers.postgresql() as postgresql, servers.redis_server() as redis_there:
        assert (postgresql, redis_there) == (postgresql_url, redis_url)


def test_a_server_that_cannot_start_says_why() -> None:
    """The error carries the server's own words."""
    with servers._folder("gateway-test-") as folder, pytest.raises(servers.ServerFailedError, match="disk is full"):
        servers._run(["/bin/sh", "-c", "echo The disk is full. >&2; exit 1"], folder)


def test_no_connection_leaves_this_machine() -> None:
    """Connecting elsewhere is refused before a packet is sent, whatever the protocol."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as end, pytest.raises(OutsideAddressError):
            end.connect((MACHINE_ELSEWHERE, 80))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end, pytest.raises(OutsideAddressError):
        end.sendto(b"hello", (MACHINE_ELSEWHERE, 53))
    with pytest.raises(OutsideAddressError):
        socket.getaddrinfo("school.example.org", 443)


async def test_no_asyncio_connection_leaves_this_machine() -> None:
    """The refusal is no OSError, so nothing mistakes it for an outage."""
    with pytest.raises(OutsideAddressError):
        await asyncio.open_connection(MACHINE_ELSEWHERE, 80)


def test_loopback_and_unix_sockets_stay_open(tmp_path: Path) -> None:
    """Servers of the test run are reached as usual."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname()).close()
        socket.create_connection(("localhost", listener.getsockname()[1])).close()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as end:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        end.connect(str(tmp_path / "s"))


def test_the_operators_settings_stay_outside() -> None:
    """No `GATEWAY_` setting of the shell changes what the tests see."""
    assert [name for name in os.environ if name.startswith("GATEWAY_") and "_TEST_" not in name] == []


@pytest.mark.parametrize(("ci", "outcome"), [("true", "error"), ("", "skipped")])
def test_a_missing_server_is_told(tmp_path: Path, ci: str, outcome: str) -> None:
    """Without programs and URL the leg is skipped and named; with CI=true it fails."""
    case = tmp_path / "test_case.py"
    case.write_text("def test_redis(redis_database):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    environment = {"PATH": "/nowhere", "CI": ci, "PYTHONPATH": str(Path.cwd())}
    run = subprocess.run(  # a fixed command
        [*command, case], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert f"1 {outcome}" in run.stdout
    assert "Redis: install redis-server or set GATEWAY_TEST_REDIS_URL." in run.stdout
    assert ("= legs skipped =" in run.stdout) == (outcome == "skipped")
