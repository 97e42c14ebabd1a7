"""Receipts on record: every provider event once, parked until its delivery is known."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Receipt
from gateway.store.inserting import insert_new
from gateway.store.tables import deliveries, receipts


async def keep_receipts(connection: AsyncConnection, news: Sequence[Receipt], *, at: dt.datetime) -> list[Receipt]:
    """Store events not seen before; gives those. The same event told twice has the same id."""
    told = {(receipt.provider, receipt.event_id): receipt for receipt in news}
    fresh = await insert_new(
        connection,
        receipts,
        [
            {
                "provider": receipt.provider,
                "event_id": receipt.event_id,
                "delivery": receipt.delivery,
                "provider_id": receipt.provider_id,
                "status": receipt.status.value,
                "document": msgspec.json.encode(receipt).decode(),
                "at": receipt.at,
                "received_at": at,
            }
            for receipt in told.values()
        ],
    )
    return [receipt for key, receipt in told.items() if key in fresh]


async def deliveries_meant(connection: AsyncConnection, news: Sequence[Receipt]) -> dict[tuple[str, str], Row[Any]]:
    """Find the delivery of each event, by our id or the provider's; keyed by provider and event id.

    The rows are locked: a worker's own record of the same delivery waits, or is waited for and seen.
    """
    ours = {receipt.delivery for receipt in news if receipt.delivery}
    theirs = {receipt.provider_id for receipt in news if receipt.provider_id}
    query = (
        select(deliveries)
        .where(or_(deliveries.c.id.in_(ours), deliveries.c.provider_id.in_(theirs)))
        .order_by(deliveries.c.id)
        .with_for_update()
    )
    rows = list(await connection.execute(query))
    by_id = {row.id: row for row in rows}
    by_provider = {(row.provider, row.provider_id): row for row in rows if row.provider_id}
    found = {}
    for receipt in news:
        row = by_id.get(receipt.delivery or "") or by_provider.get((receipt.provider, receipt.provider_id))
        if row is not None:
            found[receipt.provider, receipt.event_id] = row
    return found


async def mark_applied(connection: AsyncConnection, news: Sequence[Receipt], *, at: dt.datetime) -> None:
    """Note that these events have reached their deliveries."""
    for receipt in news:
        same = and_(receipts.c.provider == receipt.provider, receipts.c.event_id == receipt.event_id)
        await connection.execute(update(receipts).where(same).values(applied_at=at))


async def parked(connection: AsyncConnection, *, limit: int = 500) -> list[Receipt]:
    """Give events that no delivery had claimed when they came, but one does now."""
    waiting = receipts.c
    query = (
        select(receipts.c.document)
        .where(
            waiting.applied_at.is_(None),
            or_(
                waiting.provider_id.in_(select(deliveries.c.provider_id).where(deliveries.c.provider_id.is_not(None))),
                waiting.delivery.in_(select(deliveries.c.id)),
            ),
        )
        .limit(limit)
    )
    decoder = msgspec.json.Decoder(Receipt)
    return [decoder.decode(document) for document in (await connection.execute(query)).scalars()]
