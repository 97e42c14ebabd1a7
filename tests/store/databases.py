"""Migrated databases for tests: each process of the test run migrates one of a kind and clones it, as that is faster.

A conftest that wants them imports all six fixtures.
"""

import asyncio
import functools
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import BigInteger, Integer
from sqlalchemy.engine import make_url

from gateway.store.database import Database
from gateway.store.migrate import migrate
from gateway.store.tables import metadata
from tests import servers

_SQLITE = "sqlite+aiosqlite:///"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one SQLite file that is never written to again."""
    return migrated_file(tmp_path_factory.mktemp("template") / "gateway.db")


@pytest.fixture(scope="session")
def postgresql_template(postgresql_url: str) -> Iterator[str]:
    """Migrate one PostgreSQL database that is never connected to again, and give its name."""
    name = f"template_{uuid.uuid4().hex}"
    servers.execute_sql(postgresql_url, f"CREATE DATABASE {name}")
    asyncio.run(_migrated(_named(postgresql_url, name)))
    yield name
    servers.execute_sql(postgresql_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def gateway_sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Give a migrated SQLite database of this test's own."""
    path = shutil.copyfile(sqlite_template, tmp_path / "gateway.db")
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="session")
def emptied_postgresql(postgresql_url: str, postgresql_template: str) -> Iterator["Emptied"]:
    """Keep one migrated PostgreSQL database for the tests of this process, one after the other."""
    emptied = Emptied(postgresql_url, postgresql_template)
    yield emptied
    emptied.drop()


@pytest.fixture
def gateway_postgresql_url(emptied_postgresql: "Emptied") -> Iterator[str]:
    """Give a migrated PostgreSQL database that has no rows and is nobody else's meanwhile."""
    yield emptied_postgresql.give()
    emptied_postgresql.take_back()


class Emptied:
    """A database that is emptied after each test: making a new one takes PostgreSQL 0.2 to 0.5 s (measured)."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._name: str | None = None

    def give(self) -> str:
        """Give the database, a new one if there is none."""
        if self._name is None:
            self._name = f"test_{uuid.uuid4().hex}"
            servers.execute_sql(self._server, f"CREATE DATABASE {self._name} TEMPLATE {self._template}")
        return _named(self._server, self._name)

    def take_back(self) -> None:
        """Empty it; one whose tables a test has changed, or still holds, is thrown away."""
        try:
            servers.execute_sql(self.give(), _EMPTY)
        except (OSError, asyncpg.PostgresError):
            self.drop()

    def drop(self) -> None:
        """Throw it away."""
        if self._name is not None:
            servers.execute_sql(self._server, f"DROP DATABASE {self._name} WITH (FORCE)")
            self._name = None


_EMPTY = "; ".join(
    [
        "SET lock_timeout = '2s'",
        *(f'DELETE FROM "{table.name}"' for table in metadata.sorted_tables),  # noqa: S608  # our own tables' names
        *(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), 1, false)"
            for table in metadata.sorted_tables
            if "id" in table.c and isinstance(table.c.id.type, Integer | BigInteger)
        ),
    ]
)


@pytest.fixture(params=["sqlite", "postgresql"])
def gateway_database_url(request: pytest.FixtureRequest) -> str:
    """Give a migrated database of this test's own: the test runs once on SQLite, once on PostgreSQL."""
    return str(request.getfixturevalue(f"gateway_{request.param}_url"))


def migrated_file(path: Path) -> Path:
    """Make a migrated SQLite database, unless the file is there already."""
    if not path.exists():
        path.write_bytes(_migrated_bytes())
    return path


def laid_out(url: str) -> str:
    """Make the file of an SQLite URL a migrated database, unless it is there already; gives the URL."""
    if url.startswith(_SQLITE):
        migrated_file(Path(url.removeprefix(_SQLITE)))
    return url


@functools.cache
def _migrated_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        path = Path(folder) / "gateway.db"
        # In a thread: whoever asks may be in a loop of its own.
        pool.submit(asyncio.run, _migrated(f"sqlite+aiosqlite:///{path}")).result()
        return path.read_bytes()


async def _migrated(url: str) -> None:
    database = Database(url)
    try:
        await migrate(database)
    finally:
        await database.close()


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
