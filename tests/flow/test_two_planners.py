"""Two processes plan the same notification, for want of a renewed lease: nobody is left out, nobody is told twice."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatch.metrics import Metrics
from gateway.dispatch.planner import LEASE, Planner
from gateway.store.database import Database
from gateway.store.planning import claim_planning
from tests.flow.families import DAD, MUM, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory

Deed = Callable[[], Awaitable[None]]


class Crowded:
    """A database on which others are quicker: each does something just before one of the planner's transactions."""

    def __init__(self, database: Database, deeds: Iterator[Deed]) -> None:
        self._database = database
        self._deeds = deeds

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that only reads."""
        return self._database.reading()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Let the next one do his deed, then open a transaction that writes."""
        if (deed := next(self._deeds, None)) is not None:
            await deed()
        async with self._database.writing() as connection:
            yield connection


def planner(idle: Installation, database: Database, owner: str) -> Planner:
    """Make a planner that takes one contact at a time."""
    services = idle.back.services
    return Planner(
        database,
        services.wakeups,
        owner=owner,
        now=idle.time,
        policy=services.policy,
        metrics=Metrics(),
        chunk=1,
    )


async def test_a_planner_that_lost_its_claim_for_a_moment_ends_nothing(idle: Installation) -> None:
    """Its chunk is refused as another process has the claim; that one dies, and its own process has the claim again.

    What it had decided was not saved: were it to end the planning now, the contacts from there on would be lost.
    """
    await idle.put(directory(contacts=[MUM, DAD], relationships=parents("mum", "dad")))
    notification = await idle.post("report")
    database = idle.back.database

    async def claimed_by(owner: str) -> None:
        idle.time.now += 2 * LEASE
        async with database.writing() as connection:
            until = idle.time() + LEASE
            assert await claim_planning(connection, notification, owner=owner, now=idle.time(), until=until)

    async def nothing() -> None:
        pass

    deeds = iter([nothing, lambda: claimed_by("another"), lambda: claimed_by("slow")])
    crowded = Crowded(database, deeds)
    await planner(idle, crowded, "slow").plan(notification)  # type: ignore[arg-type]  # all a planner does with it
    assert await idle.status(notification) == "planning"
    assert await idle.decided(notification) == {}
    idle.time.now += 2 * LEASE
    await planner(idle, database, "slow").plan(notification)
    assert {contact for _, contact in await idle.decided(notification)} == {"mum", "dad"}
