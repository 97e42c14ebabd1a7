"""The main job in figures: importing the sample, planning it, and the whole of `make run`.

Run it with `python tests/bench/flow.py`; it prints medians of five rounds on SQLite.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.access import Principal, Scope
from gateway.assembly import Gateway, assembled, utc_now
from gateway.cli.demo import REQUESTS, school_morning
from gateway.directory.documents import without_problems
from gateway.directory.model import Directory
from gateway.directory.oneroster import read_oneroster
from gateway.dispatch.roster import Roster
from gateway.settings import read_settings
from gateway.store.planning import due_for_planning

ROUNDS = 5


async def import_and_plan(folder: Path) -> dict[str, float]:
    """Import and plan once; gives seconds by step."""
    environment = {
        "GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/gateway.db",
        "GATEWAY_OUTBOX_DIR": f"{folder}/outbox",
    }
    async with assembled(read_settings(environment), now=school_morning(utc_now())) as gateway:
        started = time.perf_counter()
        directory = await _import(gateway)
        seconds = {"importing the sample school": time.perf_counter() - started}
        principal = Principal(key="bench", name="bench", school=directory.school.id, scopes=frozenset(Scope))
        await gateway.services.intake.accept(principal, REQUESTS["newsletter"](directory), key="bench")
        async with gateway.database.reading() as connection:
            [(notification, _lane)] = await due_for_planning(connection, now=gateway.services.now())
        started = time.perf_counter()
        await gateway.planner.plan(notification)
        seconds[f"planning {len(directory.contacts)} contacts"] = time.perf_counter() - started
    return seconds


async def _import(gateway: Gateway) -> Directory:
    archive = (resources.files("gateway.sample") / "hollins.zip").read_bytes()
    today = gateway.services.now().date()
    reading = without_problems(read_oneroster(archive, today=today).directory, today=today)
    await Roster(gateway.database, gateway.services.library, now=gateway.services.now).replace(reading, today=today)
    return reading.directory


def whole_run(folder: Path) -> float:
    """Time the command behind `make run`, start-up included."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")} | {
        "GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/gateway.db",
        "GATEWAY_OUTBOX_DIR": f"{folder}/outbox",
    }
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "gateway", "demo"], env=environment, check=True, stdout=subprocess.DEVNULL
    )  # our own program
    return time.perf_counter() - started


def main() -> None:
    """Print the medians."""
    seconds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name, value in asyncio.run(import_and_plan(Path(folder))).items():
                seconds.setdefault(name, []).append(value)
        with tempfile.TemporaryDirectory() as folder:
            seconds.setdefault("make run, without set-up", []).append(whole_run(Path(folder)))
    for name, values in seconds.items():
        sys.stdout.write(f"{name:40}{statistics.median(values):8.2f} s\n")


if __name__ == "__main__":
    main()
