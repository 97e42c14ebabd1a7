"""Calls that take much memory: in threads, a few at once, however often those who asked for them give up."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class CostlyCalls:
    """Makes calls, as many at once as there are places."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)

    async def make(self, call: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
        """Make one call in its turn."""
        await self._places.acquire()
        made = asyncio.ensure_future(asyncio.to_thread(call, argument))
        # Whoever waits may go; the thread goes on, and its place is free only when it has ended.
        made.add_done_callback(lambda _: self._places.release())
        return await asyncio.shield(made)
