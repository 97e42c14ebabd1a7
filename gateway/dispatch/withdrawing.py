"""Takes back what has not left when the directory changes: decided again within a minute, emergencies first (R44).

What a worker has claimed is left to it: the sender asks the rules itself before it hands anything over.
"""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.outcomes import Outcome
from gateway.dispatch.rechecking import recheck
from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.policy import Policy
from gateway.store.announcing import announce_deliveries
from gateway.store.database import Database
from gateway.store.sending import add_events, load_notifications, merged_with
from gateway.store.withdrawing import changed_schools, keep_from_workers, stale_deliveries, withdraw
from gateway.tracking.states import News, State

_log = logging.getLogger(__name__)

CHUNK = 250
"""Deliveries a transaction: no worker waits long for them."""

A_ROUND = 2_000
"""Deliveries a round, in 0.5 to 2 s (measured), so that the clock's other work does not wait long."""

A_TRANSACTION = 30
"""What a transaction counts at least, in deliveries: hundreds of small notifications must not make a long round."""

BACKLOG = dt.timedelta(seconds=20)
"""What is due and was not taken for so long is decided again here; until then its worker is on the way."""

REST = dt.timedelta(seconds=30)
"""How long a notification that could not be decided about stands back for the others."""


class Withdrawer:
    """Makes rounds over everything that waits and was decided under an older directory; several may run."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        snapshots: DenySnapshots | None = None,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._now = now
        self._policy = policy
        self._snapshots = snapshots
        self._resting: dict[str, dt.datetime] = {}
        """Notifications that could not be decided about, and until when they stand back."""

    async def round(self) -> None:
        """Decide again about a portion, from the most urgent lane on."""
        left = A_ROUND
        for lane in Lane:
            async with self._database.reading() as connection:
                changed = await changed_schools(connection, lane)
            for school, version in changed:
                left -= await self._portion(school, lane, version, left)
                if left <= 0:
                    return

    async def _portion(self, school: str, lane: Lane, version: int, most: int) -> int:
        """Decide again about up to so many deliveries of one school; gives what they count."""
        now = self._now()
        self._resting = {notification: until for notification, until in self._resting.items() if until > now}
        async with self._database.reading() as connection:
            stale = await stale_deliveries(
                connection,
                school,
                lane,
                version,
                now=now,
                backlog=BACKLOG,
                without=list(self._resting),
                limit=most,
            )
        done = 0
        for notification, ids in _chunks(stale):
            try:
                await self._decide_again(notification, ids)
            except Exception:  # noqa: BLE001  # one notification's fault must not keep the others from being looked at
                _log.exception("not_decided_again", extra={"notification": notification})
                self._resting[notification] = now + REST
            done += max(len(ids), A_TRANSACTION)
            if done >= most:
                break
        return done

    async def _decide_again(self, notification: str, carriers: Sequence[str]) -> None:
        """Ask the rules about one chunk, and act on their answer in the same transaction."""
        now = self._now()
        async with self._database.writing() as connection:
            own = await keep_from_workers(connection, carriers)
            if not own:
                return
            carried = await merged_with(connection, [row.id for row in own])
            rows = [*own, *carried]
            record = (await load_notifications(connection, [notification]))[notification]
            checked = await recheck(connection, record, rows, now=now, policy=self._policy, snapshots=self._snapshots)
            gone = [row for row in rows if row.id in checked.withdrawn]
            going = [row for row in rows if row.id not in checked.withdrawn and row.merged_into is None]
            if gone:
                going += await withdraw(connection, [_moved(row, checked.withdrawn[row.id], now) for row in gone])
                await add_events(connection, [_event(row, checked.withdrawn[row.id], now) for row in gone])
                await announce_deliveries(connection, [(row, State.SUPPRESSED) for row in gone], at=now)
        await settle_statuses(self._database, [notification], now=now)
        if gone:
            _log.info("withdrawn", extra={"notification": notification, "deliveries": len(gone)})
        # A worker that came for them meanwhile went away again.
        due = [(row.lane, row.batch) for row in going if row.due_at is not None and row.due_at <= self._now()]
        await self._wakeups.wake_batches([*checked.wake, *due])


def _chunks(stale: Sequence[Any]) -> Iterator[tuple[str, list[str]]]:
    """Gather what travels on its own, or carries what is stale, by notification."""
    carriers: dict[str, dict[str, None]] = defaultdict(dict)
    for row in stale:
        carriers[row.notification][row.merged_into or row.id] = None
    for notification, ids in carriers.items():
        every = list(ids)
        for start in range(0, len(every), CHUNK):
            yield notification, every[start : start + CHUNK]


def _moved(row: Any, outcome: Outcome, now: dt.datetime) -> dict[str, Any]:
    return {"id": row.id, "was": row.state, "code": outcome.code, "detail": outcome.detail, "changed_at": now}


def _event(row: Any, outcome: Outcome, now: dt.datetime) -> dict[str, Any]:
    return {
        "delivery": row.id,
        "at": now,
        "state": State.SUPPRESSED.value,
        "news": News.SUPPRESSED.value,
        "detail": outcome.detail,
    }
