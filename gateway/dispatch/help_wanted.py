"""Asks people to look after what the gateway cannot plan or send at the moment: no hold is silent (R45)."""

import datetime as dt
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatch.deny_snapshots import NoSnapshotError
from gateway.store.identity import derived_id
from gateway.store.people import RestrictionsUnreadableError
from gateway.store.sending import load_notifications
from gateway.store.tasks import add_tasks


class Work(StrEnum):
    """What could not be done."""

    PLANNING = "planning"
    SENDING = "sending"


class ProviderAwayError(Exception):
    """A provider takes nothing at the moment, and an alert waits for it."""


class NoProviderError(Exception):
    """No provider of a channel may be used; names them, each with the reason."""


def help_task(notification: str, work: Work) -> str:
    """Name the task: one for each kind of work on a notification, however often it fails."""
    return derived_id(notification, "task", work)


def help_kind(work: Work) -> str:
    """Name the kind of such a task."""
    return f"{work}_failed"


async def ask_for_help(
    connection: AsyncConnection, notification: str, work: Work, error: Exception, *, now: dt.datetime
) -> None:
    """Put it on somebody's list, due at once; the gateway itself goes on trying."""
    row = (await load_notifications(connection, [notification])).get(notification)
    if row is None:
        return
    owner, detail = _request(work, error)
    task = {
        "id": help_task(notification, work),
        "school": row.school,
        "kind": help_kind(work),
        "notification": notification,
        "student": None,
        "contact": None,
        "delivery": None,
        "owner": owner,
        "detail": detail,
        "created_at": now,
        "due_at": now,
        "done_at": None,
    }
    await add_tasks(connection, [task])


def _request(work: Work, error: Exception) -> tuple[str, str]:
    """Say whose matter it is, and what in one or two sentences."""
    match work, error:
        case _, NoSnapshotError():
            return "safeguarding", (
                "R46: The restrictions cannot be read and there is no genuine snapshot of the last 24 hours, so this "
                "alert waits: telephone whom you know to be safe, and have the restrictions register repaired."
            )
        case _, RestrictionsUnreadableError():
            return "safeguarding", (
                "R46: The restrictions cannot be read, so this notification waits. It goes by itself once the "
                "restrictions register is repaired."
            )
        case _, ProviderAwayError():
            return "safeguarding", (
                "A provider takes nothing at the moment, so some of this alert has not left: telephone those who have "
                "no other route. It goes by itself once the provider is back."
            )
        case _, NoProviderError():
            return "office", (
                f"Nobody may take some of this notification: {error}. It waits; have the provider's approval or budget "
                "renewed, or reach those who have no other route."
            )
        case Work.PLANNING, _:
            return "office", "This notification cannot be planned at the moment: nobody has got it. The log says why."
        case _:
            return "office", (
                "Some of this notification cannot be checked before it leaves, so it waits and is tried again every "
                "minute. The log says why."
            )
