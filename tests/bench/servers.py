"""The servers a benchmark runs on: PostgreSQL that syncs every commit, Redis, and a mail sink written in C."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import redis
from sqlalchemy.engine import URL

from tests.servers import (
    ServerMissingError,
    _answers,
    _failure,
    _folder,
    _free_port,
    _postgresql_programs,
    _run,
    _server,
    _start,
    execute_sql,
    redis_server,
)

CACHE = Path(__file__).parents[2] / "var" / "bench"
"""Where environments of peers and profiles are kept between runs."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server of this run."""

    url: str
    port: int
    process: int


@contextmanager
def durable_postgresql() -> Iterator[Server]:
    """Run PostgreSQL as its makers deliver it: every commit is on the disk before it is answered.

    Its statistics of statements, which profiles show, cost less than one figure differs from the next.
    """
    programs = _postgresql_programs()
    with _folder("gateway-bench-postgresql-") as folder:
        data, port = folder / "data", _free_port()
        initialise = [programs / "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--no-locale"]
        _run([*initialise, "--encoding=UTF8"], folder)
        places = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 200}
        places["shared_preload_libraries"] = "pg_stat_statements"
        options = [f"--{name}={value}" for name, value in places.items()]
        url = URL.create("postgresql+asyncpg", "postgres", host="127.0.0.1", port=port, database="postgres")
        text = url.render_as_string(hide_password=False)
        with _server([programs / "postgres", "-D", data, *options], folder, lambda: execute_sql(text, "SELECT 1")):
            process = int((data / "postmaster.pid").read_text().split()[0])
            yield Server(url=text, port=port, process=process)


@contextmanager
def redis_queue() -> Iterator[Server]:
    """Run Redis for one run."""
    with redis_server() as url:
        with redis.Redis.from_url(url) as client:
            process = int(client.info("server")["process_id"])
        yield Server(url=f"{url}/1", port=int(url.rpartition(":")[2]), process=process)


@contextmanager
def smtp_sink() -> Iterator[Server]:
    """Run Postfix's `smtp-sink`, which takes every mail and forgets it; it offers PIPELINING."""
    program = mail_program("smtp-sink")
    with _folder("gateway-bench-sink-") as folder:
        port = _free_port()
        process = _start([program, "-h", "sink.example.org", f"127.0.0.1:{port}", "1000"], folder)
        try:
            if not _answers(process, lambda: socket.create_connection(("127.0.0.1", port)).close()):
                raise _failure([program], folder)
            yield Server(url=f"smtp://127.0.0.1:{port}", port=port, process=process.pid)
        finally:
            end(process)


def mail_program(name: str) -> str:
    """Find one of Postfix's test programs, which Debian keeps in a folder for administrators."""
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if program is None:
        raise ServerMissingError(f"{name}: install Debian's package postfix (its daemon need not run).")
    return program


def new_database(server: Server, name: str, *, like: str = "template1") -> str:
    """Make a database, empty or like another one; gives its URL."""
    execute_sql(server.url, f"CREATE DATABASE {name} TEMPLATE {like}")
    return server.url.rpartition("/")[0] + f"/{name}"


def plain(url: str) -> str:
    """Write a database URL as asyncpg and other drivers read it."""
    return url.replace("postgresql+asyncpg://", "postgresql://")


async def connect(url: str) -> asyncpg.Connection:
    """Open a connection of the benchmark's own, to look at what the gateway has recorded."""
    return await asyncpg.connect(plain(url), timeout=10)


def end(*processes: subprocess.Popen[Any], patience: float = 25) -> None:
    """Stop processes of ours at once, by force where asking is not enough."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
