"""What waits: how much and since when, for metrics and `gateway doctor`."""

import datetime as dt
from collections.abc import Callable

from gateway.dispatch.asking import Question
from gateway.dispatch.metrics import Waiting
from gateway.store.database import Database
from gateway.store.figures import OpenWork, limit_counting, open_planning, open_sending

PATIENCE_SECONDS = 2.5
KEEP_SECONDS = 5.0
"""Several scrapers then cost what one does."""


class Backlog:
    """Counts in the database what waits, at most once in a few seconds, whoever asks how often."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now
        self._question = Question(self._count, patience=PATIENCE_SECONDS, keep=KEEP_SECONDS)

    async def waiting(self) -> list[Waiting]:
        """List the lanes with open work; raises `TimeoutError`, `OSError` or a database error when that fails."""
        return await self._question.answer()

    async def _count(self) -> list[Waiting]:
        now = self._now()
        async with self._database.reading() as connection:
            await limit_counting(connection)
            planning = await open_planning(connection, now=now)
            sending = await open_sending(connection, now=now)
        return [
            *(_waiting(row, "plan", now) for row in planning),
            *(_waiting(row, "send", now) for row in sending),
        ]

    async def close(self) -> None:
        """Count no more."""
        await self._question.close()


def _waiting(row: OpenWork, work: str, now: dt.datetime) -> Waiting:
    age = 0.0 if row.oldest_due is None else (now - row.oldest_due).total_seconds()
    return Waiting(lane=row.lane, work=work, number=row.number, oldest_seconds=age)
