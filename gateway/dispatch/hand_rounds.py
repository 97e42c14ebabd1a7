"""Keeps staff's calls and hand deliveries in step with what became of them: those that are over go by themselves."""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

from channels.base import STAFF, Receipt, ReceiptStatus
from gateway.dispatch.by_hand import call_off
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.grouping import by_notification
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.taking_back import TakingBack
from gateway.dispatch.wakeups import WakeUps
from gateway.store.by_hand import in_need_of_a_look, lock_in_hands, tasks_for
from gateway.store.database import Database
from gateway.store.identity import derived_id
from gateway.store.receipts import keep_receipts
from gateway.store.sending import load_notifications
from gateway.store.tasks import close_tasks

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(seconds=10)

A_ROUND = 250
"""Tasks a round, so that the clock's other work does not wait long."""

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
        for notification, group in by_notification(tasks).items():
            try:
                await self._look_at(notification, group, now)
            except Exception:  # noqa: BLE001  # one notification's fault must not keep the others from being looked at
                _log.exception("tasks_not_looked_at", extra={"notification": notification, "tasks": len(group)})
                self._resting |= {task.task: now + REST for task in group}
        if any(task.late for task in tasks):
            await self._receipts.take_parked()

    async def _look_at(self, notification: str, tasks: Sequence[Any], now: dt.datetime) -> None:
        over = [task.task for task in tasks if task.over]
        late = {task.delivery for task in tasks if task.late}
        wake: list[tuple[str, str]] = []
        async with self._database.writing() as connection:
            rows = await lock_in_hands(connection, [task.delivery for task in tasks])
            if any(task.called_off for task in tasks):
                await call_off(connection, notification, now=now)
            else:
                expired = [row for row in rows if row.id in late]
                await keep_receipts(connection, [_too_late(row, now) for row in expired], at=now, look_at=now)
                over += await tasks_for(connection, [row.id for row in expired])
                record = (await load_notifications(connection, [notification]))[notification]
                left = [row for row in rows if row.id not in late]
                wake = await self._taking_back.decide_again(connection, left, record, now=now)
            await close_tasks(connection, over, at=now)
        await settle_statuses(self._database, [notification], now=now)
        await self._wakeups.wake_batches(wake)


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
