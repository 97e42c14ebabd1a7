"""Takes calls for help off the list once what they were about is over, so that the list stays worth reading (R45)."""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatch.deciding import decide_about
from gateway.dispatch.deny_snapshots import ON_SNAPSHOT
from gateway.dispatch.help_wanted import Work, help_kind
from gateway.dispatch.requests import NotificationStatus
from gateway.rules.answer import Outcome
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.people import RestrictionsUnreadableError, load_restrictions
from gateway.store.relief import is_waiting, left_out, open_calls
from gateway.store.tasks import close_tasks

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(minutes=1)

SOON = dt.timedelta(minutes=1)
"""What could not be checked is tried again after so long: what is due by then may be such a delivery."""

_BARRED = "R02"
"""By this rule a snapshot excludes: what it remembers stands in as a safeguarding block."""

_PLANNING, _SENDING = help_kind(Work.PLANNING), help_kind(Work.SENDING)


class Relief:
    """Looks once a minute at the open calls; several may run."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime], policy: Policy) -> None:
        self._database = database
        self._now = now
        self._policy = policy
        self._next = dt.datetime.min.replace(tzinfo=dt.UTC)

    async def round(self) -> None:
        """Close what is over."""
        now = self._now()
        if now < self._next:
            return
        self._next = now + EVERY
        async with self._database.reading() as connection:
            calls = await open_calls(connection, (_PLANNING, _SENDING, ON_SNAPSHOT))
        over = [call.task for call in calls if await self._is_over(call, now)]
        if not over:
            return
        async with self._database.writing() as connection:
            await close_tasks(connection, over, at=now)
        _log.info("help_no_longer_wanted", extra={"tasks": len(over)})

    async def _is_over(self, call: Any, now: dt.datetime) -> bool:
        async with self._database.reading() as connection:
            if call.kind == ON_SNAPSHOT:
                return await self._nobody_missed(connection, call, now)
            if call.status == NotificationStatus.CANCELLED:
                return True
            if call.kind == _PLANNING:
                return call.planned_at is not None
            return not await is_waiting(connection, call.id, until=now + SOON)

    async def _nobody_missed(self, connection: AsyncConnection, alert: Any, now: dt.datetime) -> bool:
        """Whether the restrictions, read again, bar everybody whom their snapshot barred from an alert.

        Otherwise somebody who should have been told was not, and a person has to see to it.
        """
        barred = await left_out(connection, alert.id, _BARRED)
        contacts = sorted({contact for _student, contact in barred})
        try:
            await load_restrictions(connection, alert.school)
            decided = await decide_about(connection, alert, contacts, now=now, policy=self._policy)
        except RestrictionsUnreadableError:
            return False
        return not any(
            decision.outcome is not Outcome.EXCLUDE
            for decision in decided.evaluation.answer.decisions
            if (decision.student, decision.contact) in barred
        )
