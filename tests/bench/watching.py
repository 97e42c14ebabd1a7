"""Following one notification from outside: when the first mail left, when planning ended, when all was recorded."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.client import NotWorkingError
from tests.bench.installation import Installation
from tests.bench.servers import connect
from tests.bench.usage import bytes_read

_LOOK_SECONDS = 0.02
_GREETINGS = 2_000
"""Bytes the sink may read while connections open and close: more are a mail."""

_PLANNED = "SELECT planned_at IS NOT NULL FROM notifications WHERE id = $1"
_OPEN = """SELECT 1 FROM deliveries WHERE notification = $1
           AND state IN ('held', 'queued', 'sending', 'retrying', 'unknown') LIMIT 1"""
_LEFT = "SELECT 1 FROM deliveries WHERE notification = $1 AND state IN ('sent', 'delivered') LIMIT 1"
_STATES = "SELECT state, count(*) FROM deliveries WHERE notification = $1 GROUP BY state"


@dataclass(frozen=True, kw_only=True)
class Course:
    """How long a notification took, in seconds from the 202; and what that cost."""

    deliveries: int
    first: float
    """Until the first mail reached the server, or the first `sent` was recorded."""
    planned: float
    last: float
    """Until the last delivery's state was recorded."""
    spent: Mapping[str, float]
    """Processor seconds by process."""
    bytes_each: float
    """What the sink read for one delivery."""

    @property
    def rate(self) -> float:
        """Deliveries a second, from the 202 to the last state."""
        return self.deliveries / self.last

    @property
    def sending_rate(self) -> float:
        """Deliveries a second, from the first hand-over to the last state."""
        return self.deliveries / max(self.last - self.first, 1e-9)

    def in_words(self) -> str:
        """Tell the split."""
        return (
            f"{self.deliveries:,} in {self.last:.2f} s = {self.rate:,.0f}/s; first hand-over after {self.first:.2f} s, "
            f"planned after {self.planned:.2f} s; {self.sending_rate:,.0f}/s from first hand-over to last state"
        )


Reached = Callable[[], Awaitable[bool]]


async def until(reached: Reached, installation: Installation, *, patience: float = 60) -> None:
    """Look again and again until something is reached; raises when a process ends or patience does."""
    deadline = time.monotonic() + patience
    while not await reached():
        installation.check_alive()
        if time.monotonic() > deadline:
            raise NotWorkingError(f"not done after {patience:.0f} s: {installation.folder.last_words()}")
        await asyncio.sleep(_LOOK_SECONDS)


async def follow(
    installation: Installation,
    request: Mapping[str, Any],
    *,
    expected: int,
    patience: float = 900,
    by_mail: bool = True,
) -> Course:
    """Post a notification and watch until everything is `sent`; raises when something else becomes of it.

    `by_mail`, the first hand-over is what the sink reads first; else the first that is recorded.
    """
    connection = await connect(installation.database_url)
    sink = installation.servers.sink.process
    try:
        meter = installation.meter()
        before = bytes_read(sink)
        notification = await installation.client.post(request)
        began = time.perf_counter()

        async def seconds_until(reached: Reached) -> float:
            await until(reached, installation, patience=patience)
            return time.perf_counter() - began

        async def first_mail() -> bool:
            return bytes_read(sink) - before > _GREETINGS

        async def first_record() -> bool:
            return await connection.fetchval(_LEFT, notification) is not None

        async def planned() -> bool:
            return bool(await connection.fetchval(_PLANNED, notification))

        async def done() -> bool:
            return await connection.fetchval(_OPEN, notification) is None

        first = await seconds_until(first_mail if by_mail else first_record)
        planned_after = await seconds_until(planned)
        last = await seconds_until(done)
        states = {row[0]: row[1] for row in await connection.fetch(_STATES, notification)}
        if states != {"sent": expected}:
            raise NotWorkingError(f"{expected} deliveries expected to be sent, found {states}")
        return Course(
            deliveries=expected,
            first=first,
            planned=planned_after,
            last=last,
            spent=meter.spent(),
            bytes_each=(bytes_read(sink) - before) / expected,
        )
    finally:
        await connection.close()
