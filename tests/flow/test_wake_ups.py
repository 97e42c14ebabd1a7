"""Wake-ups: what is announced arrives in its lane, at once or in a moment."""

import asyncio

from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from tests.flow.installation import PATIENCE


async def test_what_may_go_on_in_a_moment_is_woken_without_the_clock(servers_urls: tuple[str, str | None]) -> None:
    """Each batch once, however often it was put off; what is further away ends with the process."""
    wakeups = WakeUps(servers_urls[1])
    arrived: list[str] = []
    both = asyncio.Event()

    async def send(batch: str) -> None:
        arrived.append(batch)
        if len(arrived) == 2:
            both.set()

    wakeups.serve("send", send)
    wakeups.start({Lane.BULK: 1})
    try:
        for batch, seconds in (("one", 0.0), ("one", 0.0), ("two", 0.01), ("tomorrow", 86_400.0)):
            wakeups.wake_later(Lane.BULK, batch, seconds=seconds)
        async with asyncio.timeout(PATIENCE):
            await both.wait()
    finally:
        await wakeups.stop(patience=5)
    assert sorted(arrived) == ["one", "two"]


async def test_a_lane_full_of_work_holds_up_no_other(servers_urls: tuple[str, str | None]) -> None:
    """Newsletters that occupy all threads of theirs leave those of an alert idle, in one process."""
    wakeups = WakeUps(servers_urls[1])
    alerted, read = asyncio.Event(), asyncio.Event()

    async def send(batch: str) -> None:
        if batch == "alert":
            alerted.set()
        else:
            await read.wait()

    wakeups.serve("send", send)
    wakeups.start({Lane.BULK: 1, Lane.EMERGENCY: 1})
    try:
        await wakeups.wake("send", Lane.BULK, [f"newsletter {number}" for number in range(9)])
        await wakeups.wake("send", Lane.EMERGENCY, ["alert"])
        async with asyncio.timeout(PATIENCE):
            await alerted.wait()
        read.set()
    finally:
        await wakeups.stop(patience=5)
