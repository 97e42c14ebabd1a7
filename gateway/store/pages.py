"""Pages to staff on duty: which life-safety holds are unanswered, what was sent about them, claims, answers (R45)."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.inserting import insert_new
from gateway.store.tables import notifications, pages, tasks

HOLD = "decide_hold"
PAGED_KINDS = (HOLD, "planning_failed", "sending_failed")
"""Tasks that keep an alert from people: a hold for one pair, and what holds a whole notification up."""

_PAGED_WITHIN = dt.timedelta(days=1)
"""Paging is over long before; the bound keeps the clock from reading every hold there ever was."""

_CLAIMABLE = ("queued", "retrying", "unknown")
# Written out, as parameters would hide from either database that its partial index serves.
_IN_WORK = text("pages.state IN ('queued', 'sending', 'retrying', 'unknown') AND pages.due_at IS NOT NULL")


def _unanswered(now: dt.datetime) -> ColumnElement[bool]:
    """Match tasks, joined with their notification, that still ask for a page."""
    return and_(
        tasks.c.kind.in_(PAGED_KINDS),
        tasks.c.done_at.is_(None),
        tasks.c.acknowledged_at.is_(None),
        tasks.c.due_at <= now,
        tasks.c.due_at > now - _PAGED_WITHIN,
        notifications.c.lane == "emergency",
        notifications.c.status != "cancelled",
        or_(tasks.c.kind == HOLD, notifications.c.status != "finished"),
        or_(notifications.c.expires_at.is_(None), notifications.c.expires_at > now),
    )


async def unanswered_holds(connection: AsyncConnection, *, now: dt.datetime) -> list[Row[Any]]:
    """List the tasks of alerts that are due and that nobody has acknowledged or settled, by notification and id."""
    query = (
        select(
            tasks.c.id,
            tasks.c.school,
            tasks.c.notification,
            tasks.c.student,
            tasks.c.contact,
            tasks.c.kind,
            tasks.c.due_at,
        )
        .join(notifications, notifications.c.id == tasks.c.notification)
        .where(_unanswered(now))
        .order_by(tasks.c.notification, tasks.c.id)
    )
    return list(await connection.execute(query))


async def past_rounds(connection: AsyncConnection, of: Collection[str]) -> list[Row[Any]]:
    """List the rounds of these notifications in order: `notification`, `number`, `at`, and `failed` of how many."""
    alive = func.count().filter(pages.c.state != "failed")
    query = (
        select(
            pages.c.notification,
            pages.c.round.label("number"),
            func.min(pages.c.created_at).label("at"),
            alive.label("alive"),
        )
        .where(pages.c.notification.in_(of))
        .group_by(pages.c.notification, pages.c.round)
        .order_by(pages.c.notification, pages.c.round)
    )
    return list(await connection.execute(query))


async def add_pages(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> bool:
    """Begin a round; says whether this clock was the one to do so. Ids are derived, so no page is there twice."""
    return bool(await insert_new(connection, pages, rows))


async def mark_paged(connection: AsyncConnection, ids: Collection[str], *, at: dt.datetime) -> None:
    """Note on these tasks when somebody was first paged about them."""
    await connection.execute(update(tasks).where(tasks.c.id.in_(ids), tasks.c.paged_at.is_(None)).values(paged_at=at))


async def known_alarms(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Name those of the tasks that are on the list, or that a person has settled."""
    on_record = or_(tasks.c.done_at.is_(None), tasks.c.done_by.is_not(None))
    return set((await connection.execute(select(tasks.c.id).where(tasks.c.id.in_(ids), on_record))).scalars())


async def needless_alarms(
    connection: AsyncConnection, kinds: Collection[str], *, waiting: Collection[str]
) -> list[str]:
    """Name open alarms about notifications of which no hold waits any more."""
    query = select(tasks.c.id).where(
        tasks.c.kind.in_(kinds), tasks.c.done_at.is_(None), tasks.c.notification.not_in(waiting)
    )
    return list((await connection.execute(query)).scalars())


async def notifications_in_work(connection: AsyncConnection) -> set[str]:
    """Name the notifications with pages that are not sent yet."""
    return set((await connection.execute(select(pages.c.notification).where(_IN_WORK).distinct())).scalars())


async def due_notifications(connection: AsyncConnection, *, now: dt.datetime) -> list[str]:
    """Name the notifications with pages to send now, lost claims among them."""
    query = select(pages.c.notification).where(_IN_WORK, _takeable(now)).distinct().order_by(pages.c.notification)
    return list((await connection.execute(query)).scalars())


def _takeable(now: dt.datetime) -> ColumnElement[bool]:
    """Match what is due, and what a worker that died has left: repeating a page does no harm, losing it does."""
    return or_(
        and_(pages.c.state.in_(_CLAIMABLE), pages.c.due_at <= now),
        and_(pages.c.state == "sending", pages.c.lease_until < now),
    )


async def claim_pages(
    connection: AsyncConnection, notification: str, *, owner: str, now: dt.datetime, until: dt.datetime, limit: int
) -> list[Row[Any]]:
    """Take a notification's due pages and put the attempt on record before a provider is called.

    One UPDATE decides who gets a row, as for deliveries. What somebody has answered meanwhile is not taken.
    """
    waiting = (
        select(tasks.c.id)
        .join(notifications, notifications.c.id == tasks.c.notification)
        .where(tasks.c.notification == notification, _unanswered(now))
    )
    due = (
        select(pages.c.id)
        .where(pages.c.notification == notification, _IN_WORK, _takeable(now), waiting.exists())
        .order_by(pages.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(pages)
        .where(pages.c.id.in_(due.scalar_subquery()), _takeable(now))
        .values(state="sending", owner=owner, lease_until=until, attempts=pages.c.attempts + 1, changed_at=now)
        .returning(*pages.c)
    )
    return list(await connection.execute(statement))


async def load_page(connection: AsyncConnection, page: str) -> Row[Any] | None:
    """Load one page."""
    return (await connection.execute(select(pages).where(pages.c.id == page))).first()


_ANSWER = ("state", "due_at", "provider", "provider_id", "code", "detail", "changed_at")


async def record_pages(connection: AsyncConnection, rows: Sequence[dict[str, Any]], *, owner: str) -> None:
    """Write the answers of claimed pages (`id`, `attempts` and what they came to), but of those that were lost."""
    statement = (
        update(pages)
        .where(
            pages.c.id == bindparam("key_id"),
            pages.c.attempts == bindparam("key_attempts"),
            pages.c.owner == owner,
            pages.c.state == "sending",
        )
        .values({name: bindparam(f"new_{name}") for name in _ANSWER} | {"owner": None, "lease_until": None})
    )
    if rows:
        await connection.execute(
            statement,
            [
                {f"new_{name}": row[name] for name in _ANSWER} | {"key_id": row["id"], "key_attempts": row["attempts"]}
                for row in rows
            ],
        )


async def cancel_pages(connection: AsyncConnection, of: Collection[str], *, at: dt.datetime) -> None:
    """Withdraw the pages of these notifications that have not left."""
    await connection.execute(
        update(pages)
        .where(pages.c.notification.in_(of), pages.c.state.in_(_CLAIMABLE), pages.c.due_at.is_not(None))
        .values(state="cancelled", due_at=None, changed_at=at)
    )
