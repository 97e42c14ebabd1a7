"""What statements on deliveries read is what they are about, whatever PostgreSQL's last statistics say."""

import datetime as dt
import json

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.claims import claim_batch, due_of, renew_leases
from gateway.store.database import Database
from gateway.store.rendering import load_addressees
from gateway.store.sending import present, record_states
from gateway.store.tables import contacts, deliveries, messages
from tests.store.rows import NOON, delivery, message

BATCH, BATCHES = 200, 50
MINUTE = dt.timedelta(minutes=1)


async def rows_read(connection: AsyncConnection) -> int:
    """Count the rows of deliveries that were ever read, along an index or not."""
    await connection.execute(text("SELECT pg_stat_force_next_flush()"))
    await connection.commit()
    query = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'deliveries'")
    read = int((await connection.execute(query)).scalar_one())
    await connection.commit()
    return read


async def open_newsletter(database: Database) -> None:
    """Take statistics while nothing is open, and then let a newsletter wait in many batches."""
    rested = [delivery(f"old{number}", state="sent", batch=f"o{number // BATCH}") for number in range(BATCH * BATCHES)]
    fresh = [delivery(f"d{number:05}", batch=f"b{number // BATCH}") for number in range(BATCH * BATCHES)]
    async with database.writing() as connection:
        await connection.execute(insert(deliveries), rested)
    async with database.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ALTER TABLE deliveries SET (autovacuum_enabled = false)"))
        await connection.execute(text("VACUUM ANALYZE deliveries"))
    async with database.writing() as connection:
        await connection.execute(insert(deliveries), fresh)
        await connection.execute(insert(messages), [message(f"m-{row['id']}", row["contact"], "s") for row in fresh])
        people = [{"id": row["contact"], "document": json.dumps({"id": row["contact"]})} for row in fresh]
        await connection.execute(insert(contacts), [{"school": "school", "ended_at": None, **row} for row in people])


async def test_a_claim_and_its_record_read_one_batch(gateway_postgresql_url: str) -> None:
    """Statistics of an evening at rest must not make the morning's newsletter read everything for each of its rows."""
    database = Database(gateway_postgresql_url, pool_size=1)
    await open_newsletter(database)
    async with database.engine.connect() as watching:
        before = await rows_read(watching)
        async with database.writing() as connection:
            assert await due_of(connection, "b7", now=NOON) is not None
            rows = await claim_batch(
                connection, "b7", provider="outbox", owner="w", now=NOON, until=NOON + MINUTE, limit=BATCH
            )
        ids = [row.id for row in rows]
        async with database.writing() as connection:
            await load_addressees(connection, ids)
            assert len(await present(connection, ids, owner="w")) == BATCH
            assert await renew_leases(connection, ids, owner="w", until=NOON + 2 * MINUTE)
            states = [
                {"id": row.id, "attempt": 1, "attempts": 1, "state": "sent", "code": None, "detail": None}
                | {"due_at": None, "provider": "smtp", "provider_id": None, "changed_at": NOON}
                for row in rows
            ]
            await record_states(connection, states, owner="w")
            counted = select(func.count()).where(deliveries.c.state == "sent", deliveries.c.batch == "b7")
            assert (await connection.execute(counted)).scalar_one() == BATCH
        after = await rows_read(watching)
    await database.close()
    # Six statements, and the count above, which reads everything.
    assert after - before - 2 * BATCH * BATCHES < 12 * BATCH
