"""Claims: who works on which deliveries, by one statement each; given back, renewed, or lost with a dead worker.

A claim is the record of an attempt that has begun: its row says who, when and for which time. The attempt's answer is
written beside it afterwards; a claim whose worker died becomes an attempt without an answer.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, String, and_, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from gateway.store.bulk import one_of, put_rows
from gateway.store.columns import Instant
from gateway.store.sending import follow_carriers, in_state, still_in_state
from gateway.store.tables import attempts, deliveries, turns

CLAIMABLE = ("queued", "retrying")


class Due(NamedTuple):
    """What of a batch is due."""

    batch: str
    school: str
    lane: str
    channel: str
    number: int
    """To be sent."""
    fresh: int
    """Of those, never tried before."""
    unknown: int
    """To be found out about."""


_BATCH = bindparam("of_batch", type_=String)
_NOW = bindparam("now", type_=Instant)
_DUE = (deliveries.c.due_at <= _NOW, deliveries.c.merged_into.is_(None))
_CLAIMABLE_NOW = (in_state(*CLAIMABLE), *_DUE)

_DUE_OF = (
    select(
        deliveries.c.school,
        deliveries.c.lane,
        deliveries.c.channel,
        func.sum(case((in_state("unknown"), 0), else_=1)).label("number"),
        func.sum(case((deliveries.c.attempts == 0, 1), else_=0)).label("fresh"),
        func.sum(case((in_state("unknown"), 1), else_=0)).label("unknown"),
    )
    .where(deliveries.c.batch == _BATCH, in_state(*CLAIMABLE, "unknown"), *_DUE)
    .group_by(deliveries.c.school, deliveries.c.lane, deliveries.c.channel)
)


async def due_of(connection: AsyncConnection, batch: str, *, now: dt.datetime) -> Due | None:
    """Tell what of a batch may be worked on now; None when nothing may."""
    row = (await connection.execute(_DUE_OF, {"of_batch": batch, "now": now})).first()
    if row is None:
        return None
    return Due(batch, row.school, row.lane, row.channel, int(row.number), int(row.fresh), int(row.unknown))


_LONGEST_WAITING = (
    select(deliveries.c.batch)
    .where(deliveries.c.school == bindparam("of_school"), deliveries.c.lane == bindparam("of_lane"), *_CLAIMABLE_NOW)
    .order_by(deliveries.c.due_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)


async def next_due(connection: AsyncConnection, school: str, lane: str, *, now: dt.datetime) -> Due | None:
    """Tell which batch of a school has waited longest and is in nobody's hands."""
    longest = await connection.execute(_LONGEST_WAITING, {"of_school": school, "of_lane": lane, "now": now})
    batch = longest.scalar_one_or_none()
    return None if batch is None else await due_of(connection, batch, now=now)


_LEAST_RECENTLY_SERVED = (
    select(turns.c.school)
    .where(
        turns.c.lane == bindparam("of_lane"),
        select(deliveries.c.id)
        .where(deliveries.c.school == turns.c.school, deliveries.c.lane == turns.c.lane, *_CLAIMABLE_NOW)
        .exists(),
    )
    .order_by(turns.c.served_at, turns.c.school)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKE_TURN = (
    update(turns)
    .where(turns.c.lane == bindparam("of_lane"), turns.c.school == _LEAST_RECENTLY_SERVED.scalar_subquery())
    .values(served_at=_NOW)
    .returning(turns.c.school)
)


async def take_turn(connection: AsyncConnection, lane: str, *, now: dt.datetime) -> str | None:
    """Name the school that has been served least recently of those with work due in a lane, and note its turn.

    Schools take turns batch by batch, so that one school's newsletter does not starve another's. Two workers never get
    the same turn; who finds every school in others' hands gets None.
    """
    found = await connection.execute(_TAKE_TURN, {"of_lane": lane, "now": now})
    school: str | None = found.scalar_one_or_none()
    return school


def _picked(*conditions: ColumnElement[bool]) -> Select[tuple[str]]:
    """Select the ids of rows of a batch, which are then nobody else's to take.

    In a WITH of its own the choice is made once. As a plain subquery PostgreSQL may make it anew for each open row,
    when its last statistics are of a moment without any: 2.7 s instead of 5 ms a claim (measured).
    """
    chosen = select(deliveries.c.id).where(deliveries.c.batch == _BATCH, *conditions).limit(bindparam("most"))
    return select(chosen.with_for_update(skip_locked=True).cte("picked").c.id)


def _claim(*conditions: ColumnElement[bool], provider: ColumnElement[Any]) -> ReturningUpdate[Any]:
    return (
        update(deliveries)
        .where(deliveries.c.id.in_(_picked(*conditions)))
        .values(
            state="sending",
            owner=bindparam("claimed_by"),
            lease_until=bindparam("until", type_=Instant),
            provider=provider,
            attempts=deliveries.c.attempts + 1,
            changed_at=_NOW,
        )
        .returning(*deliveries.c)
    )


_CLAIM_BATCH = _claim(*_CLAIMABLE_NOW, provider=bindparam("handed_to"))
_CLAIM_FRESH = _claim(*_CLAIMABLE_NOW, deliveries.c.attempts == 0, provider=bindparam("handed_to"))


async def claim_batch(
    connection: AsyncConnection,
    batch: str,
    *,
    provider: str,
    owner: str,
    now: dt.datetime,
    until: dt.datetime,
    limit: int,
    fresh: bool = False,
) -> list[Row[Any]]:
    """Take the due deliveries of a batch for a provider, before it is called: the claim is the attempt's beginning.

    Only `fresh` ones, never tried before, when the provider may fail: else one might be its trial again and again.

    One UPDATE decides who gets a row: on SQLite `FOR UPDATE SKIP LOCKED` falls away and the statement itself is
    atomic; two claims of the same batch never return the same row.
    """
    values = {
        "of_batch": batch,
        "now": now,
        "most": limit,
        "claimed_by": owner,
        "until": until,
        "handed_to": provider,
    }
    return list((await connection.execute(_CLAIM_FRESH if fresh else _CLAIM_BATCH, values)).all())


_CLAIM_UNKNOWN = (
    update(deliveries)
    .where(deliveries.c.id.in_(_picked(in_state("unknown"), *_DUE)))
    .values(due_at=bindparam("until", type_=Instant))
    .returning(*deliveries.c)
)


async def claim_unknown(
    connection: AsyncConnection, batch: str, *, now: dt.datetime, until: dt.datetime, limit: int
) -> list[Row[Any]]:
    """Take the unanswered deliveries of a batch whose turn it is to be found out about.

    They stay `unknown`; putting off their due time is the lease.
    """
    values = {"of_batch": batch, "now": now, "most": limit, "until": until}
    return list((await connection.execute(_CLAIM_UNKNOWN, values)).all())


async def renew_leases(connection: AsyncConnection, ids: Sequence[str], *, owner: str, until: dt.datetime) -> bool:
    """Keep what is still being worked on; says whether any of it is still this owner's."""
    renewed = await connection.execute(
        update(deliveries)
        .where(one_of(connection, deliveries.c.id, ids), deliveries.c.owner == owner, still_in_state("sending"))
        .values(lease_until=until)
    )
    return bool(renewed.rowcount)


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
                still_in_state("sending"),
            )
            .values(
                state="queued",
                owner=None,
                lease_until=None,
                due_at=due_at or now,
                changed_at=now,
                attempts=deliveries.c.attempts - 1,
                provider=None if number == 1 else deliveries.c.provider,
            )
        )


_CLAIM_EXPIRED = _claim(*_CLAIMABLE_NOW, deliveries.c.expires_at <= _NOW, provider=deliveries.c.provider)


async def claim_expired(
    connection: AsyncConnection, batch: str, *, owner: str, now: dt.datetime, until: dt.datetime, limit: int
) -> list[Row[Any]]:
    """Take what has run out of time while its provider took nothing: it leaves no more, and somebody must know."""
    values = {"of_batch": batch, "now": now, "most": limit, "claimed_by": owner, "until": until}
    return list((await connection.execute(_CLAIM_EXPIRED, values)).all())


async def waiting_since(connection: AsyncConnection, batch: str, *, since: dt.datetime) -> list[str]:
    """Name the notifications of a batch whose deliveries have waited for a provider since then."""
    query = (
        select(deliveries.c.notification)
        .where(deliveries.c.batch == batch, in_state(*CLAIMABLE), deliveries.c.created_at <= since)
        .distinct()
    )
    return list((await connection.execute(query)).scalars().all())


async def put_off(connection: AsyncConnection, batch: str, *, now: dt.datetime, until: dt.datetime) -> None:
    """Let what is due of a batch wait for its provider, but not beyond its own time; no attempt is used up."""
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.batch == _BATCH, *_CLAIMABLE_NOW)
        .values(due_at=case((deliveries.c.expires_at < until, deliveries.c.expires_at), else_=until), changed_at=_NOW),
        {"of_batch": batch, "now": now},
    )


async def expired_leases(connection: AsyncConnection, *, now: dt.datetime, limit: int = 500) -> list[Row[Any]]:
    """Find deliveries whose worker died between its claim and its record."""
    query = select(deliveries).where(in_state("sending"), deliveries.c.lease_until < now).limit(limit)
    return list(await connection.execute(query))


async def lose_claims(
    connection: AsyncConnection, rows: Sequence[Any], *, now: dt.datetime, code: str, detail: str
) -> set[str]:
    """Turn claims whose worker died into `unknown` and attempts without an answer, due to be found out about.

    Gives the ids of those that were lost: an answer, or another clock, may have been quicker.
    """
    claimed = {row.id: row for row in rows}
    given_up = (
        one_of(connection, deliveries.c.id, list(claimed)),
        still_in_state("sending"),
        deliveries.c.lease_until < now,
    )
    # In the order of their ids, as news locks them.
    await connection.execute(select(deliveries.c.id).where(*given_up).order_by(deliveries.c.id).with_for_update())
    statement = (
        update(deliveries)
        .where(*given_up)
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
                "provider": claimed[row.id].provider,
                "provider_id": None,
                "code": code,
                "detail": detail,
            }
            for row in lost
        ],
    )
    return {row.id for row in lost}


def _due_batches() -> Select[Any]:
    """Find batches with due work by jumping along the index from one to the next, and look at one row of each.

    Grouping would read every open row each second: 350 ms in three processes for a million, against 54 (measured).
    """
    waiting = deliveries.alias()
    active = (
        in_state(*CLAIMABLE, "unknown", of=waiting),
        waiting.c.due_at.is_not(None),
        waiting.c.merged_into.is_(None),
    )
    first = select(func.min(waiting.c.batch).label("batch")).where(*active)
    found = first.cte("found", recursive=True)
    following = first.where(waiting.c.batch > found.c.batch).correlate(found).scalar_subquery()
    found = found.union_all(select(following).where(found.c.batch.is_not(None)))
    fresh = and_(waiting.c.changed_at > bindparam("recent", type_=Instant), waiting.c.due_at <= waiting.c.changed_at)
    one = (
        select(waiting.c.id).where(*active, waiting.c.batch == found.c.batch, waiting.c.due_at <= _NOW, ~fresh).limit(1)
    )
    return (
        select(deliveries.c.lane, deliveries.c.batch, deliveries.c.due_at)
        .select_from(found.join(deliveries, deliveries.c.id == one.correlate(found).scalar_subquery()))
        .order_by(deliveries.c.due_at)
        .limit(bindparam("most"))
    )


_DUE_BATCHES = _due_batches()


async def due_batches(
    connection: AsyncConnection, *, now: dt.datetime, grace: dt.timedelta, limit: int = 1_000
) -> dict[tuple[str, str], dt.datetime]:
    """Tell of the batches (lane, batch) with work due now since when; fresh work gets `grace` for its own wake-up."""
    rows = await connection.execute(_DUE_BATCHES, {"now": now, "recent": now - grace, "most": limit})
    return {(row.lane, row.batch): row.due_at for row in rows.all()}
