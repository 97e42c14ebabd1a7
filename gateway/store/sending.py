"""Deliveries in work: loaded for sending, recorded in bulk."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import PointState, School
from gateway.store.bulk import BulkUpdate, copy_rows, given, has_arrays, insert_new, one_of, put_rows
from gateway.store.columns import LONG_AGO
from gateway.store.inserting import tolerant_insert
from gateway.store.tables import (
    attempts,
    deliveries,
    delivery_events,
    messages,
    notifications,
    point_marks,
    schools,
    turns,
)
from gateway.tracking.states import State


def in_state(*states: str, of: FromClause = deliveries) -> ColumnElement[bool]:
    """Pick deliveries by state, written out in the statement: else the partial indexes cannot be seen to fit."""
    return of.c.state.in_(_written_out(states))


def still_in_state(*states: str) -> ColumnElement[bool]:
    """Check the state of deliveries that are named by id, in a form that fits no index.

    When the last statistics were taken while nothing was `sending`, PostgreSQL believes that the index of those is
    empty and begins there, once for each id: 330 ms instead of 5 to record 200 answers (measured).
    """
    return (deliveries.c.state + literal_column("''")).in_(_written_out(states))


def _written_out(states: Collection[str]) -> list[ColumnElement[str]]:
    return [literal_column(f"'{State(state)}'") for state in states]


async def record_attempts(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Write attempts with their answers; a late answer takes the place of none."""
    await put_rows(connection, attempts, rows)


_HAS_MISSED = (
    select(attempts.c.number)
    .where(
        attempts.c.delivery == deliveries.c.id,
        attempts.c.number == deliveries.c.attempts,
        attempts.c.missed_at.is_not(None),
    )
    .exists()
)
"""Whether the provider has reported of the latest attempt that it reached nobody: that it was accepted is old news."""

_RECORD_STATES = BulkUpdate(
    deliveries,
    matching={"id": "id", "attempts": "attempt"},
    values=("state", "code", "detail", "due_at", "provider", "provider_id", "attempts", "changed_at", "ask_at"),
    constants={"owner": None, "lease_until": None},
    where=[
        or_(
            and_(deliveries.c.owner == bindparam("claimed_by"), still_in_state("sending")),
            and_(still_in_state("unknown", "retrying"), ~_HAS_MISSED),
        )
    ],
)


async def record_states(connection: AsyncConnection, rows: Sequence[dict[str, Any]], *, owner: str) -> None:
    """Write new states of deliveries that `owner` claimed; a receipt that was quicker than our record is not undone.

    Each row tells which attempt (`attempt`) it answers. That counts also when the claim was lost meanwhile and nobody
    has begun another attempt: a late answer is the truth about what was unknown.
    """
    in_order = sorted(({"ask_at": None} | row for row in rows), key=itemgetter("id"))  # as receipts lock them: no ring
    await _RECORD_STATES.run(connection, in_order, claimed_by=owner)


_MOVED = ("id", "was", "state", "code", "detail", "due_at", "changed_at", "provider", "provider_id")
_SET_STATES = BulkUpdate(
    deliveries,
    matching={"id": "id", "state": "was"},
    values=("state", "code", "detail", "due_at", "changed_at"),
    filling=("provider", "provider_id"),
)


async def set_states(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Move deliveries from an expected state (`was`) to a new one outside of a worker's claim.

    Provider and provider's id, where a row tells them, fill what is not known yet.
    """
    if not rows:
        return
    in_order = sorted(({name: row.get(name) for name in _MOVED} for row in rows), key=itemgetter("id"))
    await _SET_STATES.run(connection, in_order)
    await follow_carriers(connection, [row["id"] for row in rows])


async def follow_carriers(connection: AsyncConnection, carriers: Sequence[str]) -> None:
    """Let merged deliveries share the fate of the one that carries them, unless a rule withdrew that one alone."""
    carrier = deliveries.alias()
    shared = ("state", "code", "detail", "due_at", "provider", "provider_id", "changed_at")
    in_force = select(carrier.c.id).where(
        one_of(connection, carrier.c.id, carriers), carrier.c.state.not_in(("suppressed", "held"))
    )

    def of_carrier(column: str) -> Any:
        return select(carrier.c[column]).where(carrier.c.id == deliveries.c.merged_into).scalar_subquery()

    await connection.execute(
        update(deliveries)
        .where(deliveries.c.merged_into.in_(in_force), deliveries.c.state.not_in(("suppressed", "cancelled")))
        .values({column: of_carrier(column) for column in shared})
    )


@cache
def _merged_with(arrays: bool) -> Select[Any]:  # noqa: FBT001  # the dialect
    return select(deliveries).where(
        given(arrays, deliveries.c.merged_into, "carriers"), deliveries.c.state.not_in(("suppressed", "cancelled"))
    )


async def merged_with(connection: AsyncConnection, carriers: Sequence[str]) -> list[Row[Any]]:
    """Find the deliveries that travel inside these, still in force."""
    query = _merged_with(has_arrays(connection))
    return list((await connection.execute(query, {"carriers": list(carriers)})).all())


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
        update(deliveries)
        .where(one_of(connection, deliveries.c.id, ids))
        .values(bare=True, code=code, merged_into=None)
    )


async def add_events(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Append to the timelines of deliveries."""
    await copy_rows(connection, delivery_events, rows)


async def add_deliveries(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Start further routes. Their ids are derived, so one that was started already is left alone."""
    await insert_new(connection, deliveries, rows)
    await enter_turns(connection, rows)


async def enter_turns(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let the schools of new deliveries take part in the turns of their lanes."""
    taking_part = sorted({(row["school"], row["lane"]) for row in rows})
    given_turns = [{"school": school, "lane": lane, "served_at": LONG_AGO} for school, lane in taking_part]
    await insert_new(connection, turns, given_turns)


_REQUEUE = BulkUpdate(
    deliveries,
    matching={"id": "id"},
    values=("batch", "due_at", "directory_version", "neutral", "address", "place", "expires_at"),
    constants={"state": "queued", "code": None, "detail": None, "merged_into": None, "owner": None},
    where=[still_in_state("suppressed")],
)


async def start_again(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Queue deliveries anew that a rule had withdrawn and lets go after all."""
    await _REQUEUE.run(connection, rows)


class Present(NamedTuple):
    """What must still be true of a claimed delivery at the moment it leaves."""

    attempts: int
    carried_version: int | None
    """The oldest directory that anything travelling inside it was decided under."""


@cache
def _present(arrays: bool) -> Any:  # noqa: FBT001  # the dialect
    ours = select(deliveries.c.id, deliveries.c.attempts, cast(null(), Integer).label("carried_version")).where(
        given(arrays, deliveries.c.id, "ids"), deliveries.c.owner == bindparam("claimed_by"), still_in_state("sending")
    )
    carried = (
        select(deliveries.c.merged_into, null(), func.min(deliveries.c.directory_version))
        .where(given(arrays, deliveries.c.merged_into, "ids"), deliveries.c.state.not_in(("suppressed", "cancelled")))
        .group_by(deliveries.c.merged_into)
    )
    # Hardly any delivery carries others: to look for them by one search is cheaper than by one for each.
    return union_all(ours, carried)


async def present(connection: AsyncConnection, ids: Collection[str], *, owner: str) -> dict[str, Present]:
    """Tell which deliveries this worker still has; the sweep has taken the others from it."""
    query = _present(has_arrays(connection))
    rows = (await connection.execute(query, {"ids": list(ids), "claimed_by": owner})).all()
    carried = {row.id: row.carried_version for row in rows if row.attempts is None}
    return {row.id: Present(row.attempts, carried.get(row.id)) for row in rows if row.attempts is not None}


async def load_messages(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load messages by id."""
    return {
        row.id: row for row in await connection.execute(select(messages).where(one_of(connection, messages.c.id, ids)))
    }


async def lock_messages(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load messages by id and let whoever settles deliveries of the same ones wait.

    Else of two deliveries that fail at the same moment each would be taken for the other's hope.
    """
    query = select(messages).where(one_of(connection, messages.c.id, ids)).order_by(messages.c.id).with_for_update()
    return {row.id: row for row in await connection.execute(query)}


async def load_notifications(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load notifications by id."""
    query = select(notifications).where(one_of(connection, notifications.c.id, ids))
    return {row.id: row for row in await connection.execute(query)}


class Standing(NamedTuple):
    """What decides at the last moment whether a notification's deliveries may still leave as they were planned."""

    cancelled: bool
    version: int
    """Of its school's directory."""
    timezone: str


@cache
def _standings(arrays: bool) -> Select[Any]:  # noqa: FBT001  # the dialect
    return (
        select(notifications.c.id, notifications.c.status, schools.c.version, schools.c.document)
        .join(schools, schools.c.id == notifications.c.school)
        .where(given(arrays, notifications.c.id, "ids"))
    )


async def standings(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Standing]:
    """Give the standing of notifications by id."""
    rows = (await connection.execute(_standings(has_arrays(connection)), {"ids": list(ids)})).all()
    return {
        row.id: Standing(
            row.status == "cancelled", row.version, msgspec.json.decode(row.document, type=School).timezone
        )
        for row in rows
    }


async def load_deliveries(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Load deliveries by id."""
    query = select(deliveries).where(one_of(connection, deliveries.c.id, ids))
    return {row.id: row for row in await connection.execute(query)}


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


async def lift_blocks(connection: AsyncConnection, keys: Sequence[Mapping[str, Any]]) -> bool:
    """Forget that the owners of addresses wanted no more; dead ones stay dead. Says whether any was blocked (R33)."""
    lifted = 0
    for key in sorted(keys, key=lambda key: sorted(key.items())):
        same = [point_marks.c[name] == value for name, value in key.items()]
        blocked = point_marks.c.state == PointState.CARRIER_BLOCKED.value
        lifted += (await connection.execute(delete(point_marks).where(*same, blocked))).rowcount
    return lifted > 0


async def open_or_done(connection: AsyncConnection, message_ids: Sequence[str]) -> set[str]:
    """Name the messages of which some delivery left, may have left or is still on its way."""
    alive = ("held", "queued", "sending", "retrying", "sent", "delivered", "unknown")
    query = select(deliveries.c.message).where(deliveries.c.message.in_(message_ids), deliveries.c.state.in_(alive))
    return set((await connection.execute(query)).scalars())


async def next_due_at(connection: AsyncConnection, notification: str) -> dt.datetime | None:
    """Say when the next of a notification's open deliveries is due; None when none is open or one is in work."""
    of_it = deliveries.c.notification == notification
    in_work = select(deliveries.c.id).where(of_it, deliveries.c.state.in_(("sending", "unknown"))).limit(1)
    if (await connection.execute(in_work)).first() is not None:
        return None
    query = select(func.min(deliveries.c.due_at)).where(of_it, deliveries.c.state.in_(("queued", "retrying")))
    earliest: dt.datetime | None = (await connection.execute(query)).scalar_one()
    return earliest


async def unanswered(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Name those of the deliveries of which some attempt got no answer."""
    if not ids:
        return set()
    query = select(attempts.c.delivery).where(
        one_of(connection, attempts.c.delivery, ids), attempts.c.outcome == "no_answer"
    )
    return {row.delivery for row in await connection.execute(query)}
