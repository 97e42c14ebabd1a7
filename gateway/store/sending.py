"""Deliveries in work: claimed by one statement, recorded in bulk, swept when a worker died."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import PointState
from gateway.store.inserting import insert_new, tolerant_insert
from gateway.store.tables import attempts, deliveries, delivery_events, messages, notifications, point_marks

CLAIMABLE = ("queued", "retrying")


async def claim_batch(
    connection: AsyncConnection, batch: str, *, owner: str, now: dt.datetime, until: dt.datetime, limit: int
) -> list[Row[Any]]:
    """Take the due deliveries of a batch and put their attempts on record, before any provider is called.

    One UPDATE decides who gets a row: on SQLite `FOR UPDATE SKIP LOCKED` falls away and the statement itself is
    atomic; two claims of the same batch never return the same row.
    """
    due = (
        select(deliveries.c.id)
        .where(
            deliveries.c.batch == batch,
            deliveries.c.state.in_(CLAIMABLE),
            deliveries.c.due_at <= now,
            deliveries.c.merged_into.is_(None),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()), deliveries.c.state.in_(CLAIMABLE))
        .values(state="sending", owner=owner, lease_until=until, attempts=deliveries.c.attempts + 1, changed_at=now)
        .returning(*deliveries.c)
    )
    rows = list(await connection.execute(statement))
    if rows:
        await connection.execute(
            insert(attempts),
            [{"delivery": row.id, "number": row.attempts, "owner": owner, "started_at": now} for row in rows],
        )
    return rows


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
            deliveries.c.state == "unknown",
            deliveries.c.due_at <= now,
            deliveries.c.merged_into.is_(None),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()), deliveries.c.state == "unknown", deliveries.c.due_at <= now)
        .values(due_at=until)
        .returning(*deliveries.c)
    )
    return list(await connection.execute(statement))


async def renew_leases(connection: AsyncConnection, ids: Sequence[str], *, owner: str, until: dt.datetime) -> None:
    """Keep what is still being worked on."""
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.owner == owner, deliveries.c.state == "sending")
        .values(lease_until=until)
    )


async def record_attempts(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Write the answers of attempts: `delivery`, `number`, `answered_at`, `outcome`, provider and code."""
    if rows:
        statement = (
            update(attempts)
            .where(attempts.c.delivery == bindparam("key_delivery"), attempts.c.number == bindparam("key_number"))
            .values(
                {
                    name: bindparam(name)
                    for name in ("answered_at", "outcome", "provider", "provider_id", "code", "detail")
                }
            )
        )
        await connection.execute(
            statement, [{**row, "key_delivery": row["delivery"], "key_number": row["number"]} for row in rows]
        )


_OUTCOME_COLUMNS = ("state", "code", "detail", "due_at", "provider", "provider_id", "attempts", "changed_at")


async def record_states(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Write new states of claimed deliveries; a receipt that was quicker than our own record is not undone.

    Each row tells which attempt (`attempt`) it answers. That counts also when the claim was lost meanwhile and nobody
    has begun another attempt: a late answer is the truth about what was unknown.
    """
    if not rows:
        return
    statement = (
        update(deliveries)
        .where(
            deliveries.c.id == bindparam("key_id"),
            deliveries.c.attempts == bindparam("key_attempt"),
            or_(
                and_(deliveries.c.owner == bindparam("key_owner"), deliveries.c.state == "sending"),
                deliveries.c.state == "unknown",
                deliveries.c.state == "retrying",
            ),
        )
        .values({name: bindparam(name) for name in _OUTCOME_COLUMNS} | {"owner": None, "lease_until": None})
    )
    in_order = sorted(rows, key=lambda row: str(row["id"]))  # as receipts lock them: no waiting in a ring
    await connection.execute(
        statement,
        [
            {name: row[name] for name in _OUTCOME_COLUMNS}
            | {"key_id": row["id"], "key_owner": row["owner"], "key_attempt": row["attempt"]}
            for row in in_order
        ],
    )
    await follow_carriers(connection, [row["id"] for row in rows])


async def set_states(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Move deliveries from an expected state (`was`) to a new one outside of a worker's claim.

    Provider and provider's id, where a row tells them, fill what is not known yet.
    """
    if not rows:
        return
    learnt = ("provider", "provider_id")
    statement = (
        update(deliveries)
        .where(deliveries.c.id == bindparam("key_id"), deliveries.c.state == bindparam("key_was"))
        .values(
            {name: bindparam(name) for name in ("state", "code", "detail", "due_at", "changed_at")}
            | {name: func.coalesce(deliveries.c[name], bindparam(f"new_{name}")) for name in learnt}
        )
    )
    await connection.execute(
        statement,
        [
            {**row, "key_id": row["id"], "key_was": row["was"]} | {f"new_{name}": row.get(name) for name in learnt}
            for row in rows
        ],
    )
    await follow_carriers(connection, [row["id"] for row in rows])


async def follow_carriers(connection: AsyncConnection, carriers: Sequence[str]) -> None:
    """Let merged deliveries share the fate of the one that carries them, unless a rule withdrew that one alone."""
    carrier = deliveries.alias()
    shared = ("state", "code", "detail", "due_at", "provider", "provider_id", "changed_at")
    in_force = select(carrier.c.id).where(carrier.c.id.in_(carriers), carrier.c.state.not_in(("suppressed", "held")))

    def of_carrier(column: str) -> Any:
        return select(carrier.c[column]).where(carrier.c.id == deliveries.c.merged_into).scalar_subquery()

    await connection.execute(
        update(deliveries)
        .where(deliveries.c.merged_into.in_(in_force), deliveries.c.state.not_in(("suppressed", "cancelled")))
        .values({column: of_carrier(column) for column in shared})
    )


async def merged_with(connection: AsyncConnection, carriers: Sequence[str]) -> list[Row[Any]]:
    """Find the deliveries that travel inside these, still in force."""
    query = select(deliveries).where(
        deliveries.c.merged_into.in_(carriers), deliveries.c.state.not_in(("suppressed", "cancelled"))
    )
    return list(await connection.execute(query))


async def part_from_carriers(
    connection: AsyncConnection, *, carriers: Sequence[str] = (), followers: Sequence[str] = (), now: dt.datetime
) -> list[tuple[str, str]]:
    """Let merged deliveries travel on their own: those of withdrawn carriers, and such as may share no envelope now.

    Who has quiet hours keeps them. Gives the (lane, batch) to wake.
    """
    own_time = case((deliveries.c.due_at > now, deliveries.c.due_at), else_=now)
    statement = (
        update(deliveries)
        .where(
            or_(deliveries.c.merged_into.in_(carriers), deliveries.c.id.in_(followers)),
            deliveries.c.merged_into.is_not(None),
            deliveries.c.state.not_in(("suppressed", "cancelled")),
        )
        .values(merged_into=None, state="queued", due_at=own_time, changed_at=now, code=None, detail=None)
        .returning(deliveries.c.lane, deliveries.c.batch)
    )
    return sorted({(row.lane, row.batch) for row in await connection.execute(statement)})


async def hold(connection: AsyncConnection, codes: Mapping[str, str], detail: str, *, at: dt.datetime) -> None:
    """Keep deliveries back that wait, each alone and with its code, until a person lets them go."""
    if codes:
        statement = (
            update(deliveries)
            .where(deliveries.c.id == bindparam("key_id"))
            .values(
                state="held",
                due_at=None,
                merged_into=None,
                code=bindparam("new_code"),
                detail=detail,
                changed_at=at,
            )
        )
        await connection.execute(statement, [{"key_id": key, "new_code": code} for key, code in codes.items()])


async def send_bare(connection: AsyncConnection, ids: Sequence[str], *, code: str) -> None:
    """Let deliveries carry a fixed notice in place of their text, each alone."""
    await connection.execute(
        update(deliveries).where(deliveries.c.id.in_(ids)).values(bare=True, code=code, merged_into=None)
    )


async def add_events(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Append to the timelines of deliveries."""
    if rows:
        await connection.execute(insert(delivery_events), list(rows))


async def add_deliveries(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Start further routes. Their ids are derived, so one that was started already is left alone."""
    await insert_new(connection, deliveries, rows)


async def load_messages(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load messages by id."""
    return {row.id: row for row in await connection.execute(select(messages).where(messages.c.id.in_(ids)))}


async def lock_messages(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load messages by id and let whoever settles deliveries of the same ones wait.

    Else of two deliveries that fail at the same moment each would be taken for the other's hope.
    """
    query = select(messages).where(messages.c.id.in_(ids)).order_by(messages.c.id).with_for_update()
    return {row.id: row for row in await connection.execute(query)}


async def load_notifications(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load notifications by id."""
    query = select(notifications).where(notifications.c.id.in_(ids))
    return {row.id: row for row in await connection.execute(query)}


async def load_deliveries(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load deliveries by id."""
    query = select(deliveries).where(deliveries.c.id.in_(ids))
    return {row.id: row for row in await connection.execute(query)}


async def expired_leases(connection: AsyncConnection, *, now: dt.datetime, limit: int = 500) -> list[Row[Any]]:
    """Find deliveries whose worker died between its claim and its record."""
    query = select(deliveries).where(deliveries.c.state == "sending", deliveries.c.lease_until < now).limit(limit)
    return list(await connection.execute(query))


async def due_batches(
    connection: AsyncConnection, *, now: dt.datetime, grace: dt.timedelta, limit: int = 1_000
) -> list[tuple[str, str]]:
    """Name the batches (lane, batch) with work due now; fresh work gets `grace` for its own wake-up to arrive."""
    query = (
        select(deliveries.c.lane, deliveries.c.batch)
        .where(
            deliveries.c.state.in_((*CLAIMABLE, "unknown")),
            deliveries.c.merged_into.is_(None),
            deliveries.c.due_at <= now,
            or_(deliveries.c.changed_at <= now - grace, deliveries.c.due_at > deliveries.c.changed_at),
        )
        .group_by(deliveries.c.lane, deliveries.c.batch)
        .order_by(func.min(deliveries.c.due_at))
        .limit(limit)
    )
    return [(row.lane, row.batch) for row in await connection.execute(query)]


async def mark_points(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Remember what providers say of addresses; the worst mark stays (R33, R34)."""
    keys = [column.name for column in point_marks.primary_key]
    severity = [state.value for state in PointState]
    for row in sorted(rows, key=lambda row: [row[key] for key in keys]):
        statement = tolerant_insert(connection, point_marks).values(row)
        better = severity[: severity.index(row["state"])]
        statement = statement.on_conflict_do_update(
            index_elements=keys,
            set_={name: statement.excluded[name] for name in ("state", "reason", "at")},
            where=point_marks.c.state.in_(better),
        )
        await connection.execute(statement)


async def open_or_done(connection: AsyncConnection, message_ids: Sequence[str]) -> set[str]:
    """Name the messages of which some delivery left, may have left or is still on its way."""
    alive = ("held", "queued", "sending", "retrying", "sent", "delivered", "unknown")
    query = select(deliveries.c.message).where(deliveries.c.message.in_(message_ids), deliveries.c.state.in_(alive))
    return set((await connection.execute(query)).scalars())


async def hand_back(
    connection: AsyncConnection,
    rows: Sequence[Any],
    *,
    owner: str,
    now: dt.datetime,
    due_at: dt.datetime | None = None,
) -> None:
    """Give claimed deliveries back that no provider has seen: due at `due_at`, or at once for another worker."""
    if not rows:
        return
    statement = (
        update(deliveries)
        .where(
            deliveries.c.id.in_([row.id for row in rows]), deliveries.c.owner == owner, deliveries.c.state == "sending"
        )
        .values(
            state="queued",
            owner=None,
            lease_until=None,
            due_at=due_at or now,
            changed_at=now,
            attempts=deliveries.c.attempts - 1,
        )
        .returning(deliveries.c.id)
    )
    returned = set((await connection.execute(statement)).scalars())
    await forget_attempts(connection, [row for row in rows if row.id in returned])


async def forget_attempts(connection: AsyncConnection, rows: Sequence[Any]) -> None:
    """Take back the intents of claims that no provider ever saw."""
    if rows:
        statement = delete(attempts).where(
            attempts.c.delivery == bindparam("key_delivery"), attempts.c.number == bindparam("key_number")
        )
        await connection.execute(statement, [{"key_delivery": row.id, "key_number": row.attempts} for row in rows])


async def lose_claims(
    connection: AsyncConnection, rows: Sequence[Any], *, now: dt.datetime, code: str, detail: str
) -> None:
    """Turn claims whose worker died into `unknown`, due at once to be found out about."""
    statement = (
        update(deliveries)
        .where(
            deliveries.c.id.in_([row.id for row in rows]),
            deliveries.c.state == "sending",
            deliveries.c.lease_until < now,
        )
        .values(state="unknown", owner=None, lease_until=None, due_at=now, changed_at=now, code=code, detail=detail)
        .returning(deliveries.c.id, deliveries.c.attempts)
    )
    lost = list(await connection.execute(statement))
    await follow_carriers(connection, [row.id for row in lost])
    await record_attempts(
        connection,
        [
            {
                "delivery": row.id,
                "number": row.attempts,
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


async def next_due(connection: AsyncConnection, notification: str) -> dt.datetime | None:
    """Say when the next of a notification's open deliveries is due; None when none is open or one is in work."""
    of_it = deliveries.c.notification == notification
    in_work = select(deliveries.c.id).where(of_it, deliveries.c.state.in_(("sending", "unknown"))).limit(1)
    if (await connection.execute(in_work)).first() is not None:
        return None
    query = select(func.min(deliveries.c.due_at)).where(of_it, deliveries.c.state.in_(CLAIMABLE))
    earliest: dt.datetime | None = (await connection.execute(query)).scalar_one()
    return earliest


async def unanswered(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Name those of the deliveries of which some attempt got no answer."""
    if not ids:
        return set()
    query = select(attempts.c.delivery).where(attempts.c.delivery.in_(ids), attempts.c.outcome == "no_answer")
    return {row.delivery for row in await connection.execute(query)}
