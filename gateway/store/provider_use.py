"""What providers with a budget were given, by calendar month."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.inserting import tolerant_insert
from gateway.store.sending import in_state
from gateway.store.tables import deliveries, provider_use


async def units_used(connection: AsyncConnection, provider: str, month: str) -> int:
    """Say how much of its budget a provider has used in a month."""
    table = provider_use.c
    query = select(table.units).where(table.provider == provider, table.month == month)
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def in_flight(connection: AsyncConnection, adapter: str) -> int:
    """Count the deliveries that workers have claimed for a provider, named by its adapter."""
    claimed = in_state("sending"), deliveries.c.provider == adapter
    return (await connection.execute(select(func.count()).select_from(deliveries).where(*claimed))).scalar_one()


async def add_use(connection: AsyncConnection, provider: str, month: str, units: int) -> None:
    """Count what a provider has accepted; workers that count at once wait for each other."""
    statement = tolerant_insert(connection, provider_use).values(provider=provider, month=month, units=units)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["provider", "month"],
            set_={"units": provider_use.c.units + statement.excluded.units},
        )
    )
