"""Sees to it that print runs are closed in time, and that what must not be printed is taken back: the clock's part.

A run is closed at the cut-off of a working day, or as soon as it is full.
"""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from gateway.dispatch.deciding import school_of
from gateway.dispatch.print_runs import WAKE_UP, PrintTerms
from gateway.dispatch.recalling import LetterHouse, Recall
from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.postage import last_cut_off
from gateway.store.columns import LONG_AGO
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.print_runs import (
    Waiting,
    doubtful_letters,
    due_runs,
    last_run,
    let_go_of_old,
    waiting_letters,
    want_run,
)

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(seconds=5)

A_ROUND = 500
"""Letters a round that are decided about again."""

REST = dt.timedelta(seconds=30)
"""How long letters that could not be decided about stand back, and for how long a run is not woken again."""

AFTER_NOTHING = dt.timedelta(minutes=10)
"""How soon after a run that came to nothing the next one is closed: what waits could not be printed then."""


class PrintRounds:
    """Makes rounds over letters that wait and runs that are not done; several may run."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        recall: Recall,
        houses: Sequence[LetterHouse],
        *,
        terms: PrintTerms,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._recall = recall
        self._houses = houses
        self._terms = terms
        self._now = now
        self._next = LONG_AGO
        self._resting: dict[str, dt.datetime] = {}
        """Notifications whose letters could not be decided about, and until when they stand back."""
        self._woken: dict[str, dt.datetime] = {}

    async def round(self) -> None:
        """Take back what is doubtful, close what is due, wake what is not done."""
        now = self._now()
        if now < self._next or not self._houses:
            return
        self._next = now + EVERY
        self._resting = {each: until for each, until in self._resting.items() if until > now}
        for house in self._houses:
            await self._look_again(house, now)
            if house.recall_window is None:
                await self._close_due(house, now)
        await self._wake(now)

    async def _look_again(self, house: LetterHouse, now: dt.datetime) -> None:
        if house.recall_window is not None:
            async with self._database.writing() as connection:
                await let_go_of_old(connection, house.name, before=now - house.recall_window)
        async with self._database.reading() as connection:
            rows = await doubtful_letters(connection, house.name, without=list(self._resting), limit=A_ROUND)
        groups: Mapping[str, list[str]] = defaultdict(list)
        for row in rows:
            groups[row.notification].append(row.id)
        for notification, letters in groups.items():
            try:
                await self._recall.look_again(house, notification, letters)
            except Exception:  # noqa: BLE001  # one notification's fault must not keep the others from being looked at
                _log.exception("letters_not_decided_about", extra={"notification": notification})
                self._resting[notification] = now + REST

    async def _close_due(self, house: LetterHouse, now: dt.datetime) -> None:
        async with self._database.reading() as connection:
            due = [
                each for each in await waiting_letters(connection, house.name) if await self._is_due(connection, each)
            ]
        for each in due:
            reason = "full" if each.letters >= self._terms.run_size else "cut_off"
            async with self._database.writing() as connection:
                await want_run(connection, wanted(each.school, reason, None, now))

    async def _is_due(self, connection: Any, waiting: Waiting) -> bool:
        """Tell whether a school's letters are to be printed now."""
        now = self._now()
        latest = await last_run(connection, waiting.school)
        if latest is not None and latest.status == "empty" and latest.created_at > now - AFTER_NOTHING:
            return False
        school, _version = await school_of(connection, waiting.school)
        cut_off = last_cut_off(self._terms.postbag, now, ZoneInfo(school.timezone))
        return waiting.letters >= self._terms.run_size or waiting.since < cut_off

    async def _wake(self, now: dt.datetime) -> None:
        async with self._database.reading() as connection:
            due = await due_runs(connection, now=now)
        self._woken = {run: at for run, at in self._woken.items() if now - at < REST}
        fresh = [run.id for run in due if self._woken.get(run.id, LONG_AGO) < run.due_at]
        self._woken |= dict.fromkeys(fresh, now)
        if fresh:
            await self._wakeups.wake(WAKE_UP, Lane.LETTERS, fresh)


def wanted(school: str, reason: str, by: str | None, now: dt.datetime) -> dict[str, Any]:
    """Write the row of a run that is asked for."""
    return {
        "id": new_id(now),
        "school": school,
        "status": "wanted",
        "reason": reason,
        "created_by": by,
        "created_at": now,
        "letters": 0,
        "sheets": 0,
        "files": "[]",
        "due_at": now,
        "failures": 0,
    }
