"""Each test of the gate runs on both ways to coordinate."""

import pytest

from tests.gate.workers import Clock


@pytest.fixture(params=["in_process", "on_redis"])
def shared_on(request: pytest.FixtureRequest) -> str | None:
    """Say where workers coordinate: in one process, or on an empty Redis database."""
    return request.getfixturevalue("redis_database") if request.param == "on_redis" else None


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands at noon."""
    return Clock()
