"""Bringing the database to the schema of this release."""

import functools
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.database import Database

_SCRIPTS = Path(__file__).parent / "migrations"


def configuration() -> Config:
    """Configure Alembic without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


async def migrate(database: Database) -> None:
    """Run every migration that is still missing, in one transaction each."""
    async with database.reading() as connection:
        if await is_current(connection):  # most starts find it so, and Alembic takes its time to say that
            return
    async with database.writing() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def is_current(connection: AsyncConnection) -> bool:
    """Whether the database has the schema of this release."""
    return await connection.run_sync(revision) == head()


@functools.cache
def head() -> str | None:
    """Name the schema of this release."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def revision(connection: Connection) -> str | None:
    """Name the schema that the database has, None when it has none."""
    return MigrationContext.configure(connection).get_current_revision()
