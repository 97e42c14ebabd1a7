"""Webhook endpoints on record, what their secrets are made from, and the attempts to reach them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import webhook_attempts, webhook_endpoints, webhook_events, webhook_posts, webhook_seeds

_FRESH: Mapping[str, int | None] = {"failures": 0, "failing_since": None, "rests_until": None}
"""How an endpoint stands of which nothing bad is known."""


async def add_endpoint(
    connection: AsyncConnection, *, endpoint: str, school: str, url: str, events: str, by: str, at: dt.datetime
) -> None:
    """Put a new endpoint on record; `events` is its list of types as JSON, or null for all."""
    await connection.execute(
        insert(webhook_endpoints).values(
            id=endpoint, school=school, url=url, events=events, created_by=by, created_at=at, changed_at=at, **_FRESH
        )
    )


async def count_endpoints(connection: AsyncConnection, school: str) -> int:
    """Count a school's endpoints."""
    query = select(func.count()).select_from(webhook_endpoints).where(webhook_endpoints.c.school == school)
    return (await connection.execute(query)).scalar_one()


async def list_endpoints(connection: AsyncConnection, school: str) -> list[Row[Any]]:
    """List a school's endpoints, oldest first."""
    query = select(webhook_endpoints).where(webhook_endpoints.c.school == school).order_by(webhook_endpoints.c.id)
    return list(await connection.execute(query))


async def find_endpoint(
    connection: AsyncConnection, school: str, endpoint: str, *, lock: bool = False
) -> Row[Any] | None:
    """Find an endpoint of this school; `lock` keeps others from changing it meanwhile."""
    query = select(webhook_endpoints).where(webhook_endpoints.c.school == school, webhook_endpoints.c.id == endpoint)
    return (await connection.execute(query.with_for_update() if lock else query)).one_or_none()


async def change_endpoint(
    connection: AsyncConnection, endpoint: str, changes: Mapping[str, Any], *, at: dt.datetime
) -> None:
    """Change where it is (`url`) or what it wants to hear of (`events`); another address begins without a past."""
    past = _FRESH if "url" in changes else {}
    await connection.execute(
        update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint).values(**changes, **past, changed_at=at)
    )


async def enable_endpoint(connection: AsyncConnection, endpoint: str, *, at: dt.datetime) -> None:
    """Let an endpoint be posted to again, whatever happened before."""
    await connection.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint)
        .values(disabled_at=None, disabled_because=None, changed_at=at, **_FRESH)
    )


async def remove_endpoint(connection: AsyncConnection, endpoint: str) -> None:
    """Forget an endpoint with its secrets, its attempts and what was still to be posted there."""
    for table in (webhook_posts, webhook_attempts, webhook_seeds):
        await connection.execute(delete(table).where(table.c.endpoint == endpoint))
    await connection.execute(delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint))


async def add_seed(
    connection: AsyncConnection,
    endpoint: str,
    *,
    seed: str,
    fingerprint: str,
    at: dt.datetime,
    others_until: dt.datetime,
) -> None:
    """Give an endpoint a new secret; those before it sign beside it until then, and no longer than they were to."""
    await connection.execute(
        update(webhook_seeds)
        .where(webhook_seeds.c.endpoint == endpoint, webhook_seeds.c.signs_until.is_(None))
        .values(signs_until=others_until)
    )
    await connection.execute(
        delete(webhook_seeds).where(webhook_seeds.c.endpoint == endpoint, webhook_seeds.c.signs_until <= at)
    )
    await connection.execute(
        insert(webhook_seeds).values(endpoint=endpoint, seed=seed, fingerprint=fingerprint, created_at=at)
    )


async def live_seeds(connection: AsyncConnection, endpoint: str, *, now: dt.datetime) -> list[Row[Any]]:
    """List what an endpoint's present secrets are made from: its own first, then those that it has replaced."""
    query = select(webhook_seeds).where(webhook_seeds.c.endpoint == endpoint, _live(now))
    return list(
        await connection.execute(
            query.order_by(webhook_seeds.c.signs_until.is_not(None), webhook_seeds.c.created_at.desc())
        )
    )


def _live(now: dt.datetime) -> ColumnElement[bool]:
    return or_(webhook_seeds.c.signs_until.is_(None), webhook_seeds.c.signs_until > now)


async def list_attempts(
    connection: AsyncConnection, endpoint: str, *, after: tuple[Any, ...] = (), limit: int = 100
) -> list[Row[Any]]:
    """List the attempts to post to an endpoint, the newest first; `after` is the id of the last one seen."""
    columns = (*webhook_attempts.c, webhook_events.c.type)
    query = (
        select(*columns)
        .join(webhook_events, webhook_events.c.id == webhook_attempts.c.event)
        .where(webhook_attempts.c.endpoint == endpoint)
        .order_by(webhook_attempts.c.id.desc())
        .limit(limit)
    )
    if after:
        query = query.where(webhook_attempts.c.id < after[0])
    return list(await connection.execute(query))
