"""Claims: who works on which deliveries, by one statement each; given back, renewed, or lost with a dead worker.

A claim is the record of an attempt that has begun: its row says who, when and for which time. The attempt's answer is
written beside it afterwards; a claim whose worker died becomes an attempt without an answer.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import insert_new, one_of, put_rows
from gateway.store.columns import LONG_AGO
from gateway.store.sending import follow_carriers, in_state
from gateway.store.tables import attempts, deliveries, turns

CLAIMABLE = ("queued", "retrying")


class Due(NamedTuple):
    """What of a batch is due."""

    batch: str
    school: str
    lane: str
    channel: str
    number: int


async def due_of(connection: AsyncConnection, batch: str, *, now: dt.datetime) -> Due | None:
    """Tell what of a batch may be claimed now; None when nothing may."""
    of_all = (deliveries.c.batch, deliveries.c.school, deliveries.c.lane, deliveries.c.channel)
    query = (
        select(*of_all, func.count().label("number"))
        .where(deliveries.c.batch == batch, *_claimable(now))
        .group_by(*of_all)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else Due(*row)


async def next_due(connection: AsyncConnection, school: str, lane: str, *, now: dt.datetime) -> Due | None:
    """Tell which batch of a school has waited longest and is in nobody's hands."""
    longest = (
        select(deliveries.c.batch)
        .where(deliveries.c.school == school, deliveries.c.lane == lane, *_claimable(now))
        .order_by(deliveries.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    batch = (await connection.execute(longest)).scalar_one_or_none()
    return None if batch is None else await due_of(connection, batch, now=now)


async def take_turn(connection: AsyncConnection, lane: str, *, now: dt.datetime) -> str | None:
    """Name the school that has been served least recently of those with work due in a lane, and note its turn.

    Schools take turns batch by batch, so that one school's newsletter does not starve another's. Two workers never get
    the same turn; who finds every school in others' hands gets None.
    """
    waits = (
        select(deliveries.c.id)
        .where(deliveries.c.school == turns.c.school, deliveries.c.lane == turns.c.lane, *_claimable(now))
        .exists()
    )
    first = (
        select(turns.c.school)
        .where(turns.c.lane == lane, waits)
        .order_by(turns.c.served_at, turns.c.school)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(turns)
        .where(turns.c.lane == lane, turns.c.school == first.scalar_subquery())
        .values(served_at=now)
        .returning(turns.c.school)
    )
    school: str | None = (await connection.execute(statement)).scalar_one_or_none()
    return school


async def enter_turns(connection: AsyncConnection, school: str, lane: str) -> None:
    """Let a school take part in the turns of a lane."""
    await insert_new(connection, turns, [{"school": school, "lane": lane, "served_at": LONG_AGO}])


def _claimable(now: dt.datetime) -> tuple[Any, ...]:
    return in_state(*CLAIMABLE), deliveries.c.due_at <= now, deliveries.c.merged_into.is_(None)


async def claim_batch(
    connection: AsyncConnection, batch: str, *, owner: str, now: dt.datetime, until: dt.datetime, limit: int
) -> list[Row[Any]]:
    """Take the due deliveries of a batch, before any provider is called: the claim is the attempt's beginning.

    One UPDATE decides who gets a row: on SQLite `FOR UPDATE SKIP LOCKED` falls away and the statement itself is
    atomic; two claims of the same batch never return the same row.
    """
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.batch == batch, *_claimable(now))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()), in_state(*CLAIMABLE))
        .values(state="sending", owner=owner, lease_until=until, attempts=deliveries.c.attempts + 1, changed_at=now)
        .returning(*deliveries.c)
    )
    return list(await connection.execute(statement))


async def claim_unknown(
    connection: AsyncConnection, batch: str, *, now: dt.datetime, until: dt.datetime, limit: int
) -> list[Row[Any]]:
    """Take the unanswered deliveries of a batch whose turn it is to be found out about.

    They stay `unknown`; putting off their due time is the lease.
    """
    due = (
        select(deliveries.c.id)
        .where(
            deliveries.c.batch == batch,
            in_state("unknown"),
            deliveries.c.due_at <= now,
            deliveries.c.merged_into.is_(None),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()), in_state("unknown"), deliveries.c.due_at <= now)
        .values(due_at=until)
        .returning(*deliveries.c)
    )
    return list(await connection.execute(statement))


async def renew_leases(connection: AsyncConnection, ids: Sequence[str], *, owner: str, until: dt.datetime) -> None:
    """Keep what is still being worked on."""
    await connection.execute(
        update(deliveries)
        .where(one_of(connection, deliveries.c.id, ids), deliveries.c.owner == owner, in_state("sending"))
        .values(lease_until=until)
    )


async def hand_back(
    connection: AsyncConnection,
    rows: Sequence[Any],
    *,
    owner: str,
    now: dt.datetime,
    due_at: dt.datetime | None = None,
) -> None:
    """Give claimed deliveries back that no provider has seen: due at `due_at`, or at once for another worker.

    The claim counts as no attempt; a row whose claim was lost meanwhile, or taken anew, is left alone.
    """
    for number in sorted({row.attempts for row in rows}):
        of_number = [row.id for row in rows if row.attempts == number]
        await connection.execute(
            update(deliveries)
            .where(
                one_of(connection, deliveries.c.id, of_number),
                deliveries.c.attempts == number,
                deliveries.c.owner == owner,
                in_state("sending"),
            )
            .values(
                state="queued",
                owner=None,
                lease_until=None,
                due_at=due_at or now,
                changed_at=now,
                attempts=deliveries.c.attempts - 1,
            )
        )


async def put_off(connection: AsyncConnection, batch: str, *, now: dt.datetime, until: dt.datetime) -> None:
    """Let what is due of a batch wait for its provider; nobody had claimed it, so no attempt is used up."""
    await connection.execute(
        update(deliveries).where(deliveries.c.batch == batch, *_claimable(now)).values(due_at=until, changed_at=now)
    )


async def expired_leases(connection: AsyncConnection, *, now: dt.datetime, limit: int = 500) -> list[Row[Any]]:
    """Find deliveries whose worker died between its claim and its record."""
    query = select(deliveries).where(in_state("sending"), deliveries.c.lease_until < now).limit(limit)
    return list(await connection.execute(query))


async def lose_claims(
    connection: AsyncConnection, rows: Sequence[Any], *, now: dt.datetime, code: str, detail: str
) -> None:
    """Turn claims whose worker died into `unknown` and attempts without an answer, due to be found out about."""
    claimed = {row.id: row for row in rows}
    statement = (
        update(deliveries)
        .where(
            one_of(connection, deliveries.c.id, list(claimed)),
            in_state("sending"),
            deliveries.c.lease_until < now,
        )
        .values(state="unknown", owner=None, lease_until=None, due_at=now, changed_at=now, code=code, detail=detail)
        .returning(deliveries.c.id, deliveries.c.attempts)
    )
    lost = list(await connection.execute(statement))
    await follow_carriers(connection, [row.id for row in lost])
    await put_rows(
        connection,
        attempts,
        [
            {
                "delivery": row.id,
                "number": row.attempts,
                "owner": claimed[row.id].owner,
                "started_at": claimed[row.id].changed_at,
                "answered_at": now,
                "outcome": "no_answer",
                "provider": None,
                "provider_id": None,
                "code": code,
                "detail": detail,
            }
            for row in lost
        ],
    )


async def due_batches(
    connection: AsyncConnection, *, now: dt.datetime, grace: dt.timedelta, limit: int = 1_000
) -> list[tuple[str, str]]:
    """Name the batches (lane, batch) with work due now; fresh work gets `grace` for its own wake-up to arrive."""
    query = (
        select(deliveries.c.lane, deliveries.c.batch)
        .where(
            in_state(*CLAIMABLE, "unknown"),
            deliveries.c.merged_into.is_(None),
            deliveries.c.due_at <= now,
            or_(deliveries.c.changed_at <= now - grace, deliveries.c.due_at > deliveries.c.changed_at),
        )
        .group_by(deliveries.c.lane, deliveries.c.batch)
        .order_by(func.min(deliveries.c.due_at))
        .limit(limit)
    )
    return [(row.lane, row.batch) for row in await connection.execute(query)]
