"""Letting go what the text check kept back: a person looked, gave a reason, and it is on record (R38)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.access import Principal
from gateway.dispatch.chunks import TELLING, TELLING_CONFIDENTIAL, UNDECIDED
from gateway.dispatch.deciding import decide_about
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.refusals import Refused
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.answer import Outcome
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.people import RestrictionsUnreadableError
from gateway.store.releasing import confirm_texts, kept_back, let_go, waiting_pairs
from gateway.store.tasks import add_tasks

_UNREADABLE = (
    "The restrictions cannot be read at the moment, so nothing is let go: have the register repaired, then try again."
)


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What a confirmation let go."""

    id: str
    released: int
    still_held: int
    """Deliveries whose text holds something confidential of another contact: only another text can be sent."""


class ReleaseDesk:
    """Takes confirmations."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        *,
        policy: Policy,
        now: Callable[[], dt.datetime],
        snapshots: DenySnapshots,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._policy = policy
        self._snapshots = snapshots
        self._now = now

    async def release(self, principal: Principal, notification: Any, reason: str) -> Released:
        """Queue what was kept back and may go; raises `Refused` when nothing is, or nothing may.

        Nothing is let go while the restrictions cannot be read, but an alert to those whom the last snapshot does not
        bar (R46).
        """
        try:
            return await self._release(principal, notification, reason)
        except RestrictionsUnreadableError as error:
            raise Refused(503, _UNREADABLE) from error

    async def _release(self, principal: Principal, notification: Any, reason: str) -> Released:
        now = self._now()
        async with self._database.writing() as connection:
            waiting = await kept_back(connection, notification.id, (TELLING, TELLING_CONFIDENTIAL))
            free = [row for row in waiting if row.code == TELLING]
            if not waiting:
                raise Refused(409, "Nothing of this notification is held because of its text.")
            if not free:
                raise Refused(409, "The text holds something confidential of another contact: send another text.")
            contacts = sorted({row.contact for row in free})
            decided = await decide_about(
                connection, notification, contacts, now=now, policy=self._policy, snapshots=self._snapshots
            )
            await add_tasks(connection, decided.notices(now))
            pairs = await waiting_pairs(connection, [row.message for row in free])
            confirmed = [
                decision
                for decision in decided.evaluation.answer.decisions
                if decision.outcome is Outcome.SEND and (decision.student, decision.contact) in pairs
            ]
            # An older version makes the sender decide once more before anything leaves.
            await let_go(connection, [row.id for row in free], now=now, version=UNDECIDED)
            await confirm_texts(
                connection,
                notification.school,
                notification.id,
                confirmed,
                by=principal.key,
                reason=reason,
                at=now,
            )
        await settle_statuses(self._database, [notification.id], now=now)
        await self._wakeups.wake_batches((row.lane, row.batch) for row in free)
        return Released(id=notification.id, released=len(free), still_held=len(waiting) - len(free))
