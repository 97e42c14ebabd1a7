"""Several worker processes that share one coordination, in memory or on Redis; the clock is the test's."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from channels.base import Limits
from gateway.dispatch.coordination.base import Coordination
from gateway.dispatch.coordination.in_process import InProcess
from gateway.dispatch.coordination.on_redis import OnRedis
from gateway.dispatch.provider_gate import ProviderGate

PATIENT = 60.0
"""Seconds: on a machine busy with other tests, slow is not away."""

NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)


@dataclass
class Clock:
    """Stands still until the test moves it."""

    now: dt.datetime = NOON

    def __call__(self) -> dt.datetime:
        """Tell the time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += dt.timedelta(seconds=seconds)


@asynccontextmanager
async def places(redis_url: str | None, clock: Clock, count: int = 3) -> AsyncIterator[Sequence[Coordination]]:
    """Give each of `count` workers its way to the shared state; None means that all live in one process."""
    if redis_url is None:
        yield [InProcess(now=clock)] * count
        return
    prefix = f"test:{uuid.uuid4().hex}:"
    connected = [OnRedis(redis_url, now=clock, prefix=prefix, patience=PATIENT) for _ in range(count)]
    try:
        yield connected
    finally:
        for place in connected:
            await place.close()


@asynccontextmanager
async def gates(
    redis_url: str | None, clock: Clock, limits: Limits, count: int = 3
) -> AsyncIterator[Sequence[ProviderGate]]:
    """Give each of `count` workers its gate to the provider `sms/test`, with no jitter."""
    async with places(redis_url, clock, count) as shared:
        yield [ProviderGate(place, {"sms/test": limits}, now=clock, chance=lambda: 0.0) for place in shared]
