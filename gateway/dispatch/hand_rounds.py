"""Keeps staff's calls and hand deliveries in step with what became of them: those that are over go by themselves."""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import STAFF, Receipt, ReceiptStatus
from gateway.dispatch.by_hand import call_off
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.taking_back import TakingBack
from gateway.dispatch.wakeups import WakeUps
from gateway.store.by_hand import in_need_of_a_look, lock_in_hands
from gateway.store.database import Database
from gateway.store.identity import derived_id
from gateway.store.receipts import keep_receipts
from gateway.store.sending import load_notifications
from gateway.store.tasks import close_tasks

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(seconds=10)

A_ROUND = 200
"""Tasks a round; each is a decision of a few milliseconds."""

REST = dt.timedelta(seconds=30)
"""How long a task that could not be decided about stands back for the others."""


class HandRounds:
    """Looks at the open tasks whose delivery has come to something else; several may run."""

    def __init__(
        self,
        database: Database,
        taking_back: TakingBack,
        receipts: ReceiptDesk,
        wakeups: WakeUps,
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._taking_back = taking_back
        self._receipts = receipts
        self._wakeups = wakeups
        self._now = now
        self._next = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._resting: dict[str, dt.datetime] = {}
        """Tasks that could not be decided about, and until when they stand back."""

    async def round(self) -> None:
        """Take off the list what is over, let expire what is late, and decide again what a change may have barred."""
        now = self._now()
        if now < self._next:
            return
        self._next = now + EVERY
        self._resting = {task: until for task, until in self._resting.items() if until > now}
        async with self._database.reading() as connection:
            tasks = await in_need_of_a_look(connection, now=now, without=list(self._resting), limit=A_ROUND)
        if len(tasks) == A_ROUND:
            self._next = now
        for task in tasks:
            try:
                await self._look_at(task, now)
            except Exception:  # noqa: BLE001  # one task's fault must not keep the others from being looked at
                _log.exception("task_not_looked_at", extra={"delivery": task.delivery})
                self._resting[task.task] = now + REST
        if any(task.late for task in tasks):
            await self._receipts.take_parked()

    async def _look_at(self, task: Any, now: dt.datetime) -> None:
        async with self._database.writing() as connection:
            wake = await self._settled(connection, task, now)
        await settle_statuses(self._database, [task.notification], now=now)
        await self._wakeups.wake_batches(wake)

    async def _settled(self, connection: AsyncConnection, task: Any, now: dt.datetime) -> list[tuple[str, str]]:
        row = await lock_in_hands(connection, task.delivery)
        if row is None:
            if task.over:
                await close_tasks(connection, [task.task], at=now)
            return []
        if task.called_off:
            await call_off(connection, row.notification, now=now)
            return []
        if task.late:
            await keep_receipts(connection, [_too_late(row, now)], at=now, look_at=now)
            await close_tasks(connection, [task.task], at=now)
            return []
        notification = (await load_notifications(connection, [row.notification]))[row.notification]
        _, wake = await self._taking_back.still_holds(connection, row, notification, now=now)
        return wake


def _too_late(row: Any, now: dt.datetime) -> Receipt:
    return Receipt(
        provider=STAFF,
        event_id=derived_id(row.id, "too_late"),
        status=ReceiptStatus.EXPIRED,
        at=now,
        delivery=row.id,
        provider_id=row.id,
        code="expired",
        explanation="Its time ran out before staff could bring it.",
    )
