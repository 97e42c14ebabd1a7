"""The clock: finds by its state what is due, and wakes it, whatever became of queues and workers."""

import asyncio
import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.tracing import Tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.store.announcing import announce_deliveries
from gateway.store.claims import due_batches, expired_leases, lose_claims
from gateway.store.database import Database
from gateway.store.notifications import unfinished
from gateway.store.planning import due_for_planning
from gateway.store.traces import traces_of_batches, traces_of_notifications
from gateway.tracking.states import State

_log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0

NEWS_SECONDS = 0.25
"""Between two looks for providers' news that was left to the clock."""

GRACE = dt.timedelta(seconds=5)
"""How long fresh work may rely on its own wake-up."""

PATIENCE = dt.timedelta(seconds=20)
"""How long the same work is not woken again: under a backlog it may well be waiting its turn."""

_NO_TRACES: Mapping[str, str] = {}


class Clock:
    """Makes its rounds; several may run, as waking twice does no harm."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        receipts: ReceiptDesk,
        *,
        now: Callable[[], dt.datetime],
        metrics: Metrics,
        tracer: Tracer,
        sweeps: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._receipts = receipts
        self._now = now
        self._metrics = metrics
        self._tracer = tracer
        self._sweeps = sweeps
        self._woken: dict[tuple[str, str], dt.datetime] = {}

    async def run(self) -> None:
        """Make a round every second, and look for news more often, until cancelled."""
        await asyncio.gather(self._make_rounds(), self._look_for_news())

    async def _make_rounds(self) -> None:
        while True:
            try:
                await self.round()
                self._metrics.clock_round(made=True)
            except Exception:  # noqa: BLE001  # whatever failed, the next round must come
                self._metrics.clock_round(made=False)
                _log.exception("clock_round_failed")
            await asyncio.sleep(ROUND_SECONDS)

    async def _look_for_news(self) -> None:
        while True:
            try:
                await self._receipts.take_parked()
            except Exception:  # noqa: BLE001  # the same
                _log.exception("news_not_applied")
            await asyncio.sleep(NEWS_SECONDS)

    async def round(self) -> None:
        """Look once at everything that may be due."""
        now = self._now()
        async with self._database.reading() as connection:
            plans = await due_for_planning(connection, now=now - GRACE)
            batches = await due_batches(connection, now=now, grace=GRACE)
            lost = await expired_leases(connection, now=now)
            open_ends = await unfinished(connection)
            traces: dict[str, str] = {}
            if self._tracer.wanted:
                traces = await traces_of_notifications(connection, [notification for notification, _ in plans])
                traces |= await traces_of_batches(connection, [batch for _, batch in batches])
        await self._wake("plan", {(lane, notification): now for notification, lane in plans}, now, traces)
        await self._wake("send", batches, now, traces)
        if lost:
            async with self._database.writing() as connection:
                gone = await lose_claims(
                    connection,
                    lost,
                    now=now,
                    code="worker_lost",
                    detail="The worker stopped before it could record the provider's answer.",
                )
                lost = [row for row in lost if row.id in gone]
                await announce_deliveries(connection, [(row, State.UNKNOWN) for row in lost], at=now)
            await self._wake("send", {(row.lane, row.batch): now for row in lost}, now)
            for lane, number in Counter(row.lane for row in lost).items():
                self._metrics.claims_lost(lane, number)
            _log.warning("claims_lost", extra={"deliveries": len(lost)})
        await settle_statuses(self._database, open_ends, now=now)
        for sweep in self._sweeps:
            try:
                await sweep()
            except Exception:  # noqa: BLE001  # what one sweep cannot read must not keep the others from their work
                _log.exception("sweep_failed")

    async def _wake(
        self,
        kind: str,
        due: Mapping[tuple[str, str], dt.datetime],
        now: dt.datetime,
        traces: Mapping[str, str] = _NO_TRACES,
    ) -> None:
        """Wake what has not been woken lately, or is due again since, in the trace that it belongs to.

        `due` tells of each (lane, subject) since when: what was put off for its provider comes back when it was told.
        """
        self._woken = {key: at for key, at in self._woken.items() if now - at < PATIENCE}
        lanes: dict[str, list[str]] = defaultdict(list)
        for (lane, subject), since in due.items():
            woken = self._woken.get((kind, subject))
            if woken is None or woken < since:
                self._woken[kind, subject] = now
                lanes[lane].append(subject)
        for (
            lane,
            subjects,
        ) in lanes.items():  # a thousand batches after a flush of Redis are one round trip, not as many
            await self._wakeups.wake(kind, lane, subjects, traces=traces)
