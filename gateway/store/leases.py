"""Leases of processes that are known to be gone."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.columns import LONG_AGO
from gateway.store.tables import deliveries, notifications, print_runs, webhook_endpoints


async def claim_owners(connection: AsyncConnection) -> set[str]:
    """Name everyone who holds a claim: on a delivery, a notification's planning, a webhook endpoint, a print run."""
    senders = select(deliveries.c.owner).where(deliveries.c.state == "sending", deliveries.c.owner.is_not(None))
    planners = select(notifications.c.owner).where(notifications.c.owner.is_not(None))
    posters = select(webhook_endpoints.c.owner).where(webhook_endpoints.c.owner.is_not(None))
    printers = select(print_runs.c.owner).where(print_runs.c.owner.is_not(None))
    owners: set[str] = set()
    for query in (senders, planners, posters, printers):
        owners |= {row.owner for row in await connection.execute(query.distinct())}
    return owners


async def end_leases(connection: AsyncConnection, owners: Sequence[str]) -> None:
    """Let what these owners hold be swept at the clock's next round."""
    for table in (deliveries, notifications, webhook_endpoints, print_runs):
        await connection.execute(
            update(table)
            .where(table.c.owner.in_(owners), table.c.lease_until.is_not(None))
            .values(lease_until=LONG_AGO)
        )
