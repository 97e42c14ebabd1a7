"""Recording results in bulk while a batch still runs: a crash leaves few attempts in doubt."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from gateway.dispatch.recording import Result

_log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.05
"""How long an answer may wait for others to be recorded with it."""

PATIENCE_SECONDS = 45.0
"""How long an answer is kept for a database that is away: within the lease, after which it counts as none."""

_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


class Flushing:
    """Gathers results and hands them to `record` in bulk; leave it by `close`, which records the rest."""

    def __init__(
        self, record: Callable[[Sequence[Result]], Awaitable[None]], *, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._record = record
        self._patience = patience
        self._waiting: list[Result] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flush: asyncio.Task[None] | None = None

    def add(self, result: Result) -> None:
        """Take one result; it is recorded soon."""
        self._waiting.append(result)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._begin)

    async def close(self) -> None:
        """Record what is left; raises when the database stays away."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flush is not None:
            await self._flush
        await self._record_waiting()

    def _begin(self) -> None:
        self._timer = None
        if self._flush is None or self._flush.done():
            self._flush = asyncio.ensure_future(self._record_waiting())
        else:  # the last one is still being written: what has come meanwhile waits once more
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._begin)

    async def _record_waiting(self) -> None:
        results, self._waiting = self._waiting, []
        if results:
            await stubbornly(lambda: self._record(results), patience=self._patience)


async def stubbornly(record: Callable[[], Awaitable[None]], *, patience: float) -> None:
    """Try again what a database that was away for a moment did not take: the answers cannot be asked for twice."""
    deadline = asyncio.get_running_loop().time() + patience
    tries = 0
    while True:
        try:
            await record()
        except (DBAPIError, OSError) as error:
            if not _passes(error) or asyncio.get_running_loop().time() >= deadline:
                raise
            _log.warning("not_recorded_yet", extra={"error": type(error).__name__})
            await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1
        else:
            return


_PASSING = ("08", "40", "53", "57")
"""SQLSTATE classes: connection lost, rolled back for others' sake, too busy, going or coming up."""


def _passes(error: DBAPIError | OSError) -> bool:
    """Tell a database that is away from a statement that is wrong.

    asyncpg's errors of a server that goes or comes up arrive as plain `DBAPIError`s: only their SQLSTATE tells.
    """
    if isinstance(error, OSError | OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_PASSING)
