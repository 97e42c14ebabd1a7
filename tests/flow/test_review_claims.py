"""A review's findings about claims that were lost, and about what travels inside another delivery."""

import datetime as dt
from typing import Any

from sqlalchemy import update

from gateway.dispatch.last_check import LastCheck
from gateway.dispatch.recording import Recorder
from gateway.store.claims import claim_batch, expired_leases, lose_claims, renew_leases
from gateway.store.tables import deliveries
from tests.flow.families import DAD, KID, MUM, TOGETHER, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory, email

FAMILY: dict[str, Any] = {"students": [KID], "contacts": [MUM, DAD], "relationships": parents("mum", "dad")}


def last_check(idle: Installation) -> LastCheck:
    """Make the last look as the assembly does."""
    services = idle.back.services
    return LastCheck(
        services.database, services.renderer, Recorder(), now=idle.time, policy=services.policy, snapshots=None
    )


async def test_what_was_lost_to_another_worker_is_not_handed_over(idle: Installation) -> None:
    """The database was away for longer than the lease: the sweep has taken the claim, a renewal brings none back."""
    await idle.put(directory(**FAMILY))
    notification = await idle.post("meeting")
    await idle.back.planner.plan(notification)
    batch = (await idle.deliveries())[0].batch
    now = idle.time()
    async with idle.back.database.writing() as connection:
        rows = await claim_batch(
            connection, batch, provider="outbox", owner="slow", now=now, until=now + dt.timedelta(seconds=60), limit=10
        )
    assert rows
    idle.time.now += dt.timedelta(seconds=61)
    async with idle.back.database.writing() as connection:
        lost = await expired_leases(connection, now=idle.time())
        await lose_claims(connection, lost, now=idle.time(), code="worker_lost", detail="The worker stopped.")
        await renew_leases(
            connection, [row.id for row in rows], owner="slow", until=idle.time() + dt.timedelta(seconds=60)
        )
    fit = (await last_check(idle).pass_on(rows)).fit
    assert fit == []


async def test_what_travels_inside_is_decided_again_as_well(idle: Installation) -> None:
    """A copy that another one carries was planned under an older directory, as when the planner was overtaken."""
    shared = [email("mum", "home@example.org"), email("dad", "home@example.org")]
    together = directory(**FAMILY, contact_points=shared, households=[TOGETHER])
    await idle.put(together)
    notification = await idle.post("newsletter")
    await idle.back.planner.plan(notification)
    (carried,) = [row for row in await idle.deliveries() if row.merged_into is not None]
    gone = {"mum": MUM, "dad": DAD}
    gone[carried.contact] = gone[carried.contact] | {"preferences": {"opted_out": ["newsletter"]}}  # type: ignore[assignment]
    await idle.put(
        directory(**{**FAMILY, "contacts": list(gone.values())}, contact_points=shared, households=[TOGETHER])
    )
    # The withdrawer has confirmed the carrier before the planner saved what it carries.
    async with idle.back.database.writing() as connection:
        await connection.execute(
            update(deliveries).where(deliveries.c.id == carried.merged_into).values(directory_version=2)
        )
    await idle.send_due()
    assert {row.contact: row.state for row in await idle.deliveries()}[carried.contact] == "suppressed"
