"""A worker that is told to stop leaves in order: it finishes or hands back what it holds, and says that all is well."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

from sqlalchemy import func, select

from gateway.assembly import GRACE_SECONDS, assembled
from gateway.settings import Settings
from gateway.store.tables import deliveries, notifications
from tests.chaos.accounting import account
from tests.chaos.distributed import EVERY_LANE, post_to, until_finished
from tests.chaos.running import Folder, kill

BEGUN = 40
"""Pieces in the outbox when the worker is stopped: it is in the midst of several batches."""


def test_a_stopped_worker_owes_nothing(
    tmp_path: Path, postgresql_database: str, redis_database: str, unused_tcp_port: int
) -> None:
    """Under load, SIGTERM ends it with 0 in time: nothing is left claimed, nothing is in doubt, and others go on.

    Until then its figures are at its own port, without those of the database.
    """
    folder = Folder(tmp_path, DATABASE_URL=postgresql_database, REDIS_URL=redis_database)
    folder.run("migrate")
    # It may not send 720 mails in less than six seconds, so that some are left to others, however quick it is.
    scraped = Folder(
        tmp_path,
        DATABASE_URL=postgresql_database,
        REDIS_URL=redis_database,
        METRICS_PORT=str(unused_tcp_port),
        SMTP_RATE="100",
    )
    settings = Settings(database_url=postgresql_database, redis_url=redis_database, outbox_dir=folder.outbox)
    worker = scraped.start("work", *EVERY_LANE)
    try:
        expected = asyncio.run(post_to(settings))
        folder.wait_for(BEGUN, worker)
        with urlopen(f"http://127.0.0.1:{unused_tcp_port}/metrics", timeout=10) as answer:
            figures = answer.read().decode()
        assert "gateway_provider_state{" in figures
        assert "gateway_open_work{" not in figures
        worker.send_signal(signal.SIGTERM)
        told = time.monotonic()
        assert worker.wait(GRACE_SECONDS + 10) == 0, folder.last_words()
        assert time.monotonic() - told < GRACE_SECONDS
    finally:
        kill(worker)
    left = asyncio.run(_states(settings))
    assert left["sending"] == 0
    assert left["unknown"] == 0
    assert left["queued"] > 0, "it had done all: stop it earlier"
    assert asyncio.run(_claimed(settings)) == 0
    _finish(folder, settings)
    found = asyncio.run(account(postgresql_database, folder.outbox))
    assert (found.faults, found.pieces, found.unanswered) == ([], expected, 0)


def _finish(folder: Folder, settings: Settings) -> None:
    """Let another worker and the clock do the rest."""
    others = [folder.start("clock"), folder.start("work", *EVERY_LANE)]
    try:
        asyncio.run(until_finished(settings))
    finally:
        for process in others:
            kill(process)


async def _states(settings: Settings) -> Counter[str]:
    async with assembled(settings) as gateway, gateway.database.reading() as connection:
        query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        return Counter(dict(list(await connection.execute(query))))


async def _claimed(settings: Settings) -> int:
    """Count the notifications that a planner still holds."""
    async with assembled(settings) as gateway, gateway.database.reading() as connection:
        query = select(func.count()).where(notifications.c.status == "planning", notifications.c.owner.is_not(None))
        return int((await connection.execute(query)).scalar_one())
