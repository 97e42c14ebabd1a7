"""`python -m tests.chaos --schedules N --kills K --seed S`: faults at random moments; exits 1 when anything is lost.

Schedule n of seed S has the same faults at the same moments in every run; what they meet there is up to the machine.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import servers
from tests.chaos import embedded
from tests.chaos.faults import LASTING, Fault, Stage, plan, timed
from tests.chaos.schedules import Schedule, look_again, run
from tests.chaos.stage import Servers, running_servers, set_up

_STAGES = (*[Stage.PROVIDERS] * 6, Stage.OUTBOX, *[Stage.SMALL_PROVIDERS] * 2, Stage.SMALL_OUTBOX)
"""Of ten schedules in a row."""

RECOVERS_WITHIN = 60.0
"""Seconds from the last fault's end to rest, with the product's own leases (issue 4)."""


def main() -> int:
    """Run the schedules and print the totals."""
    options = _parser().parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as name, _servers() as running:
        folder = Path(name)
        done = asyncio.run(_every_schedule(folder, running, options))
        _tell_totals(done, time.monotonic() - started)
        patient = asyncio.run(_patient_ones(folder, running, options))
        faults = [fault for schedule in (*done, *patient) for fault in schedule.faults]
        faults += _demonstrations(folder, options)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3, help="faults a schedule")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first schedule, to see one again")
    parser.add_argument("--patient", type=int, default=2, help="schedules with the product's own leases at the end")
    parser.add_argument("--demonstrations", type=int, default=2, help="demonstrations that are killed at the end")
    return parser


@contextmanager
def _servers() -> Iterator[Servers | None]:
    with ExitStack() as stack:
        running = None
        try:
            running = stack.enter_context(running_servers())
        except servers.ServerMissingError as missing:
            _say(f"PostgreSQL and Redis left out: {missing}")
        yield running


async def _every_schedule(folder: Path, running: Servers | None, options: argparse.Namespace) -> list[Schedule]:
    """Run the schedules stage by stage: those on PostgreSQL and those on SQLite side by side."""
    numbers = range(options.first, options.first + options.schedules)
    of_stage = {stage: [number for number in numbers if _STAGES[number % len(_STAGES)] is stage] for stage in Stage}

    async def play(stages: Sequence[Stage]) -> list[Schedule]:
        done: list[Schedule] = []
        for stage in stages:
            if of_stage[stage] and (running is not None or not stage.distributed):
                done += await _on_stage(folder / stage.name, stage, running, of_stage[stage], options)
        return done

    both = await asyncio.gather(
        play([stage for stage in Stage if stage.distributed]), play([stage for stage in Stage if not stage.distributed])
    )
    return [schedule for done in both for schedule in done]


async def _on_stage(
    folder: Path, stage: Stage, running: Servers | None, numbers: Sequence[int], options: argparse.Namespace
) -> list[Schedule]:
    done = []
    async with set_up(stage, folder, running, random.Random(options.seed)) as scene:  # noqa: S311  # repeatable
        for number in numbers:
            chance = random.Random(f"{options.seed}/{number}")  # noqa: S311  # the same
            done.append(await run(scene, f"chaos-{number}", plan(chance, stage, options.kills), chance))
            _tell(done[-1])
        received = scene.received(before=scene.received())
        for schedule in done:
            known = len(schedule.faults)
            await look_again(scene, schedule, received)
            if len(schedule.faults) > known:
                _tell(schedule)
    return done


async def _patient_ones(folder: Path, running: Servers | None, options: argparse.Namespace) -> list[Schedule]:
    """Kill workers and planners of an installation that keeps the product's own times and see how recovery goes."""
    if running is None or not options.patient:
        return []
    done = []
    _say("With the product's own leases:")
    place = folder / "patient"
    async with set_up(Stage.PROVIDERS, place, running, random.Random(options.seed), hurried=False) as scene:  # noqa: S311  # repeatable
        for number in range(options.patient):
            chance = random.Random(f"{options.seed}/patient/{number}")  # noqa: S311  # the same
            strikes = timed(chance, [Fault.WORKER_KILLED, Fault.PLANNER_KILLED, chance.choice(LASTING)])
            done.append(await run(scene, f"patient-{number}", strikes, chance, within=3 * RECOVERS_WITHIN))
            if done[-1].recovery > RECOVERS_WITHIN:
                done[-1].faults.append(f"recovery took more than {RECOVERS_WITHIN:.0f} s")
            _tell(done[-1])
    return done


def _demonstrations(folder: Path, options: argparse.Namespace) -> list[str]:
    """Kill the demonstration, with its calls and letters, again and again; it must come to the same as in peace."""
    if not options.demonstrations:
        return []
    peace = embedded.run_in_peace(folder / "peace")
    faults = list(peace.faults)
    for number in range(options.demonstrations):
        chance = random.Random(f"{options.seed}/demonstration/{number}")  # noqa: S311  # repeatable
        war = embedded.run_with_kills(folder / f"war-{number}", peace, chance, kills=options.kills)
        _say(f"demonstration: {war.kills} kills, {war.unanswered} attempts cut off, {len(war.faults)} faults")
        for fault in war.faults[:10]:
            _say(f"  {fault}")
        faults += war.faults
    return faults


def _tell(schedule: Schedule) -> None:
    what = ", ".join(f"{strike.fault} at {strike.at:.1f}" for strike in schedule.strikes)
    balance = schedule.balance
    _say(
        f"{schedule.name} ({schedule.stage}): {what}: {balance.deliveries} deliveries, {balance.unknown} unknown, "
        f"{balance.doubled_mails + balance.doubled_texts} doubled, {balance.tasks} tasks, "
        f"rest after {schedule.recovery:.1f} s, {len(schedule.faults)} faults"
    )
    for fault in schedule.faults[:10]:
        _say(f"  {fault}")


def _tell_totals(done: Sequence[Schedule], seconds: float) -> None:
    kinds = Counter(strike.fault for schedule in done for strike in schedule.strikes if strike not in schedule.missed)
    balances = [schedule.balance for schedule in done]
    _say("")
    for fault in Fault:
        _say(f"{kinds[fault]:5} {fault}")
    _say(
        f"{len(done)} schedules in {seconds / 60:.0f} min, {kinds.total()} faults made, "
        f"{sum(balance.deliveries for balance in balances)} deliveries, "
        f"{sum(balance.unknown for balance in balances)} attempts without an answer, "
        f"{sum(balance.doubled_mails for balance in balances)} mails and "
        f"{sum(balance.doubled_texts for balance in balances)} texts doubled within unknown, "
        f"{sum(balance.tasks for balance in balances)} left to people as tasks, "
        f"worst recovery {max((schedule.recovery for schedule in done), default=0):.1f} s, "
        f"{sum(len(schedule.faults) for schedule in done)} lost, doubled without doubt or left open."
    )


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
