"""What the database server says of itself: whether it answers, how safely it keeps what is committed, what time it is.

Reachability is asked on a connection of its own: a pool that is busy is no reason to call the database away, and a
pooled connection to a server that went silent cannot be closed without waiting for it.
"""

import datetime as dt
from dataclasses import dataclass

import asyncpg  # type: ignore[import-untyped]  # it has no types
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.database import Database
from gateway.store.migrate import revision


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """How a PostgreSQL server is set up."""

    settings: dict[str, str]
    """`fsync`, `synchronous_commit` and `full_page_writes`: `on` or `off`, or a kind of commit between."""
    time: dt.datetime
    connections: int
    """Most that it takes."""
    in_use: int


class DatabaseAwayError(Exception):
    """The database cannot be used; the text is the kind of failure, and nothing of the URL."""


async def ask_for_schema(database: Database, *, patience: float) -> str | None:
    """Give the schema's revision, None when there is no schema.

    Raises `TimeoutError` when PostgreSQL is silent for `patience` seconds, else `DatabaseAwayError`.
    """
    try:
        if not database.sqlite:
            return await _ask_alone(database, patience)
        async with database.reading() as connection:
            return await connection.run_sync(revision)
    except TimeoutError:
        raise
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError) as error:
        raise DatabaseAwayError(type(error).__name__) from None


async def _ask_alone(database: Database, patience: float) -> str | None:
    _, arguments = database.engine.dialect.create_connect_args(database.engine.url)
    own = {name: value for name, value in arguments.items() if not name.startswith("prepared_statement_")}
    plain = await asyncpg.connect(**own, timeout=patience)
    try:
        found: str | None = await plain.fetchval("SELECT version_num FROM alembic_version", timeout=patience)
    except asyncpg.UndefinedTableError:
        return None
    else:
        return found
    finally:
        plain.terminate()  # closing politely would wait for the server


async def server_facts(connection: AsyncConnection) -> ServerFacts | None:
    """Ask a PostgreSQL server how it is set up; None for SQLite, which is a file of this machine."""
    if connection.dialect.name != "postgresql":
        return None
    names = ("fsync", "synchronous_commit", "full_page_writes", "max_connections")
    query = text(
        f"SELECT {', '.join(f'current_setting({name!r}) AS {name}' for name in names)}, "  # noqa: S608  # names above
        "clock_timestamp() AS time, "
        "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used"
    )
    row = (await connection.execute(query)).one()
    return ServerFacts(
        settings={name: getattr(row, name) for name in names[:-1]},
        time=row.time,
        connections=int(row.max_connections),
        in_use=row.used,
    )
