"""Costly calls keep their places until they have ended."""

import asyncio
import threading

import pytest

from gateway.costly_calls import CostlyCalls


async def test_a_call_that_nobody_waits_for_keeps_its_place() -> None:
    """Who hangs up right after a large mail does not get a further one read beside it."""
    calls, begun, may_end = CostlyCalls(1), threading.Event(), threading.Event()

    def first(_: str) -> bool:
        begun.set()
        return may_end.wait(30)

    given_up = asyncio.create_task(calls.make(first, "mail"))
    await asyncio.to_thread(begun.wait, 30)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    order: list[str] = []
    second = asyncio.create_task(calls.make(order.append, "second"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(second), 0.1)
    order.append("first has ended")
    may_end.set()
    await asyncio.wait_for(second, 30)
    assert order == ["first has ended", "second"]
