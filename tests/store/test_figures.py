"""What waits: how much and since when, by lane, whoever asks how often."""

import datetime as dt

from sqlalchemy import insert

from gateway.dispatch.backlog import Backlog
from gateway.dispatch.metrics import Waiting
from gateway.store.database import Database
from gateway.store.tables import deliveries, notifications
from tests.store.rows import NOON, delivery, notification

LATER = NOON + dt.timedelta(minutes=5)


async def _write(database: Database) -> None:
    hour = dt.timedelta(hours=1)
    async with database.writing() as connection:
        await connection.execute(
            insert(notifications),
            [
                notification("n1", status="planning"),
                notification("n2", send_at=NOON + hour),
                notification("n3", lane="emergency", status="finished"),
            ],
        )
        waiting = [
            delivery("d1"),
            delivery("d2", state="retrying", due_at=NOON + dt.timedelta(minutes=1)),
            delivery("d3", state="unknown", due_at=LATER + hour, lane="standard"),
        ]
        over = [
            delivery("d4", state="sent", due_at=None, lane="emergency"),
            delivery("d5", state="held", due_at=None, lane="emergency"),
            delivery("d6", merged_into="d1"),
        ]
        await connection.execute(insert(deliveries), waiting + over)


async def test_open_work_is_counted_by_lane_and_kind(database: Database) -> None:
    """What is over, held or travels inside another waits for nobody; what is due later is open and has no age."""
    await _write(database)
    backlog = Backlog(database, now=lambda: LATER)
    found = sorted(await backlog.waiting(), key=lambda row: (row.work, row.lane))
    await backlog.close()
    assert found == [
        Waiting(lane="bulk", work="plan", number=2, oldest_seconds=300.0),
        Waiting(lane="bulk", work="send", number=2, oldest_seconds=300.0),
        Waiting(lane="standard", work="send", number=1, oldest_seconds=0.0),
    ]


async def test_scrapers_share_one_count(database: Database) -> None:
    """Within a few seconds the database is asked once, however many ask."""
    backlog = Backlog(database, now=lambda: LATER)
    assert await backlog.waiting() == []
    await _write(database)
    assert await backlog.waiting() == []
    await backlog.close()
