"""What staff do about print runs: close one by hand, say when it was posted, say what the post brought back."""

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Receipt, ReceiptStatus
from channels.letter_spool import SpoolLetters
from gateway.access import Principal
from gateway.directory.model import ChannelName, School
from gateway.dispatch.by_hand import let_go
from gateway.dispatch.deciding import school_of
from gateway.dispatch.messages import students_of
from gateway.dispatch.print_folder import LISTS
from gateway.dispatch.print_news import posted
from gateway.dispatch.print_rounds import wanted
from gateway.dispatch.print_runs import WAKE_UP, PrintTerms
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.requests import Lane
from gateway.dispatch.scripts import SHOWN
from gateway.dispatch.wakeups import WakeUps
from gateway.store.database import Database
from gateway.store.print_runs import (
    enter_people,
    find_letter,
    find_run,
    last_run,
    letters_of,
    lock_of_notification,
    post_run,
    readers_of,
    waiting_letters,
    want_run,
    wanted_run,
)
from gateway.store.receipts import keep_receipts
from gateway.tracking.states import News, State

_LEFT = frozenset({State.SENT, State.DELIVERED, State.FAILED, State.UNKNOWN})
_NOON = dt.time(12)


class PrintDesk:
    """Answers for one school at a time."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        receipts: ReceiptDesk,
        *,
        terms: PrintTerms,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._receipts = receipts
        self._terms = terms
        self._now = now

    async def close(self, principal: Principal) -> str:
        """Ask for a run of all that waits, and let a worker begin; gives its id."""
        return await self.close_for(principal.school, principal.key)

    async def close_for(self, school: str, by: str | None) -> str:
        """Do so for a school; raises `Refused` when no letter waits."""
        async with self._database.writing() as connection:
            if not any(each.school == school for each in await waiting_letters(connection, "spool")):
                raise Refused(409, "No letter waits for a print run.")
            run = await want_run(connection, wanted(school, "by_hand", by, self._now()))
            if run is None:
                # A worker may have begun it since: then it is the school's latest.
                asked = await wanted_run(connection, school) or await last_run(connection, school)
                run = "" if asked is None else str(asked.id)
        await self._wakeups.wake(WAKE_UP, Lane.LETTERS, [run])
        return run

    async def call_off(self, connection: AsyncConnection, notification: str) -> int:
        """Take back the letters of a cancelled notification; gives how many were certainly not printed.

        Of those that another house has the clock's next round hears.
        """
        now = self._now()
        rows = await lock_of_notification(connection, SpoolLetters.name, notification)
        await let_go(connection, rows, News.CALLED_OFF, ("cancelled", "Withdrawn by the sender."), now=now)
        return len(rows)

    async def schools_waiting(self) -> list[str]:
        """Name the schools whose letters wait."""
        async with self._database.reading() as connection:
            return [each.school for each in await waiting_letters(connection, "spool")]

    async def note_posted(self, principal: Principal, run: str, on: dt.date) -> None:
        """Note on which day a run was posted, and tell its deliveries; the same day may be told again."""
        now = self._now()
        async with self._database.writing() as connection:
            row = await _found(connection, principal.school, run, lock=True)
            school, _version = await school_of(connection, principal.school)
            self._check_day(row, on, school)
            await post_run(connection, run, on)
            noon = dt.datetime.combine(on, _NOON, tzinfo=ZoneInfo(school.timezone))
            at = min(now, max(noon, row.closed_at))
            letters = await letters_of(connection, run)
            news = [posted(run, letter.delivery, on, at) for letter in letters if letter.file is not None]
            news = await keep_receipts(connection, news, at=now, look_at=now)
        await self._receipts.apply(news)

    async def note_returned(self, principal: Principal, delivery: str, reason: str) -> None:
        """Note that the post brought a letter back: its address is dead for everyone who has it (R34)."""
        async with self._database.reading() as connection:
            row = await find_letter(connection, principal.school, delivery)
        if row is None:
            raise Refused(404, "There is no letter with this id.")
        if row.merged_into is not None:
            raise Refused(409, f"This letter travelled with another: report {row.merged_into} in its place.")
        if State(row.state) not in _LEFT or (row.provider == SpoolLetters.name and row.file is None):
            raise Refused(409, "This letter has not left, so it cannot have come back.")
        receipt = Receipt(
            provider=row.provider,
            event_id=f"returned:{delivery}",
            status=ReceiptStatus.RETURNED,
            at=self._now(),
            delivery=delivery,
            provider_id=row.provider_id,
            code="returned",
            explanation=f"The post brought the letter back: {reason}",
            address_dead=True,
        )
        await self._receipts.take([receipt])

    async def file(self, principal: Principal, run: str, name: str) -> Path:
        """Find a file of a run; raises `Refused`. Whose letters and addresses it shows is put on record (R36)."""
        async with self._database.reading() as connection:
            row = await _found(connection, principal.school, run)
        names = [*(file["name"] for file in msgspec.json.decode(row.files)), *LISTS]
        if row.folder is None or name not in names:
            raise Refused(404, "This print run has no such file.")
        path: Path = self._terms.spool / row.folder / name
        if not await asyncio.to_thread(path.is_file):
            raise Refused(409, "This process does not see the letter spool: share GATEWAY_LETTER_SPOOL_DIR with it.")
        if name not in LISTS:
            async with self._database.writing() as connection:
                await self._enter(connection, principal, run, name)
        return path

    async def _enter(self, connection: AsyncConnection, principal: Principal, run: str, name: str) -> None:
        """Put on record who was shown a file of letters."""
        told = {"by": principal.key, "reason": "To print the letters.", "channel": ChannelName.LETTER.value}
        about = [
            {
                "school": principal.school,
                "student": student,
                "contact": row.contact,
                "detail": told | {"notification": row.notification, "point": row.point, "print_run": run, "file": name},
            }
            for row in await readers_of(connection, run, name)
            for student in students_of(row)
        ]
        await enter_people(connection, about, SHOWN, at=self._now())

    def _check_day(self, row: Any, on: dt.date, school: School) -> None:
        zone = ZoneInfo(school.timezone)
        if row.closed_at is None or row.status == "empty":
            raise Refused(409, "This print run has no letters yet, so it cannot have been posted.")
        if on > self._now().astimezone(zone).date():
            raise unprocessable("/on", "on lies in the future: say it when the letters have been posted.")
        if on < row.closed_at.astimezone(zone).date():
            raise unprocessable("/on", "on lies before the day on which the letters were printed.")
        if row.posted_on not in (None, on.isoformat()):
            raise Refused(409, f"This print run was posted on {row.posted_on} already.")


async def _found(connection: Any, school: str, run: str, *, lock: bool = False) -> Any:
    row = await find_run(connection, school, run, lock=lock)
    if row is None:
        raise Refused(404, "There is no print run with this id.")
    return row
