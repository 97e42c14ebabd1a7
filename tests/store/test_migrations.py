"""The migrations lead to the declared tables, and back, on both databases."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from gateway.store.database import Database
from gateway.store.migrate import configuration, is_current, migrate
from gateway.store.tables import metadata


@pytest_asyncio.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    """Open a database without any table."""
    database = Database(database_url)
    yield database
    await database.close()


def differences(connection: Connection) -> list[Any]:
    """Let Alembic say what it would still change."""
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def downgrade(connection: Connection) -> None:
    """Undo every migration."""
    config = configuration()
    config.attributes["connection"] = connection
    command.downgrade(config, "base")


def table_names(connection: Connection) -> set[str]:
    """Name the tables in the database, Alembic's own left out."""
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


async def test_migrated_is_declared(empty: Database) -> None:
    """After all migrations the database has the declared tables, columns, types and indexes, and nothing else."""
    await migrate(empty)
    async with empty.reading() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(table_names) == set(metadata.tables)


def conditions(connection: Connection) -> dict[str, str]:
    """Give the condition of each partial index as the database has it; Alembic's comparison passes over them."""
    inspector, option = inspect(connection), f"{connection.dialect.name}_where"
    return {
        str(index["name"]): str(index["dialect_options"][option])
        for table in inspector.get_table_names()
        for index in inspector.get_indexes(table)
        if option in index.get("dialect_options", {})
    }


async def test_partial_indexes_have_the_declared_conditions(empty: Database) -> None:
    """An index with another condition would still be there and serve no query."""
    await migrate(empty)
    async with empty.writing() as connection:
        migrated = await connection.run_sync(conditions)
        await connection.run_sync(downgrade)
        await connection.run_sync(metadata.create_all)
        assert await connection.run_sync(conditions) == migrated
    assert "ix_deliveries_due" in migrated


async def test_a_difference_would_be_seen(empty: Database) -> None:
    """The comparison finds a column and an index that somebody changed by hand."""
    await migrate(empty)
    async with empty.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE schools ADD COLUMN surprise TEXT")
        await connection.exec_driver_sql("DROP INDEX ix_deliveries_due")
        found = await connection.run_sync(differences)
    assert {difference[0] for difference in found} == {"remove_column", "add_index"}


async def test_down_and_up_again(empty: Database) -> None:
    """The way back leaves no table behind, and the way up works a second time."""
    await migrate(empty)
    async with empty.writing() as connection:
        await connection.run_sync(downgrade)
        assert await connection.run_sync(table_names) == set()
        assert not await is_current(connection)
    await migrate(empty)
    async with empty.reading() as connection:
        assert await connection.run_sync(differences) == []
        assert await is_current(connection)


async def test_migrating_twice_changes_nothing(empty: Database) -> None:
    """Processes that start together may all ask for the migration."""
    await migrate(empty)
    await migrate(empty)
    async with empty.reading() as connection:
        assert await is_current(connection)
