"""Connections to the one database, PostgreSQL or SQLite, and the two kinds of transaction."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from gateway.store.listeners import Listeners

_BUSY_MS = 30_000
_TRUSTED_SECONDS = 1.0
"""How long a connection is believed to be alive without being asked."""


class Database:
    """One pool of connections in one event loop.

    A function of the store takes a connection; who opens the transaction decides what belongs together.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        parsed = make_url(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if self.sqlite:
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_async_engine(url, pool_size=pool_size, hide_parameters=True)
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
        else:
            self.engine = create_async_engine(url, pool_size=pool_size, max_overflow=4, hide_parameters=True)
            event.listen(self.engine.sync_engine, "connect", _prepare_postgresql)
            event.listen(self.engine.sync_engine, "checkin", _note_use)
            event.listen(self.engine.sync_engine, "checkout", _check_when_long_unused)
        self.listeners = Listeners()
        self.engine.update_execution_options(listeners=self.listeners)
        # SQLite has one writer; waiting here is fair and cheap, waiting in its busy handler is neither.
        self._writer = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads."""
        async with self.engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes: all of it is committed at the end, or nothing."""
        async with self._writer if self.sqlite else nullcontext(), self.engine.connect() as plain:
            connection = await plain.execution_options(writes=True)
            async with connection.begin():
                yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    """Tell the query planner that the rows asked for by id lie in memory, and that no statement is worth compiling.

    Its own figures are for turning disks. In the first minute of a table, before autovacuum has counted its rows, it
    reads all of it for each batch then: 37 ms instead of 2.5 for the addressees of 200 mails (measured).
    """
    cursor = connection.cursor()
    cursor.execute("SELECT set_config('random_page_cost', '1.1', false), set_config('jit', 'off', false)")
    cursor.close()
    connection.commit()


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _check_when_long_unused(connection: Any, record: Any, _proxy: Any) -> None:
    """Find connections that the server has closed meanwhile; the pool replaces them.

    Asking at every use, as `pool_pre_ping` does, takes three round trips for each transaction.
    """
    if time.monotonic() - record.info.get("used", math.inf) > _TRUSTED_SECONDS:
        try:
            connection.ping()
        except Exception as error:  # whatever it is, another connection is better
            raise DisconnectionError from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Write-ahead log, so that readers never wait for the writer, and on the disk with every commit, as a 202 promises.

    Transactions begin where we say.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once for writers: upgrading a read transaction fails under contention."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
