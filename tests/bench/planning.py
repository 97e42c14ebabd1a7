"""Planning from 1,000 to 100,000 contacts: seconds and peak memory, each size in a process of its own.

Run it with `python tests/bench/planning.py [contacts …]`. The directory is written by another process, so that the
peak is the planner's own: it must not grow by 50 MB, and the time per contact must stay the same.
"""

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.access import Principal, Scope
from gateway.assembly import assembled, utc_now
from gateway.directory.documents import Reading
from gateway.directory.model import Category
from gateway.dispatch.requests import Audience, FreeContent, NotificationRequest, Purpose
from gateway.dispatch.roster import Roster
from gateway.settings import Settings, read_settings
from gateway.store.planning import due_for_planning
from tests.bench.rules import school

SIZES = (1_000, 10_000, 100_000)
_CONTACTS_PER_STUDENT = 4 / 3
"""In the schools that `tests.bench.rules` makes."""

LETTER = NotificationRequest(
    category=Category.NEWSLETTER,
    purpose=Purpose.INFORMATION,
    audience=Audience(everyone=True),
    content=FreeContent(language="en", subject="News", body="Dear ((contact_name)), here is the news."),
)


def settings_for(folder: str) -> Settings:
    """Use a database in this folder."""
    return read_settings(
        {"GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/gateway.db", "GATEWAY_LOG_LEVEL": "ERROR"}
    )


async def write_directory(folder: str, contacts: int) -> None:
    """Put a school of this size on record."""
    directory = school(round(contacts / _CONTACTS_PER_STUDENT))
    reading = Reading(directory=directory, refused=(), mentioned=frozenset())
    async with assembled(settings_for(folder)) as gateway:
        await Roster(gateway.database, gateway.services.library, now=utc_now).replace(reading, today=utc_now().date())
        principal = Principal(key="bench", name="bench", school=directory.school.id, scopes=frozenset(Scope))
        await gateway.services.intake.accept(principal, LETTER, key=None)


async def plan(folder: str) -> float:
    """Plan what waits; gives seconds."""
    async with assembled(settings_for(folder)) as gateway:
        async with gateway.database.reading() as connection:
            [(notification, _lane)] = await due_for_planning(connection, now=utc_now())
        started = time.perf_counter()
        await gateway.planner.plan(notification)
        return time.perf_counter() - started


def in_own_process(step: str, folder: str, contacts: int) -> str:
    """Run one step apart, so that its memory is only its own."""
    command = [sys.executable, __file__, step, folder, str(contacts)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # ourselves


def main() -> None:
    """Print a line a size."""
    if len(sys.argv) == 4 and sys.argv[1] in {"write", "plan"}:
        step, folder, contacts = sys.argv[1], sys.argv[2], int(sys.argv[3])
        if step == "write":
            asyncio.run(write_directory(folder, contacts))
            return
        seconds = asyncio.run(plan(folder))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(
            f"{contacts:>8,} contacts: {seconds:7.2f} s, {contacts / seconds:8,.0f}/s, peak {peak:5.0f} MB\n"
        )
        return
    for contacts in map(int, sys.argv[1:] or SIZES):
        with tempfile.TemporaryDirectory() as folder:
            in_own_process("write", folder, contacts)
            sys.stdout.write(in_own_process("plan", folder, contacts))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
