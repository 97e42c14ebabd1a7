"""Real PostgreSQL and Redis servers for tests: given by URL, or started for one test run and thrown away."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import redis
from sqlalchemy.engine import URL, make_url

GIVEN_POSTGRESQL = "GATEWAY_TEST_POSTGRESQL_URL"
GIVEN_REDIS = "GATEWAY_TEST_REDIS_URL"

NOBODY = 65534
"""PostgreSQL refuses to run as root, so root starts it as this user."""
READY_WITHIN = 60.0
"""Seconds a server may take to answer on a machine that is busy with other tests."""


class ServerMissingError(Exception):
    """The server's programs are not on this machine and no URL was given: one sentence with both remedies."""


class ServerFailedError(Exception):
    """A server of ours ended or never answered; carries the end of its log."""


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server, `postgresql+asyncpg://…`, whose role may create databases."""
    if given := os.environ.get(GIVEN_POSTGRESQL):
        yield make_url(given).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        return
    programs = _postgresql_programs()
    with _folder("gateway-postgresql-") as folder:
        url, command = new_postgresql(programs, folder)
        with _server(command, folder, lambda: execute_sql(url, "SELECT 1")):
            yield url


def new_postgresql(programs: Path, folder: Path) -> tuple[str, list[str | Path]]:
    """Make an empty cluster in a folder, to be thrown away; gives its URL and the command to run it."""
    data, port = folder / "data", _free_port()
    initialise = [programs / "initdb", "--pgdata", data, "--username=postgres", "--auth=trust"]
    _run([*initialise, "--no-sync", "--no-locale", "--encoding=UTF8"], folder)
    settings = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 200,
        "fsync": "off", "full_page_writes": "off",
    }  # fmt: skip
    options = [f"--{name}={value}" for name, value in settings.items()]
    url = URL.create("postgresql+asyncpg", "postgres", host="127.0.0.1", port=port, database="postgres")
    return url.render_as_string(hide_password=False), [programs / "postgres", "-D", data, *options]


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server that keeps nothing on disk, `redis://…` without a database number."""
    if given := os.environ.get(GIVEN_REDIS):
        yield urlsplit(given)._replace(path="").geturl()
        return
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise ServerMissingError(f"Redis: install redis-server or set {GIVEN_REDIS}.")
    with _folder("gateway-redis-") as folder:
        port = _free_port()
        options = {"--bind": "127.0.0.1", "--port": port, "--save": "", "--appendonly": "no", "--databases": 64}
        command = [program, *(word for option in options.items() for word in option)]
        url = f"redis://127.0.0.1:{port}"
        with _server(command, folder, lambda: empty_redis(f"{url}/0")):
            yield url


def execute_sql(url: str, statement: str) -> None:
    """Run one statement outside a transaction; connection and SQL errors are raised as asyncpg's."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    async def connect_and_execute() -> None:
        connection = await asyncpg.connect(plain, timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(connect_and_execute())


def empty_redis(url: str) -> None:
    """Remove every key of the one numbered database that the URL names."""
    with redis.Redis.from_url(url, socket_timeout=10) as client:
        client.flushdb()


def _postgresql_programs() -> Path:
    """Find the folder of initdb and postgres; Debian keeps them off the PATH, one folder a version."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)  # a fixed command
        folders.append(Path(answer.stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if all(shutil.which(name, path=str(folder)) for name in ("initdb", "postgres")):
            return folder
    raise ServerMissingError(f"PostgreSQL: install postgresql or set {GIVEN_POSTGRESQL}.")


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    """Make a temporary folder that the servers' user owns."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
        yield Path(name)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _start(command: Sequence[object], folder: Path) -> subprocess.Popen[bytes]:
    """Start a program in `folder`, without root's rights, its output in `folder/log`."""
    rights = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(  # fixed commands of this file
            [str(word) for word in command],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **rights,
        )


def _run(command: Sequence[object], folder: Path) -> None:
    if _start(command, folder).wait(READY_WITHIN) != 0:
        raise _failure(command, folder)


@contextmanager
def _server(command: Sequence[object], folder: Path, ask: Callable[[], None]) -> Iterator[None]:
    """Run a server for as long as the block lasts, which starts when `ask` gets an answer."""
    # Should the test run be killed, the kernel stops its servers; without setpriv they are stopped at a normal end.
    guard = ["setpriv", "--pdeathsig=INT", "--"] if shutil.which("setpriv") else []
    process = _start([*guard, *command], folder)
    try:
        if not _answers(process, ask):
            raise _failure(command, folder)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], ask: Callable[[], None]) -> bool:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        try:
            ask()
        except (OSError, asyncpg.PostgresError, redis.RedisError):
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            return False
        return True
    return False


def _failure(command: Sequence[object], folder: Path) -> ServerFailedError:
    log = (folder / "log").read_text(errors="replace")
    return ServerFailedError(f"{command[0]} did not come up. The end of its log:\n{log[-2000:]}")
