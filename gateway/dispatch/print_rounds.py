"""Sees to it that print runs are closed in time, and that what must not be printed is taken back: the clock's part.

A run is closed at the cut-off of a working day, or as soon as it is full.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from gateway.dispatch.deciding import school_of
from gateway.dispatch.print_runs import WAKE_UP as PRINT
from gateway.dispatch.print_runs import PrintTerms
from gateway.dispatch.print_withdrawals import PrintWithdrawals
from gateway.dispatch.recalling import WAKE_UP as RECALL
from gateway.dispatch.recalling import LetterHouse
from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.postage import last_cut_off
from gateway.store.columns import LONG_AGO
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.print_runs import (
    Waiting,
    doubtful_notifications,
    due_runs,
    last_run,
    let_go_of_old,
    waiting_letters,
    want_run,
)

EVERY = dt.timedelta(seconds=5)

A_ROUND = 50
"""Notifications a round whose letters are decided about again."""

REST = dt.timedelta(seconds=30)
"""How long the same is not woken again."""

AFTER_NOTHING = dt.timedelta(minutes=10)
"""How soon after a run that came to nothing the next one is closed: what waits could not be printed then."""


class PrintRounds:
    """Makes rounds over letters that wait and runs that are not done; several may run."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        houses: Sequence[LetterHouse],
        withdrawals: PrintWithdrawals,
        *,
        terms: PrintTerms,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._houses = houses
        self._withdrawals = withdrawals
        self._terms = terms
        self._now = now
        self._next = LONG_AGO
        self._woken: dict[tuple[str, str], dt.datetime] = {}

    async def round(self) -> None:
        """Take back what is doubtful, close what is due, wake what is not done."""
        now = self._now()
        if now < self._next or not self._houses:
            return
        self._next = now + EVERY
        for house in self._houses:
            await self._find_doubtful(house, now)
            if house.recall_window is None:
                await self._close_due(house, now)
        async with self._database.reading() as connection:
            due = await due_runs(connection, now=now)
        await self._wake(PRINT, {run.id: run.due_at for run in due}, now)
        await self._withdrawals.round()

    async def _find_doubtful(self, house: LetterHouse, now: dt.datetime) -> None:
        """Wake those who can ask the house for its letters: the clock has neither its connections nor the spool."""
        if house.recall_window is not None:
            async with self._database.writing() as connection:
                await let_go_of_old(connection, house.name, before=now - house.recall_window)
        async with self._database.reading() as connection:
            doubtful = await doubtful_notifications(connection, house.name, limit=A_ROUND)
        await self._wake(RECALL, dict.fromkeys(doubtful, now), now)

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

    async def _wake(self, kind: str, due: Mapping[str, dt.datetime], now: dt.datetime) -> None:
        """Wake what has not been woken lately, or has become due since."""
        self._woken = {key: at for key, at in self._woken.items() if now - at < REST}
        fresh = [
            subject
            for subject, since in due.items()
            if (kind, subject) not in self._woken or self._woken[kind, subject] < since < now
        ]
        self._woken |= {(kind, subject): now for subject in fresh}
        if fresh:
            await self._wakeups.wake(kind, Lane.LETTERS, fresh)


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
