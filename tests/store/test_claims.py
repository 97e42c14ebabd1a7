"""Claims: whoever takes a delivery or a notification is the only one, however many try at once."""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, insert, select

from gateway.store.claims import (
    claim_batch,
    claim_unknown,
    due_batches,
    expired_leases,
    hand_back,
    lose_claims,
    renew_leases,
)
from gateway.store.database import Database
from gateway.store.planning import claim_planning, due_for_planning
from gateway.store.sending import load_deliveries
from gateway.store.tables import attempts, deliveries, notifications
from tests.store.rows import NOON, delivery, notification

MINUTE = dt.timedelta(minutes=1)
ROWS = 240
CLAIMERS = 8


@pytest_asyncio.fixture
async def processes(gateway_database_url: str) -> AsyncIterator[list[Database]]:
    """Open the database as several processes do: each has its own pool and knows nothing of the others."""
    databases = [Database(gateway_database_url, pool_size=2) for _ in range(4)]
    yield databases
    for database in databases:
        await database.close()


async def put(database: Database, *rows: dict[str, Any]) -> None:
    """Write deliveries."""
    async with database.writing() as connection:
        await connection.execute(insert(deliveries), list(rows))


async def claim(database: Database, owner: str, *, limit: int = 100, now: dt.datetime = NOON) -> list[Any]:
    """Claim from the batch `b1` for a minute."""
    async with database.writing() as connection:
        return await claim_batch(
            connection, "b1", provider="outbox", owner=owner, now=now, until=now + MINUTE, limit=limit
        )


async def claim_silence(database: Database, _owner: str, *, limit: int) -> list[Any]:
    """Claim unanswered deliveries of the batch `b1` for a minute."""
    async with database.writing() as connection:
        return await claim_unknown(connection, "b1", now=NOON, until=NOON + MINUTE, limit=limit)


@pytest.mark.parametrize(("state", "take"), [("queued", claim), ("retrying", claim), ("unknown", claim_silence)])
async def test_every_row_goes_to_exactly_one_claimer(
    processes: list[Database], state: str, take: Callable[..., Coroutine[Any, Any, list[Any]]]
) -> None:
    """Eight claimers empty one batch in small bites: no row is missed, none is taken twice."""
    await put(processes[0], *(delivery(f"d{number:03}", state=state) for number in range(ROWS)))

    async def work(number: int) -> list[str]:
        taken: list[str] = []
        database = processes[number % len(processes)]
        while rows := await take(database, f"worker-{number}", limit=7):
            taken += [row.id for row in rows]
        return taken

    shares = await asyncio.gather(*(work(number) for number in range(CLAIMERS)))
    counted = Counter(name for share in shares for name in share)
    assert counted == {f"d{number:03}": 1 for number in range(ROWS)}


async def test_a_claim_puts_the_attempt_on_record(database: Database) -> None:
    """Before any provider is called the row says whose attempt it is, which one, and since when."""
    await put(database, delivery(attempts=2))
    await claim(database, "worker")
    async with database.reading() as connection:
        row = (await load_deliveries(connection, ["d1"]))["d1"]
    assert (row.state, row.owner, row.attempts, row.lease_until) == ("sending", "worker", 3, NOON + MINUTE)
    assert row.changed_at == NOON


@pytest.mark.parametrize(
    "columns",
    [
        {"due_at": NOON + dt.timedelta(microseconds=1)},
        {"due_at": None},
        {"merged_into": "another"},
        {"batch": "b2"},
        {"state": "held"},
        {"state": "sending"},
        {"state": "sent"},
        {"state": "unknown"},
        {"state": "cancelled"},
        {"state": "suppressed"},
    ],
    ids=lambda columns: ",".join(f"{name}={value}" for name, value in columns.items())[:40],
)
async def test_what_is_not_due_is_left_alone(database: Database, columns: dict[str, Any]) -> None:
    """Nobody claims what waits, travels inside another, belongs elsewhere or has its state already."""
    await put(database, delivery(**columns))
    assert await claim(database, "worker") == []


async def test_a_dead_workers_claim_becomes_unknown(database: Database) -> None:
    """When the lease has run out nobody knows whether the provider has it: that is a state of its own."""
    await put(database, delivery())
    await claim(database, "worker")
    async with database.writing() as connection:
        assert await expired_leases(connection, now=NOON + MINUTE) == []
        late = NOON + MINUTE + dt.timedelta(seconds=1)
        lost = await expired_leases(connection, now=late)
        await lose_claims(connection, lost, now=late, code="worker_lost", detail="Gone.")
        row = (await load_deliveries(connection, ["d1"]))["d1"]
        (attempt,) = await connection.execute(select(attempts))
        assert (row.state, row.owner, row.lease_until, row.due_at) == ("unknown", None, None, late)
        assert (attempt.outcome, attempt.answered_at) == ("no_answer", late)
        assert list(await due_batches(connection, now=late + MINUTE, grace=dt.timedelta(seconds=5))) == [("bulk", "b1")]


async def test_an_answer_on_record_is_not_lost_to_the_sweep(database: Database) -> None:
    """A worker that answers between the sweep's look and its stroke keeps its answer."""
    await put(database, delivery())
    await claim(database, "worker")
    late = NOON + 2 * MINUTE
    async with database.writing() as connection:
        lost = await expired_leases(connection, now=late)
        await connection.execute(deliveries.update().values(state="sent", owner=None, lease_until=None))
        await lose_claims(connection, lost, now=late, code="worker_lost", detail="Gone.")
        assert (await load_deliveries(connection, ["d1"]))["d1"].state == "sent"
        assert not list(await connection.execute(select(attempts)))


async def test_a_renewed_lease_is_not_swept(database: Database) -> None:
    """Only the owner renews, and only what is still being sent."""
    await put(database, delivery("d1"), delivery("d2"))
    await claim(database, "worker", limit=1)
    await claim(database, "other")
    until = NOON + 3 * MINUTE
    async with database.writing() as connection:
        await renew_leases(connection, ["d1", "d2"], owner="worker", until=until)
        kept = [row.owner for row in (await load_deliveries(connection, ["d1", "d2"])).values() if row.owner]
        swept = [row.owner for row in await expired_leases(connection, now=NOON + 2 * MINUTE)]
    assert (sorted(kept), swept) == (["other", "worker"], ["other"])


async def test_handing_back_leaves_no_trace_of_an_attempt(database: Database) -> None:
    """A worker that has to stop gives back what no provider has seen; the next one starts where it started."""
    await put(database, delivery("d1"), delivery("d2"))
    rows = await claim(database, "worker")
    async with database.writing() as connection:
        await connection.execute(deliveries.update().where(deliveries.c.id == "d2").values(owner="other"))
        await hand_back(connection, rows, owner="worker", now=NOON)
        found = await load_deliveries(connection, ["d1", "d2"])
    assert [(row.state, row.owner, row.attempts) for _, row in sorted(found.items())] == [
        ("queued", None, 0),
        ("sending", "other", 1),
    ]


async def test_one_planner_a_notification(processes: list[Database]) -> None:
    """Of many planners that are woken for one notification exactly one may plan it."""
    async with processes[0].writing() as connection:
        await connection.execute(insert(notifications), [notification()])

    async def try_to(number: int) -> bool:
        async with processes[number % len(processes)].writing() as connection:
            row = await claim_planning(connection, "n1", owner=f"p{number}", now=NOON, until=NOON + MINUTE)
            return row is not None

    won = await asyncio.gather(*(try_to(number) for number in range(CLAIMERS)))
    assert sum(won) == 1


async def test_a_dead_planners_notification_is_due_again(database: Database) -> None:
    """When its lease has run out another planner takes over, and not a moment before."""
    later = NOON + MINUTE + dt.timedelta(seconds=1)
    async with database.writing() as connection:
        await connection.execute(insert(notifications), [notification()])
        assert await due_for_planning(connection, now=NOON) == [("n1", "bulk")]
        await claim_planning(connection, "n1", owner="first", now=NOON, until=NOON + MINUTE)
        assert await due_for_planning(connection, now=NOON + MINUTE) == []
        assert await claim_planning(connection, "n1", owner="second", now=NOON, until=later) is None
        assert await due_for_planning(connection, now=later) == [("n1", "bulk")]
        row = await claim_planning(connection, "n1", owner="second", now=later, until=later + MINUTE)
        assert row is not None
        assert row.owner == "second"


@pytest.mark.parametrize("columns", [{"status": "cancelled"}, {"status": "sending"}, {"send_at": NOON + MINUTE}])
async def test_no_planner_where_nothing_is_to_plan(database: Database, columns: dict[str, Any]) -> None:
    """Cancelled, planned and future notifications have no planner."""
    async with database.writing() as connection:
        await connection.execute(insert(notifications), [notification(**columns)])
        assert await due_for_planning(connection, now=NOON) == []
        assert await claim_planning(connection, "n1", owner="p", now=NOON, until=NOON + MINUTE) is None


async def test_writers_wait_for_each_other(processes: list[Database]) -> None:
    """Many small writes from many processes all succeed; SQLite's one writer refuses nobody."""

    async def write(number: int) -> None:
        await put(processes[number % len(processes)], delivery(f"w{number}"))

    await asyncio.gather(*(write(number) for number in range(40)))
    async with processes[0].reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(deliveries))).scalar_one() == 40
