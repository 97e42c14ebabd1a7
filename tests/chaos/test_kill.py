"""A killed gateway loses nothing and sends nothing twice: the short form for every test run.

The long form, `make chaos ARGS="--schedules 20"`, prints totals.
"""

import random
from pathlib import Path

from tests.chaos import distributed, embedded

SEED = 20260615


def test_killed_again_and_again_the_demonstration_ends_as_in_peace(tmp_path: Path) -> None:
    """Three kills at seeded moments of one run: the same decisions, messages and deliveries, each left once."""
    peace = embedded.run_in_peace(tmp_path / "peace")
    assert peace.faults == []
    chance = random.Random(SEED)  # noqa: S311  # repeatable on purpose
    schedule = embedded.run_with_kills(tmp_path / "war", peace, chance, kills=3)
    assert schedule.faults == []
    assert schedule.kills == 3


def test_killed_workers_leave_nothing_behind(tmp_path: Path, postgresql_database: str, redis_database: str) -> None:
    """Two of the workers on PostgreSQL and Redis die at their work: others take it over, once."""
    chance = random.Random(SEED)  # noqa: S311  # the same
    schedule = distributed.run_with_kills(tmp_path, postgresql_database, redis_database, chance, kills=2, patient=False)
    assert schedule.faults == []
