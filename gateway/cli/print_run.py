"""`gateway print-run`: closes a print run of all letters that wait, and waits until it is ready."""

import sys

from gateway.assembly import assembled
from gateway.dispatch.refusals import Refused
from gateway.settings import Settings
from gateway.store.print_runs import run_of_any_school


async def close_print_runs(settings: Settings) -> int:
    """Print what waits, school by school, and say where it is; 1 when something could not be printed."""
    async with assembled(settings) as gateway:
        desk, failed = gateway.services.printing, False
        schools = await desk.schools_waiting()
        if not schools:
            _say("No letter waits for a print run.")
        for school in schools:
            try:
                name = await desk.close_for(school, None)
            except Refused as refused:  # another process was quicker
                _say(refused.detail)
                continue
            await gateway.print_runs.work(name)
            async with gateway.database.reading() as connection:
                run = await run_of_any_school(connection, name)
            failed = failed or run.fault is not None
            if run.fault is not None:
                print(f"gateway: Print run {name}: {run.fault}", file=sys.stderr)  # noqa: T201  # the command's voice
            elif run.status == "closed":
                folder = settings.letters.letter_spool_dir / run.folder
                _say(f"Print run {name}: {run.letters} letters on {run.sheets} sheets in {folder}")
            else:
                _say(f"Print run {name} is {run.status}.")
    return 1 if failed else 0


def _say(sentence: str) -> None:
    print(sentence)  # noqa: T201  # the command line's own voice
