"""`python -m tests.chaos --schedules N --seed S`: kills at random moments; exits 1 when anything is lost or doubled."""

import argparse
import random
import sys
import tempfile
import time
import uuid
from pathlib import Path

from sqlalchemy.engine import make_url

from tests import servers
from tests.chaos import distributed, embedded
from tests.chaos.embedded import Schedule


def main() -> int:
    """Run the schedules and print the totals."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--schedules", type=int, default=5, help="runs of each kind")
    parser.add_argument("--kills", type=int, default=5, help="kills a run")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311  # repeatable on purpose
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as name:
        folder = Path(name)
        done = _embedded(folder, chance, options.schedules, options.kills)
        done += _distributed(folder, chance, options.schedules, options.kills)
    faults = [fault for schedule in done for fault in schedule.faults]
    _say(
        f"{len(done)} runs, {sum(schedule.kills for schedule in done)} kills, "
        f"{sum(schedule.unanswered for schedule in done)} attempts cut off, {len(faults)} lost, doubled or left open."
    )
    return 1 if faults else 0


def _embedded(folder: Path, chance: random.Random, schedules: int, kills: int) -> list[Schedule]:
    peace = embedded.run_in_peace(folder / "peace")
    _say(f"In peace {peace.pieces} pieces leave; faults: {len(peace.faults)}")
    done = []
    for number in range(schedules):
        started = time.monotonic()
        run = embedded.run_with_kills(folder / f"embedded-{number}", peace, chance, kills=kills)
        done.append(_told("embedded", run, started))
    return done


def _distributed(folder: Path, chance: random.Random, schedules: int, kills: int) -> list[Schedule]:
    done = []
    try:
        with servers.postgresql() as postgresql, servers.redis_server() as redis:
            for number in range(schedules):
                database = f"chaos_{uuid.uuid4().hex}"
                servers.execute_sql(postgresql, f"CREATE DATABASE {database}")
                url = make_url(postgresql).set(database=database).render_as_string(hide_password=False)
                servers.empty_redis(f"{redis}/0")
                place, started = folder / f"distributed-{number}", time.monotonic()
                run = distributed.run_with_kills(place, url, f"{redis}/0", chance, kills=kills, patient=True)
                done.append(_told("distributed", run, started))
                servers.execute_sql(postgresql, f"DROP DATABASE {database} WITH (FORCE)")
    except servers.ServerMissingError as missing:
        _say(f"distributed left out: {missing}")
    return done


def _told(kind: str, run: Schedule, started: float) -> Schedule:
    seconds = time.monotonic() - started
    _say(f"{kind}: {run.kills} kills, {run.unanswered} cut off, {len(run.faults)} faults, {seconds:.0f} s")
    for fault in run.faults[:10]:
        _say(f"  {fault}")
    return run


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
