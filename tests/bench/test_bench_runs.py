"""Benchmarks against a goal run: the short form of `make bench`, whose figures mean nothing."""

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import NoReturn

import pytest

from tests.bench.__main__ import AGAINST_GOALS
from tests.bench.installation import Servers, servers
from tests.bench.options import Options
from tests.conftest import LEFT_OUT
from tests.servers import ServerMissingError

QUICK = Options(quick=True, rounds=1, workers=1)


@pytest.fixture(scope="module")
def running() -> Iterator[Servers]:
    """Start the servers once for all benchmarks."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(servers())
        except ServerMissingError as missing:
            _leave_out(missing)
        yield started


LONGER_FANOUTS = {"delayed", "million"}
"""They run what `fanout` runs, through a slow relay and for longer: half a minute that tells nothing new here."""


@pytest.mark.parametrize("name", [name for name in AGAINST_GOALS if name not in LONGER_FANOUTS])
def test_a_benchmark_measures_something(name: str, running: Servers) -> None:
    """A figure against every goal, each from deliveries that were all recorded as sent."""
    try:
        results = import_module(f"tests.bench.{name}").measure(QUICK, running)
    except ServerMissingError as missing:
        _leave_out(missing)
    assert results
    assert all(math.isfinite(result.figure) for result in results)


def _leave_out(missing: ServerMissingError) -> NoReturn:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(f"{LEFT_OUT}{missing}")
