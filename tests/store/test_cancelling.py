"""Cancelling on record: what waits is withdrawn, what left or is leaving stays what it is."""

from sqlalchemy import insert

from gateway.store.database import Database
from gateway.store.notifications import cancel
from gateway.store.sending import load_deliveries
from gateway.store.tables import deliveries, notifications
from tests.store.rows import NOON, delivery, notification

STATES = ("held", "queued", "retrying", "sending", "unknown", "sent", "delivered", "failed", "expired", "suppressed")
WITHDRAWN = {"held", "queued", "retrying"}


async def cancelled(database: Database, *rows: dict[str, object]) -> dict[str, str]:
    """Cancel a notification with these deliveries and give the states they end in."""
    async with database.writing() as connection:
        await connection.execute(insert(notifications), [notification(status="sending")])
        await connection.execute(insert(deliveries), list(rows))
        number = await cancel(connection, "n1", at=NOON)
        found = await load_deliveries(connection, [str(row["id"]) for row in rows])
    states = {name: row.state for name, row in found.items()}
    assert number == sum(state == "cancelled" for state in states.values())
    return states


async def test_only_what_waits_is_withdrawn(database: Database) -> None:
    """Held, queued and retrying deliveries; nothing that may have left, nothing of another notification."""
    rows = [delivery(state, state=state) for state in STATES]
    states = await cancelled(database, *rows, delivery("other", notification="n2"))
    expected = {state: "cancelled" if state in WITHDRAWN else state for state in STATES}
    assert states == {**expected, "other": "queued"}


async def test_who_travels_along_shares_the_carriers_fate(database: Database) -> None:
    """With a waiting carrier its follower is withdrawn; with one in a worker's hands it waits for the outcome."""
    states = await cancelled(
        database,
        delivery("waits"),
        delivery("waits-too", merged_into="waits"),
        delivery("leaves", state="sending"),
        delivery("leaves-too", merged_into="leaves"),
    )
    assert states == {"waits": "cancelled", "waits-too": "cancelled", "leaves": "sending", "leaves-too": "queued"}
