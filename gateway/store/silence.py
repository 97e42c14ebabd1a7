"""Hand-overs of which their providers have said nothing final: whose turn it is to be asked about."""

import datetime as dt
from collections.abc import Collection, Iterable
from operator import itemgetter
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import BulkUpdate, one_of
from gateway.store.columns import Instant
from gateway.store.sending import in_state, still_in_state
from gateway.store.tables import deliveries

_DUE = (in_state("sent"), deliveries.c.ask_at <= bindparam("now", type_=Instant))
_ANY_DUE = select(deliveries.c.id).where(*_DUE).limit(1)
_PICKED = (
    select(deliveries.c.id)
    .where(*_DUE)
    .order_by(deliveries.c.ask_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("picked")
)
_TAKE = (
    update(deliveries)
    .where(deliveries.c.id.in_(select(_PICKED.c.id)))
    .values(ask_at=bindparam("until", type_=Instant))
    .returning(
        *(deliveries.c[name] for name in ("id", "lane", "state", "provider", "provider_id", "changed_at", "ask_at"))
    )
)


async def any_silent(connection: AsyncConnection, *, now: dt.datetime) -> bool:
    """Whether any provider is to be asked now."""
    return (await connection.execute(_ANY_DUE, {"now": now})).first() is not None


async def take_silent(
    connection: AsyncConnection, *, now: dt.datetime, until: dt.datetime, limit: int
) -> list[Row[Any]]:
    """Take hand-overs to be asked about, longest due first; nobody else does `until` then, which is the lease."""
    return list((await connection.execute(_TAKE, {"now": now, "until": until, "most": limit})).all())


_PLAN = BulkUpdate(deliveries, matching={"id": "id"}, values=("ask_at",), where=[still_in_state("sent")])


async def plan_questions(connection: AsyncConnection, planned: Iterable[tuple[str, dt.datetime | None]]) -> None:
    """Note when deliveries are asked about next, or that they are not asked about any more."""
    records = [{"id": name, "ask_at": ask_at} for name, ask_at in planned]
    await _PLAN.run(connection, sorted(records, key=itemgetter("id")))


async def still_silent(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Pick those of which nothing final has been heard."""
    query = select(deliveries.c.id).where(one_of(connection, deliveries.c.id, ids), still_in_state("sent"))
    return set((await connection.execute(query)).scalars())
