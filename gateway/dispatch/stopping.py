"""Stopping in order: work in hand is told that it should end, and is heard out."""

import asyncio
from collections.abc import Awaitable, Callable


async def heard_out(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Do a piece of work; cancelled, set the event that it was given, wait for its own end, and then be cancelled.

    The work itself is never cancelled: a provider that is being talked to is heard out, and SQLite keeps the lock of a
    transaction that is cancelled between two statements until the connection is collected.
    """
    stopping = asyncio.Event()
    working = asyncio.ensure_future(work(stopping))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        stopping.set()
        await working
        raise
