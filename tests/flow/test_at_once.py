"""Several workers at one moment: what only one of them may do is done once, and done at all."""

import asyncio
import datetime as dt

from sqlalchemy import update

from gateway.dispatch.settling import start_next_routes
from gateway.store.claims import claim_batch
from gateway.store.sending import load_deliveries
from gateway.store.tables import deliveries
from tests.flow.families import MUM_NUMBER, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory, email, mobile

MINUTE = dt.timedelta(minutes=1)


async def test_the_last_two_hopes_fail_together(idle: Installation) -> None:
    """Mail and text of one emergency fail in two workers at once: neither is taken for a hope, staff are told."""
    await idle.put(directory(relationships=parents("mum"), contact_points=[email("mum"), mobile("mum", MUM_NUMBER)]))
    await idle.back.planner.plan(await idle.post("emergency"))
    rows = {row.point: row for row in await idle.deliveries()}
    both_know = asyncio.Barrier(2) if not idle.front.database.sqlite else None

    async def fail(point: str) -> None:
        row, now = rows[point], idle.time()
        async with idle.back.database.writing() as connection:
            (claimed,) = await claim_batch(
                connection, row.batch, provider="outbox", owner=point, now=now, until=now + MINUTE, limit=1
            )
        async with idle.back.database.writing() as connection:
            await connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(state="failed"))
            if both_know is not None:
                await both_know.wait()
            await start_next_routes(connection, [claimed], now=now)

    await asyncio.gather(*(fail(point) for point in rows))
    assert set((await idle.states()).values()) == {"failed"}
    assert [(task.kind, task.contact) for task in await idle.tasks()] == [("reach_by_hand", "mum")]


async def test_many_senders_share_one_batch(idle: Installation) -> None:
    """Woken ten times for the same batch, the workers hand every mail over once."""
    contacts = [f"c{number:02}" for number in range(40)]
    await idle.put(directory(relationships=parents(*contacts)))
    await idle.back.planner.plan(await idle.post("report"))
    batches = {row.batch for row in await idle.deliveries()}
    await asyncio.gather(*(idle.back.sender.send(batch) for batch in batches for _ in range(10)))
    assert len(idle.faults.seen) == len(contacts) == len(idle.outbox.mails())
    assert set((await idle.states()).values()) == {"sent"}


async def test_many_planners_plan_once(idle: Installation) -> None:
    """Woken ten times for the same notification, the planners decide every pair once."""
    await idle.put(directory(relationships=parents("mum", "dad")))
    notification = await idle.post("report")
    await asyncio.gather(*(idle.back.planner.plan(notification) for _ in range(10)))
    assert len(await idle.decided(notification)) == 2
    assert len(await idle.deliveries()) == 2


async def test_a_worker_that_must_stop_gives_back_what_it_has(idle: Installation) -> None:
    """Told to stop before it has handed anything over, it leaves no trace: the next worker starts afresh."""
    await idle.put(directory(relationships=parents("mum")))
    await idle.back.planner.plan(await idle.post("report"))
    (row,) = await idle.deliveries()
    working = asyncio.ensure_future(idle.back.sender.send(row.batch))

    async def claimed() -> bool:
        async with idle.front.database.reading() as connection:
            return (await load_deliveries(connection, [row.id]))[row.id].state != "queued"

    await idle.until(claimed)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    (after,) = await idle.deliveries()
    assert (after.state, after.attempts) in {("queued", 0), ("sent", 1)}
    assert len(await idle.attempts(row.id)) == after.attempts
    await idle.send_due()
    assert await idle.states() == {"mum-e": "sent"}
    assert len(idle.faults.seen) == 1
