"""Decides a last time about the letters that wait for a print run, right before it takes them (R44).

What the spool has lost by then is written anew: the database is the truth, and a folder that is not there for once, or
torn by a power cut, must not cost anybody their letter.
"""

import asyncio
import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.letter_spool import unreadable
from gateway.dispatch.deciding import school_of
from gateway.dispatch.print_news import undecided
from gateway.dispatch.recalling import LetterHouse, Recall, in_chunks
from gateway.dispatch.rechecking import outdated
from gateway.store.database import Database
from gateway.store.print_runs import load_waiting, lock_waiting
from gateway.store.sending import load_notifications, merged_with
from gateway.store.tasks import add_tasks

_log = logging.getLogger(__name__)


class Closing:
    """Says which letters a run may take."""

    def __init__(
        self,
        database: Database,
        recall: Recall,
        house: LetterHouse,
        *,
        spool: Path,
        most: int,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._recall = recall
        self._house = house
        self._spool = spool
        self._most = most
        self._now = now

    async def cleared(self, run: Any) -> set[str]:
        """Ask the rules about everything that waits and may have changed; gives what may be printed as it lies there.

        What nobody can decide about waits for the next run and holds up no other; staff hear of it.
        """
        async with self._database.reading() as connection:
            waiting = await load_waiting(connection, self._house.name, run.school, limit=self._most)
            doubtful = await _doubtful(connection, run.school, waiting, self._now())
        ids = [row.id for row in waiting]
        doubtful |= await asyncio.to_thread(unreadable, self._spool, ids)
        cleared = set(ids) - doubtful
        left: Counter[str] = Counter()
        for notification, letters in in_chunks(row for row in waiting if row.id in doubtful):
            try:
                cleared.update(await self._recall.look_again(self._house, notification, letters))
            except Exception:  # noqa: BLE001  # what nobody can decide about must hold up no other
                _log.exception("letters_not_decided_about", extra={"notification": notification})
                left[notification] += len(letters)
        if left:
            async with self._database.writing() as connection:
                await add_tasks(connection, list(undecided(run, left, self._now())))
        return cleared


async def still_fit(connection: AsyncConnection, school: str, ids: Collection[str]) -> list[Any]:
    """Lock the letters that may be printed at this moment; what has changed since they were looked at is left out."""
    rows = await lock_waiting(connection, ids)
    _school, version = await school_of(connection, school)
    records = await load_notifications(connection, list({row.notification for row in rows}))
    return [row for row in rows if row.directory_version == version and records[row.notification].status != "cancelled"]


async def _doubtful(connection: AsyncConnection, school: str, waiting: Sequence[Any], now: dt.datetime) -> set[str]:
    """Name the letters about which the rules must be asked again: another directory, another day, or called off."""
    carried = await merged_with(connection, [row.id for row in waiting])
    stale = outdated([*waiting, *carried], *await school_of(connection, school), now)
    records = await load_notifications(connection, list({row.notification for row in waiting}))
    called_off = {row.id for row in waiting if records[row.notification].status == "cancelled"}
    return {row.merged_into or row.id for row in stale} | called_off
