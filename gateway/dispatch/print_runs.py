"""Print runs: closed, printed into files, published for the printer, uploaded; each step repeated until it is done.

A run takes its letters in one transaction, and no other run gets them. Whatever fails or dies before they are on paper,
the next try gives them back first and decides about them anew: a weekend may lie between. From the transaction on that
records where each letter is nothing takes them back; it decides whose folder counts.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.letter_jobs import Job, Made
from channels.letter_press import LETTERS_A_FILE, PressError
from channels.letter_sftp import UploadError
from channels.letter_spool import clear_away, left_behind
from gateway.content.phrases import Phrases
from gateway.directory.addresses import country_of
from gateway.directory.model import School
from gateway.dispatch.deciding import school_of
from gateway.dispatch.print_closing import Closing, still_fit
from gateway.dispatch.print_folder import LISTS, Printed, clear_work, publish, put_together, read_letters, write_lists
from gateway.dispatch.print_news import late_letters, not_printed, printed, stuck, too_late
from gateway.dispatch.print_plan import job_of, plan_files
from gateway.dispatch.recalling import LetterHouse, Recall
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.stopping import heard_out
from gateway.rules.postage import Postbag
from gateway.store.database import Database
from gateway.store.print_runs import (
    deadlines_of,
    enter_letters,
    give_back,
    letters_of,
    place_letters,
    renew_run,
    still_waiting,
    take_run,
    update_run,
    wanted_run,
)
from gateway.store.receipts import keep_receipts
from gateway.store.tasks import add_tasks

_log = logging.getLogger(__name__)

WAKE_UP = "print"
"""The kind of wake-up that a worker answers by seeing to a run."""

LEASE = dt.timedelta(seconds=60)
_RENEWAL_SECONDS = 15.0

PAUSES = (1, 2, 5, 15, 30, 60)
"""Minutes until what failed is tried again."""

PATIENCE = 4
"""After so many failures in a row staff hear of it."""

Press = Callable[[Sequence[Job]], Awaitable[list[Made]]]

_Answer = TypeVar("_Answer")


class Courier(Protocol):
    """Brings a closed run to a print house."""

    async def bring(self, folder: Path, run: str, names: Sequence[str]) -> None:
        """Upload files in this order; harmless when repeated; raises `UploadError`."""


@dataclass(frozen=True, kw_only=True)
class PrintTerms:
    """How an installation prints."""

    spool: Path
    postbag: Postbag = field(default_factory=Postbag)
    run_size: int = 5_000
    duplex: bool = True


class _StoppedError(Exception):
    """The worker is told to stop in the middle of something that can be begun again."""


class PrintRuns:
    """Works on the runs it is woken for; any number of workers may share the spool."""

    def __init__(  # noqa: PLR0913  # all it works with; the assembly names each
        self,
        database: Database,
        receipts: ReceiptDesk,
        recall: Recall,
        house: LetterHouse,
        press: Press,
        courier: Courier | None,
        *,
        terms: PrintTerms,
        phrases: Callable[[str], Phrases],
        owner: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._receipts = receipts
        self._press = press
        self._courier = courier
        self._terms = terms
        self._phrases = phrases
        self._owner = owner
        self._now = now
        self._closing = Closing(database, recall, house, spool=terms.spool, most=terms.run_size, now=now)

    async def work(self, run: str) -> None:
        """Do what is to be done about a run; told to stop, leave it to another worker."""
        await heard_out(lambda stopping: self._work(run, stopping))

    async def _work(self, name: str, stopping: asyncio.Event) -> None:
        now, owner = self._now(), f"{self._owner}-{secrets.token_hex(4)}"
        async with self._database.writing() as connection:
            run: Any = await take_run(connection, name, owner=owner, now=now, until=now + LEASE)
        if run is None:
            return
        try:
            async with self._renewed(run):
                following = await self._begun_anew(run) if run.status == "printing" else run
                while following is not None and following.due_at is not None and not stopping.is_set():
                    run = following
                    following = await self._step(run, stopping)
        except _StoppedError:
            pass
        except (PressError, UploadError, OSError) as error:
            await self._put_off(run, _sentence(error))
        except Exception:
            await self._put_off(run, "The gateway itself failed; the operator must look at its log.")
            raise
        finally:
            async with self._database.writing() as connection:
                await update_run(connection, name, {"owner": None, "lease_until": None}, owner=owner)
        await self._receipts.take_parked()

    async def _step(self, run: Any, stopping: asyncio.Event) -> Any:
        match run.status:
            case "wanted":
                return await self._close(run)
            case "printing":
                return await self._print(run, stopping)
            case "printed":
                return await self._publish(run)
            case _:
                return await self._bring(run, stopping)

    async def _begun_anew(self, run: Any) -> Any:
        """Give back the letters of a try that came to nothing: what was decided about them may not hold any more.

        Where the school's next run is asked for already, that one takes them.
        """
        now = self._now()
        async with self._database.writing() as connection:
            values: dict[str, Any] = {"status": "wanted", "letters": 0}
            if await wanted_run(connection, run.school) is not None:
                values |= {"status": "empty", "closed_at": now, "due_at": None}
            following = await self._updated(connection, run, values)
            if following is not None:
                await give_back(connection, run.id)
        return following

    async def _close(self, run: Any) -> Any:
        """Decide a last time about everything that waits, and enter what may be printed."""
        now = self._now()
        cleared = await self._closing.cleared(run)
        async with self._database.writing() as connection:
            rows = await still_fit(connection, run.school, sorted(cleared))
            late = {row.id for row in rows if row.expires_at is not None and row.expires_at <= now}
            entered = await enter_letters(connection, run.id, [row.id for row in rows if row.id not in late])
            values: dict[str, Any] = {"status": "printing", "letters": len(entered)}
            if not entered:
                values = {"status": "empty", "closed_at": now, "due_at": None}
            following = await self._updated(connection, run, values)
            if following is not None and late:
                await keep_receipts(connection, [too_late(each, now) for each in late], at=now, look_at=now)
        return following

    async def _print(self, run: Any, stopping: asyncio.Event) -> Any:
        """Make the files and the lists in a folder of this worker's own, then record them."""
        async with self._database.reading() as connection:
            deliveries = [row.delivery for row in await letters_of(connection, run.id)]
            school, _version = await school_of(connection, run.school)
        spool, duplex = self._terms.spool, self._terms.duplex
        letters, lost = await asyncio.to_thread(read_letters, spool, deliveries)
        files = plan_files(letters, most=LETTERS_A_FILE)
        # What earlier tries have left would fill the disk, one upon the other.
        await asyncio.to_thread(clear_work, spool / "work", run.id)
        folder = spool / "work" / f"{run.id}.{run.owner.rpartition('/')[2]}"
        await asyncio.to_thread(folder.mkdir, parents=True)
        jobs = [
            job_of(
                file,
                run=run.id,
                day=run.created_at.astimezone(ZoneInfo(school.timezone)).date(),
                country=country_of(school.jurisdiction),
                words=self._phrases(school.language),
                duplex=duplex,
                spool=str(spool),
                folder=str(folder),
            )
            for file in files
        ]
        try:
            made = await _unless_stopped(self._press(jobs), stopping)
            result = put_together(list(zip(files, made, strict=True)), lost, duplex=duplex)
            await asyncio.to_thread(write_lists, folder, run.id, result)
        except Exception:
            await asyncio.to_thread(clear_work, spool / "work", run.id)
            raise
        return await self._record(run, school, folder, result)

    async def _record(self, run: Any, school: School, folder: Path, result: Printed) -> Any:
        """Say what became of the letters, if the run is still this worker's."""
        now = self._now()
        async with self._database.writing() as connection:
            values = {
                "status": "printed",
                "folder": str(folder.relative_to(self._terms.spool)),
                "files": msgspec.json.encode(result.files).decode(),
                "letters": len(result.rows),
                "sheets": sum(row["sheets"] for row in result.rows),
                "closed_at": now,
                "failures": 0,
                "fault": None,
            }
            updated = await self._updated(connection, run, values)
            if updated is not None:
                await place_letters(connection, result.rows)
                news = [printed(run.id, row["delivery"], now) for row in result.rows]
                news += [not_printed(run.id, failure, now) for failure in result.failures]
                await keep_receipts(connection, news, at=now, look_at=now)
                due = await deadlines_of(connection, run.id)
                late = late_letters(run, school, due, result.rows, self._terms.postbag, now)
                await add_tasks(connection, list(late))
        return updated

    async def _publish(self, run: Any) -> Any:
        """Put the folder where the printer finds it, and clear away what nobody needs; print anew if it is lost."""
        spool, name = self._terms.spool, f"runs/{run.id}"
        if not await asyncio.to_thread(publish, spool / run.folder, spool / name):
            async with self._database.writing() as connection:
                return await self._updated(connection, run, {"status": "printing"})
        old = await asyncio.to_thread(left_behind, spool, now=self._now())
        async with self._database.reading() as connection:
            printed_ones = [row.delivery for row in await letters_of(connection, run.id)]
            waiting = await still_waiting(connection, old)
        await asyncio.to_thread(clear_away, spool, [*printed_ones, *(each for each in old if each not in waiting)])
        await asyncio.to_thread(clear_work, spool / "work", run.id)
        due = None if self._courier is None else self._now()
        async with self._database.writing() as connection:
            return await self._updated(connection, run, {"status": "closed", "folder": name, "due_at": due})

    async def _bring(self, run: Any, stopping: asyncio.Event) -> Any:
        """Bring the files to the print house."""
        if self._courier is not None:
            names = [file["name"] for file in msgspec.json.decode(run.files)]
            bringing = self._courier.bring(self._terms.spool / run.folder, run.id, [*names, *LISTS])
            await _unless_stopped(bringing, stopping)
        values = {"uploaded_at": self._now(), "due_at": None, "failures": 0, "fault": None}
        async with self._database.writing() as connection:
            return await self._updated(connection, run, values)

    async def _updated(self, connection: AsyncConnection, run: Any, values: Mapping[str, Any]) -> Any:
        """Write what has come of a run, and give it as it is then; None when another worker has it by now."""
        return _Run(run, values) if await update_run(connection, run.id, values, owner=run.owner) else None

    async def _put_off(self, run: Any, fault: str) -> None:
        """Try again later, and let staff know when it fails for long."""
        now, failures = self._now(), run.failures + 1
        pause = dt.timedelta(minutes=PAUSES[min(failures, len(PAUSES)) - 1])
        async with self._database.writing() as connection:
            values = {"failures": failures, "fault": fault, "due_at": now + pause}
            if await update_run(connection, run.id, values, owner=run.owner) and failures >= PATIENCE:
                await add_tasks(connection, [stuck(run, fault, now)])
        _log.warning("print_run_failed", extra={"run": run.id, "failures": failures})

    @contextlib.asynccontextmanager
    async def _renewed(self, run: Any) -> AsyncIterator[None]:
        """Keep the run as long as the work lasts."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(_RENEWAL_SECONDS)
                try:
                    async with self._database.writing() as connection:
                        await renew_run(connection, run.id, owner=run.owner, until=self._now() + LEASE)
                except Exception:  # noqa: BLE001  # one missed renewal is no reason to lose the run
                    _log.exception("lease_not_renewed")

        renewal = asyncio.ensure_future(renew())
        try:
            yield
        finally:
            renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewal


class _Run:
    """A run's row with what has been written since it was read."""

    def __init__(self, row: Any, values: Mapping[str, Any]) -> None:
        self._row = row
        self._values = values

    def __getattr__(self, name: str) -> Any:
        return self._values[name] if name in self._values else getattr(self._row, name)


async def _unless_stopped(work: Awaitable[_Answer], stopping: asyncio.Event) -> _Answer:
    """Wait for something that may be cancelled at any point; raises `_StoppedError` when it was."""
    working = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            raise _StoppedError
        return working.result()
    finally:
        stop.cancel()
        await asyncio.gather(stop, return_exceptions=True)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The letter spool cannot be used ({error.strerror or type(error).__name__})."
    return str(error)
