"""Events on their way to endpoints: due, taken under an endpoint's lease, recorded, sent again, forgotten."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, literal, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import BulkUpdate, one_of
from gateway.store.columns import Instant
from gateway.store.inserting import tolerant_insert
from gateway.store.tables import webhook_attempts, webhook_endpoints, webhook_events, webhook_posts


def _free(now: dt.datetime) -> ColumnElement[bool]:
    """Match endpoints that may be posted to now and that no worker has."""
    endpoint = webhook_endpoints.c
    return and_(
        endpoint.disabled_at.is_(None),
        or_(endpoint.lease_until.is_(None), endpoint.lease_until < now),
        or_(endpoint.rests_until.is_(None), endpoint.rests_until <= now),
    )


async def due_endpoints(connection: AsyncConnection, *, now: dt.datetime) -> dict[str, dt.datetime]:
    """Tell of the endpoints with something to be posted now since when it could be."""
    # One look into the index for each endpoint, however many events wait for it.
    earliest = (
        select(func.min(webhook_posts.c.due_at))
        .where(webhook_posts.c.endpoint == webhook_endpoints.c.id, webhook_posts.c.due_at.is_not(None))
        .scalar_subquery()
        .label("earliest")
    )
    query = select(webhook_endpoints.c.id, webhook_endpoints.c.rests_until, earliest).where(_free(now))
    return {
        row.id: max(row.earliest, row.rests_until or row.earliest)
        for row in await connection.execute(query)
        if row.earliest is not None and row.earliest <= now
    }


async def take_endpoint(
    connection: AsyncConnection, endpoint: str, *, owner: str, now: dt.datetime, until: dt.datetime
) -> Row[Any] | None:
    """Become the one who posts to an endpoint, or None when another one does or nobody may.

    One UPDATE decides. What the owner has not recorded when its lease ends is due as before, and is posted again.
    """
    statement = (
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint, _free(now))
        .values(owner=owner, lease_until=until)
        .returning(*webhook_endpoints.c)
    )
    return (await connection.execute(statement)).one_or_none()


async def due_posts(connection: AsyncConnection, endpoint: str, *, now: dt.datetime, limit: int) -> list[Row[Any]]:
    """List what is due at an endpoint (`event`, `attempts`, `document`), longest due first."""
    query = (
        select(webhook_posts.c.event, webhook_posts.c.attempts, webhook_events.c.document)
        .join(webhook_events, webhook_events.c.id == webhook_posts.c.event)
        .where(webhook_posts.c.endpoint == endpoint, webhook_posts.c.due_at <= now)
        .order_by(webhook_posts.c.due_at, webhook_posts.c.event)
        .limit(limit)
    )
    return list(await connection.execute(query))


_RECORD = BulkUpdate(
    webhook_posts,
    # Of somebody whose lease was lost meanwhile another one's record counts, or that it was sent again.
    matching={"endpoint": "endpoint", "event": "event", "attempts": "before"},
    values=("attempts", "due_at", "delivered_at"),
)


async def record_posts(
    connection: AsyncConnection, posts: Sequence[dict[str, Any]], attempts: Sequence[dict[str, Any]]
) -> None:
    """Write what became of posts (`endpoint`, `event`, how many attempts `before`, new values), and the attempts."""
    await _RECORD.run(connection, sorted(posts, key=lambda post: str(post["event"])))
    if attempts:
        await connection.execute(insert(webhook_attempts), list(attempts))


async def release_endpoint(connection: AsyncConnection, endpoint: str, *, owner: str, values: dict[str, Any]) -> bool:
    """Leave an endpoint to others, with how it stands now; says whether it was still this owner's."""
    released = await connection.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint, webhook_endpoints.c.owner == owner)
        .values(**values, owner=None, lease_until=None)
    )
    return released.rowcount == 1


async def send_again(
    connection: AsyncConnection, endpoint: str, which: Sequence[ColumnElement[bool]], *, now: dt.datetime
) -> int:
    """Let events be posted to an endpoint as if they never had been; gives how many. Their ids stay.

    `which` picks events, see `of_ids`, `between` and `not_taken`.
    """
    chosen: Select[Any] = select(
        literal(endpoint), webhook_events.c.id, literal(now, Instant), literal(0), null()
    ).where(*which)
    names = ["endpoint", "event", "due_at", "attempts", "delivered_at"]
    statement = tolerant_insert(connection, webhook_posts).from_select(names, chosen)
    again = statement.on_conflict_do_update(
        index_elements=["endpoint", "event"],
        set_={name: statement.excluded[name] for name in ("due_at", "attempts", "delivered_at")},
    )
    return int((await connection.execute(again)).rowcount)


def of_ids(connection: AsyncConnection, school: str, ids: Collection[str]) -> list[ColumnElement[bool]]:
    """Pick events of a school by id."""
    return [webhook_events.c.school == school, one_of(connection, webhook_events.c.id, ids)]


def between(
    school: str, since: dt.datetime, until: dt.datetime, types: Collection[str] | None
) -> list[ColumnElement[bool]]:
    """Pick a school's events of a time (its end excluded), of these types or all."""
    picked = [webhook_events.c.school == school, webhook_events.c.at >= since, webhook_events.c.at < until]
    return picked if types is None else [*picked, webhook_events.c.type.in_(types)]


def not_taken(endpoint: str) -> ColumnElement[bool]:
    """Pick events that an endpoint has not taken."""
    taken = select(webhook_posts.c.event).where(
        webhook_posts.c.endpoint == endpoint,
        webhook_posts.c.event == webhook_events.c.id,
        webhook_posts.c.delivered_at.is_not(None),
    )
    return ~taken.exists()


async def known_events(connection: AsyncConnection, school: str, ids: Collection[str]) -> set[str]:
    """Name those of the ids that are events of this school."""
    query = select(webhook_events.c.id).where(*of_ids(connection, school, ids))
    return set((await connection.execute(query)).scalars())


async def old_events(connection: AsyncConnection, *, before: dt.datetime, limit: int) -> list[str]:
    """Name events of before then."""
    query = select(webhook_events.c.id).where(webhook_events.c.at < before).order_by(webhook_events.c.at).limit(limit)
    return list((await connection.execute(query)).scalars())


async def forget_events(connection: AsyncConnection, ids: Collection[str]) -> None:
    """Remove events with all that is on record of posting them."""
    for column in (webhook_posts.c.event, webhook_attempts.c.event, webhook_events.c.id):
        await connection.execute(delete(column.table).where(one_of(connection, column, ids)))
