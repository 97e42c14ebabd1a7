"""Planning: a notification becomes decisions, messages and deliveries, chunk by chunk of contacts."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatch.chunks import Rows, batches_due, rows_of
from gateway.dispatch.deciding import decide_about, school_of
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.disclosing import telling_messages
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.help_wanted import Work, ask_for_help, help_task
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.requests import NotificationRequest
from gateway.dispatch.stopping import heard_out
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.policy import Policy
from gateway.store.announcing import announce_notification
from gateway.store.chunks import latecomers, next_chunk
from gateway.store.database import Database
from gateway.store.planning import (
    audience_fixed,
    audience_of,
    claim_planning,
    end_planning,
    fix_audience,
    release_planning,
    save_chunk,
)
from gateway.store.tasks import close_tasks
from gateway.tracking.announcements import EventType

_log = logging.getLogger(__name__)

CHUNK = 1_000
"""Contacts a chunk: enough to make one statement worth it, few enough that a crash repeats little."""

FIRST_CHUNK = 100
"""The first chunk is small, so that an alert's first hand-over does not wait for the planning of a thousand."""

LEASE = dt.timedelta(seconds=30)


class Planner:
    """Plans the notifications it is woken for; any number of planners may run."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        *,
        owner: str,
        now: Callable[[], dt.datetime],
        policy: Policy,
        metrics: Metrics,
        snapshots: DenySnapshots | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._owner = owner
        self._now = now
        self._policy = policy
        self._metrics = metrics
        self._snapshots = snapshots
        self._chunk = chunk

    async def plan(self, notification: str) -> None:
        """Plan one notification to its end, or leave it to the planner that has it.

        One that cannot be planned is tried again when its lease ends, and is somebody's task meanwhile (R45). Told to
        stop, it finishes the chunk in hand and leaves the rest to whoever is woken next.
        """
        await heard_out(lambda stopping: self._plan_or_ask(notification, stopping))

    async def _plan_or_ask(self, notification: str, stopping: asyncio.Event) -> None:
        try:
            await self._plan(notification, stopping)
        except Exception as error:
            async with self._database.writing() as connection:
                await ask_for_help(connection, notification, Work.PLANNING, error, now=self._now())
            raise

    async def _plan(self, notification: str, stopping: asyncio.Event) -> None:
        now = self._now()
        async with self._database.writing() as connection:
            row = await claim_planning(connection, notification, owner=self._owner, now=now, until=now + LEASE)
            if row is None:
                return
            request = msgspec.json.decode(row.request, type=NotificationRequest)
            if not await audience_fixed(connection, notification):
                await self._fix_audience(connection, row, request, now)
        cursor: str = row.cursor
        size = min(FIRST_CHUNK, self._chunk)
        while (chunk := await self._decide(row, request, cursor, size)) is not None:
            if not await self._save(row, cursor, chunk):
                return  # Another planner has it: only that one can tell when its end is reached.
            cursor, size = chunk.cursor, self._chunk
            if stopping.is_set():
                async with self._database.writing() as connection:
                    await release_planning(connection, notification, owner=self._owner)
                return
        async with self._database.writing() as connection:
            # Nobody ends a planning from a place where another one has left it behind.
            ended = await end_planning(connection, notification, owner=self._owner, cursor=cursor, at=self._now())
            if ended:
                await close_tasks(connection, [help_task(notification, Work.PLANNING)], at=self._now())
                planned = EventType.NOTIFICATION_PLANNED
                await announce_notification(connection, row.school, notification, planned, at=self._now())
        if ended:
            await settle_statuses(self._database, [notification], now=self._now())
            _log.info("planned", extra={"notification": notification})

    async def _fix_audience(
        self, connection: AsyncConnection, row: Any, request: NotificationRequest, now: dt.datetime
    ) -> None:
        school, _version = await school_of(connection, row.school)
        await fix_audience(
            connection,
            row.id,
            row.school,
            listed=request.audience.students,
            groups=request.audience.groups,
            today=now.astimezone(ZoneInfo(school.timezone)).date(),
        )

    async def _save(self, row: Any, cursor: str, chunk: "_Chunk") -> bool:
        """Commit a chunk with its cursor and wake who sends it; False when another planner has come in between."""
        async with self._database.writing() as connection:
            saved = await save_chunk(
                connection,
                row.id,
                owner=self._owner,
                cursor=cursor,
                next_cursor=chunk.cursor,
                until=self._now() + LEASE,
                rows=chunk.rows,
            )
        if saved:
            contacts = len({decision["contact"] for decision in chunk.rows["decisions"]})
            self._metrics.planned(row.lane, contacts=contacts, deliveries=len(chunk.rows["deliveries"]))
            await self._wakeups.wake_batches(batches_due(chunk.rows["deliveries"], chunk.at))
        return saved

    async def _decide(self, row: Any, request: NotificationRequest, cursor: str, size: int) -> "_Chunk | None":
        """Decide about the next contacts; None when nobody is left."""
        now = self._now()
        named = request.audience.contacts or ()
        async with self._database.reading() as connection:
            audience = audience_of(row.id)
            contacts = await next_chunk(connection, row.school, audience, named, cursor, size)
            if not contacts:
                contacts = await latecomers(connection, row.school, row.id, upto=cursor, size=size)
            if not contacts:
                return None
            decided = await decide_about(
                connection, row, contacts, now=now, policy=self._policy, snapshots=self._snapshots
            )
        answer, neutral = decided.evaluation.answer, decided.evaluation.impersonal_points
        telling = telling_messages(row.id, answer.messages, request, decided.sources, decided.index, decided.files)
        rows = rows_of(decided.plan, answer, neutral, decided.points, telling, now)
        rows |= {"tasks": [*rows["tasks"], *decided.notices(now)]}
        return _Chunk(rows, max(cursor, contacts[-1]), now)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What was decided at a moment about the next contacts."""

    rows: Rows
    cursor: str
    """The contact up to whom all are decided then."""
    at: dt.datetime
