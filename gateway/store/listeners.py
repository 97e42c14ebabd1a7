"""Which schools have webhook endpoints, and for what: asked of the database now and then, not at every delivery."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import webhook_endpoints
from gateway.tracking.announcements import EventType

TRUSTED_SECONDS = 5.0
"""How long the answer is believed: an endpoint registered elsewhere is told of everything after this at the latest."""

Known = Mapping[str, Mapping[EventType, Sequence[str]]]
"""Endpoints by school and type of event."""


class Listeners:
    """Remembers for a process who wants to be told; `clock` counts seconds and never goes back."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: Known = {}
        self._until = -math.inf

    async def ask(self, connection: AsyncConnection) -> Known:
        """Give who listens; one who has to look it up does so in the transaction at hand, so that it waits for none."""
        now = self._clock()
        if now >= self._until:
            self._known = await _load(connection)
            self._until = now + TRUSTED_SECONDS
        return self._known

    def forget(self) -> None:
        """Look it up again next time: this process has just changed it."""
        self._until = -math.inf


def listeners_of(connection: AsyncConnection) -> Listeners:
    """Find what the process behind this connection remembers; its database gave it along to every connection."""
    found: Listeners = connection.engine.get_execution_options()["listeners"]
    return found


async def _load(connection: AsyncConnection) -> Known:
    known: dict[str, dict[EventType, list[str]]] = {}
    query = select(webhook_endpoints.c.id, webhook_endpoints.c.school, webhook_endpoints.c.events)
    for row in await connection.execute(query.order_by(webhook_endpoints.c.id)):
        by_type = known.setdefault(row.school, defaultdict(list))
        for kind in wanted_of(row.events) or EventType:
            by_type[kind].append(row.id)
    return known


def wanted_of(document: str) -> tuple[EventType, ...] | None:
    """Read from the store what an endpoint wants to hear of; None means everything."""
    return msgspec.json.decode(document, type=tuple[EventType, ...] | None)
