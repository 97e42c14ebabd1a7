"""Wake-ups: what is announced arrives in its lane, at once or in a moment."""

import asyncio
import datetime as dt

from sqlalchemy import select

from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.store.tables import deliveries, turns
from tests.flow.families import parents
from tests.flow.installation import LATER, PATIENCE, Installation
from tests.unit.rules.households import directory, email


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


async def test_what_was_in_hand_when_it_was_due_does_not_wait_for_the_clock(gateway: Installation) -> None:
    """News of the first try was just being applied when the second was due: workers pass a locked row over."""
    if gateway.front.database.sqlite:  # there is one writer at a time
        return
    await gateway.put(directory(relationships=parents("mum"), contact_points=[email("mum")]))
    gateway.faults.once("mum@example.org", LATER)
    await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states() == {"mum-e": "retrying"}

    async def looked() -> bool:
        return [row.served_at for row in await gateway.rows(turns, turns.c.lane == "standard")] == [gateway.time()]

    async with gateway.front.database.writing() as applying:
        await applying.execute(select(deliveries.c.id).with_for_update())
        gateway.time.now += dt.timedelta(hours=1)
        await gateway.front.clock.round()
        await gateway.until(looked)
        assert await gateway.states() == {"mum-e": "retrying"}
    await gateway.at_rest()
    assert await gateway.states() == {"mum-e": "sent"}
