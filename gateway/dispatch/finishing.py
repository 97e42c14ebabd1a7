"""Saying of notifications whether they are finished, once what may have been their last delivery is on record."""

import datetime as dt
from collections.abc import Iterable

from gateway.store.announcing import announce_notification
from gateway.store.database import Database
from gateway.store.notifications import is_open, settle_status
from gateway.tracking.announcements import EventType


async def settle_statuses(database: Database, notifications: Iterable[str], *, now: dt.datetime) -> None:
    """Bring statuses up to date, each in a transaction of its own; the clock finds those that a crash leaves behind."""
    for notification in sorted(set(notifications)):
        async with database.writing() as connection:
            school = await settle_status(connection, notification, at=now)
            if school is not None:
                finished = EventType.NOTIFICATION_FINISHED
                await announce_notification(connection, school, notification, finished, at=now)


async def finish_those_done(database: Database, notifications: Iterable[str], *, now: dt.datetime) -> None:
    """Do the same for whoever recorded results: while anything is open, it was not the last one."""
    async with database.reading() as connection:
        done = [notification for notification in set(notifications) if not await is_open(connection, notification)]
    await settle_statuses(database, done, now=now)
