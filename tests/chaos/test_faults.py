"""Whatever goes wrong, nothing is lost, and nothing is doubled outside `unknown`: the short form of `make chaos`."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.chaos.faults import Stage, possible, timed
from tests.chaos.schedules import DELIVERIES, Schedule, run
from tests.chaos.stage import Servers, running_servers, set_up
from tests.conftest import LEFT_OUT, _is_ci
from tests.servers import ServerMissingError

SEED = 20260615

WITHIN = 150.0
"""Seconds to rest on a machine that is busy with other tests; `make chaos` holds recovery to its goal."""


@pytest.mark.parametrize("stage", Stage, ids=lambda stage: stage.name.lower())
def test_every_fault_of_a_stage_is_survived(stage: Stage, tmp_path: Path) -> None:
    """Every kind of fault that an installation can meet, all in one schedule."""
    with _servers(stage) as servers:
        schedule = asyncio.run(_schedule(stage, tmp_path, servers))
    assert schedule.faults == []
    assert {strike.fault for strike in schedule.strikes} == set(possible(stage))
    assert schedule.missed == ()
    assert schedule.balance.deliveries >= DELIVERIES


async def _schedule(stage: Stage, folder: Path, servers: Servers | None) -> Schedule:
    chance = random.Random(f"{SEED}/{stage}")  # noqa: S311  # repeatable on purpose
    async with set_up(stage, folder, servers, chance) as scene:
        return await run(scene, "short", timed(chance, possible(stage)), chance, within=WITHIN)


@contextmanager
def _servers(stage: Stage) -> Iterator[Servers | None]:
    """Run what the stage needs; without the programs its leg is left out, but not in CI."""
    with ExitStack() as stack:
        running = None
        if stage.distributed:
            try:
                running = stack.enter_context(running_servers())
            except ServerMissingError as missing:
                if _is_ci():
                    pytest.fail(str(missing), pytrace=False)
                pytest.skip(f"{LEFT_OUT}{missing}")
        yield running
