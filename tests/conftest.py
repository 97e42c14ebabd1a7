"""What all tests share: servers, a fresh database for each test, no network, and a word on what was left out."""

import gc
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy.engine import make_url

from tests import network, servers

LEFT_OUT = "leg skipped: "
"""Starts the reason of every test that was skipped for want of a server."""


def pytest_configure() -> None:
    """Shut out the operator's settings and the network; slow machines are no failures of hypothesis tests."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        if not name.startswith("GATEWAY_TEST_"):
            del os.environ[name]
    given = [os.environ.get(name) for name in (servers.GIVEN_POSTGRESQL, servers.GIVEN_REDIS)]
    network.keep_inside(host for url in given if url and (host := make_url(url).host))
    gc.set_threshold(50_000, 20, 100)  # as the product does: it makes no fewer objects here
    hypothesis.settings.register_profile("gateway", deadline=None, derandomize=_is_ci())
    hypothesis.settings.load_profile("gateway")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which legs were skipped, and how to run them."""
    reasons = {str(report.longrepr[2]) for report in terminalreporter.getreports("skipped")}
    legs = sorted(reason.partition(LEFT_OUT)[2] for reason in reasons if LEFT_OUT in reason)
    if legs:
        terminalreporter.write_sep("=", "legs skipped", yellow=True)
        for leg in legs:
            terminalreporter.write_line(leg)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Run a PostgreSQL server, `postgresql+asyncpg://…`; its own database is for creating others only."""
    yield from _serve(servers.postgresql)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Run a Redis server, `redis://…` without a database number."""
    yield from _serve(servers.redis_server)


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[str]:
    """Make an empty PostgreSQL database of this test's own and give its URL."""
    name = f"test_{uuid.uuid4().hex}"
    servers.execute_sql(postgresql_url, f"CREATE DATABASE {name}")
    yield make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)
    servers.execute_sql(postgresql_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis_database(redis_url: str, worker_id: str) -> Iterator[str]:
    """Give the URL of an empty Redis database: each process of the test run uses a number of its own."""
    number = 1 + int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    url = f"{redis_url}/{number}"
    servers.empty_redis(url)
    yield url
    servers.empty_redis(url)


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """Give a database of this test's own: an empty one, unless a folder's conftest says otherwise."""
    return empty_database_url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give an empty database of this test's own: the test runs once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}"
    return str(request.getfixturevalue("postgresql_database"))


def _serve(server: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            url = stack.enter_context(server())
        except servers.ServerMissingError as missing:
            if _is_ci():
                pytest.fail(str(missing), pytrace=False)
            pytest.skip(f"{LEFT_OUT}{missing}")
        yield url


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"
