"""Sees to it that due events are posted, and that old ones are forgotten: the clock's part in webhooks.

Whoever writes an event wakes nobody: that would be a wake-up for every few deliveries, and a second's delay does no
webhook harm.
"""

import datetime as dt
from collections.abc import Callable

from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.dispatch.webhooks.poster import WAKE_UP
from gateway.store.columns import LONG_AGO
from gateway.store.database import Database
from gateway.store.webhook_posts import due_endpoints, forget_events, old_events

PATIENCE = dt.timedelta(seconds=3)
"""How long an endpoint is not woken again for what it has been woken for."""

KEPT = dt.timedelta(days=30)
"""How long events, and the attempts to post them, can be looked at and sent again."""

_CLEAN_UP_EVERY = dt.timedelta(minutes=1)
_FORGOTTEN_AT_ONCE = 2_000


class WebhookRounds:
    """Makes rounds over endpoints; several may run, as only one worker gets an endpoint's lease."""

    def __init__(self, database: Database, wakeups: WakeUps, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._wakeups = wakeups
        self._now = now
        self._woken: dict[str, dt.datetime] = {}
        self._cleaned_at = LONG_AGO

    async def round(self) -> None:
        """Wake the endpoints with something to be posted, and clean up now and then."""
        now = self._now()
        async with self._database.reading() as connection:
            due = await due_endpoints(connection, now=now)
        self._woken = {endpoint: at for endpoint, at in self._woken.items() if now - at < PATIENCE}
        fresh = [endpoint for endpoint, since in due.items() if self._woken.get(endpoint, LONG_AGO) <= since]
        self._woken |= dict.fromkeys(fresh, now)
        if fresh:
            await self._wakeups.wake(WAKE_UP, Lane.WEBHOOKS, fresh)
        if now - self._cleaned_at >= _CLEAN_UP_EVERY:
            self._cleaned_at = now
            await self._forget(now - KEPT)

    async def _forget(self, before: dt.datetime) -> None:
        async with self._database.reading() as connection:
            old = await old_events(connection, before=before, limit=_FORGOTTEN_AT_ONCE)
        if old:
            async with self._database.writing() as connection:
                await forget_events(connection, old)
