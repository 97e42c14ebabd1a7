"""Asking what may be slow to answer, without ever keeping the asker waiting."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Question(Generic[Answer]):
    """One question, such as whether the database answers: asked at most once at a time, its answer kept for a while.

    Whoever wants to know waits `patience` seconds at most. The asking itself is not cancelled then, as cancelling a
    driver that talks to a silent server may hang as well: it goes on in the background, and after `abandon` seconds
    it is told to stop, is waited for no longer, and the next one may ask anew.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Answer]],
        *,
        patience: float,
        keep: float,
        abandon: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._patience = patience
        self._keep = keep
        self._abandon = abandon
        self._clock = clock
        self._asking: asyncio.Task[Answer] | None = None
        self._began = self._ended = 0.0

    async def answer(self) -> Answer:
        """Give an answer that is fresh enough; raises what asking raised, and `TimeoutError` without one in time."""
        asking = self._current()
        done, _ = await asyncio.wait({asking}, timeout=self._patience)
        if not done or asking.cancelled():
            raise TimeoutError
        return asking.result()

    def _current(self) -> asyncio.Task[Answer]:
        asking, now = self._asking, self._clock()
        if asking is not None and asking.done() and now - self._ended < self._keep:
            return asking
        if asking is not None and not asking.done():
            if now - self._began < self._abandon:
                return asking
            asking.cancel()
        self._began = now
        self._asking = asking = asyncio.ensure_future(self._asked())
        asking.add_done_callback(_look_at)
        return asking

    async def _asked(self) -> Answer:
        try:
            return await self._ask()
        finally:
            self._ended = self._clock()

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait({self._asking}, timeout=self._patience)


def _look_at(asking: asyncio.Task[Answer]) -> None:
    """Take notice of a failure that nobody waited for, lest the loop complains of it."""
    if not asking.cancelled():
        asking.exception()
