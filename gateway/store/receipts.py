"""Receipts on record: every provider event once, applied once, parked until its delivery is known.

On PostgreSQL they are kept by one statement past SQLAlchemy that is its own transaction, as postings are.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Receipt, ReceiptStatus
from gateway.store.bulk import BulkUpdate, fetch, has_arrays, insert_new, one_of
from gateway.store.columns import ID_LENGTH
from gateway.store.tables import attempts, deliveries, messages, receipts
from gateway.tracking.tries import Try

Key = tuple[str, str]
"""Provider and event id."""

_DECODER = msgspec.json.Decoder(Receipt)


def key_of(receipt: Receipt) -> Key:
    """Give what is unique about an event."""
    return receipt.provider, receipt.event_id


_LONGEST_EVENT_ID = 255


def fits(receipt: Receipt) -> bool:
    """Whether an event can be stored: its ids are as long as ids are, and without NUL, which PostgreSQL refuses."""
    delivery, provider_id = receipt.delivery or "", receipt.provider_id or ""
    return (
        len(receipt.event_id) <= _LONGEST_EVENT_ID
        and len(delivery) <= ID_LENGTH
        and len(provider_id) <= ID_LENGTH
        and "\0" not in f"{receipt.event_id}{delivery}{provider_id}"
    )


async def keep_receipts(
    connection: AsyncConnection, news: Sequence[Receipt], *, at: dt.datetime, look_at: dt.datetime
) -> list[Receipt]:
    """Store events not seen before; gives those. The same event told twice has the same id.

    They are in the order of their keys: two processes that are told the same must not wait for each other in a ring.
    """
    told = {key_of(receipt): receipt for receipt in reversed(news)}
    in_order = [told[key] for key in sorted(told)]
    records = [_record(receipt) for receipt in in_order]
    if has_arrays(connection):
        rows = await fetch(connection, _KEEP, msgspec.json.encode(records).decode(), at, look_at) if records else ()
        fresh = {tuple(row) for row in rows}
    else:
        times = {"received_at": at, "look_at": look_at}
        fresh = await insert_new(connection, receipts, [record | times for record in records])
    return [receipt for receipt in in_order if key_of(receipt) in fresh]


# One JSON text costs this process half of what as many arrays do (5.5 against 10 µs an event, measured).
_KEEP = """
    INSERT INTO receipts (provider, event_id, delivery, provider_id, status, document, at, received_at, look_at)
    SELECT given.*, $2, $3 FROM json_to_recordset($1::json) AS given (
        provider text, event_id text, delivery text, provider_id text, status text, document text, at timestamptz
    )
    ON CONFLICT DO NOTHING RETURNING provider, event_id"""


def _record(receipt: Receipt) -> dict[str, Any]:
    return {
        "provider": receipt.provider,
        "event_id": receipt.event_id,
        "delivery": receipt.delivery,
        "provider_id": receipt.provider_id,
        "status": receipt.status.value,
        "document": msgspec.json.encode(receipt).decode(),
        "at": receipt.at,
    }


class Known(NamedTuple):
    """Deliveries that news may be about."""

    rows: Mapping[str, Any]
    """By id: locked, and as much of each as it takes to judge."""
    tries: Mapping[str, Mapping[int, Try]]
    """Recorded attempts by delivery and number, of those that have more than one or are called by another id."""


_NEEDED = (
    *("id", "school", "notification", "message", "point", "place", "channel", "lane", "state", "attempts"),
    *("provider", "provider_id", "expires_at", "owner", "lease_until"),
)


async def known_deliveries(connection: AsyncConnection, news: Sequence[Receipt]) -> Known:
    """Load the deliveries that events name, by our id or by the provider's.

    The rows are locked in the order of their ids: a worker's own record of the same delivery waits, or is waited for
    and seen.
    """
    ours = sorted({receipt.delivery for receipt in news if receipt.delivery})
    theirs = sorted({receipt.provider_id for receipt in news if receipt.provider_id})
    named = union(
        select(deliveries.c.id).where(one_of(connection, deliveries.c.id, ours)),
        select(deliveries.c.id).where(one_of(connection, deliveries.c.provider_id, theirs)),
        select(attempts.c.delivery).where(
            one_of(connection, attempts.c.provider_id, theirs), attempts.c.missed_at.is_not(None)
        ),
    )
    query = (
        select(*(deliveries.c[name] for name in _NEEDED))
        .where(deliveries.c.id.in_(named))
        .order_by(deliveries.c.id)
        .with_for_update()
    )
    rows = {row.id: row for row in await connection.execute(query)}
    return Known(rows, await _tries(connection, _in_doubt(rows, news)))


def _in_doubt(rows: Mapping[str, Any], news: Sequence[Receipt]) -> list[str]:
    """Pick the deliveries whose own row does not say which attempt is meant, or whether that has reached nobody."""
    several = {row.id for row in rows.values() if row.attempts > 1 or row.state not in _NEVER_MISSED}
    owners = defaultdict(set)
    for row in rows.values():
        owners[row.provider_id].add(row.id)
    for receipt in news:
        for name in {receipt.delivery, *(owners[receipt.provider_id] if receipt.provider_id else ())}:
            row = rows.get(name or "")
            if row is None or (
                row.provider == receipt.provider
                and receipt.provider_id in {None, row.provider_id}
                and not (receipt.again and row.owner)
            ):
                continue
            several.add(row.id)
    return sorted(several)


_NEVER_MISSED = ("sending", "sent", "delivered")
"""Where a delivery stands whose only attempt is not known to have reached nobody: of such most news is."""


async def _tries(connection: AsyncConnection, ids: Collection[str]) -> dict[str, dict[int, Try]]:
    found: dict[str, dict[int, Try]] = {name: {} for name in ids}
    if ids:
        of_it = attempts.c
        columns = (of_it.delivery, of_it.number, of_it.provider, of_it.provider_id, of_it.missed_at)
        query = select(*columns).where(one_of(connection, of_it.delivery, ids))
        for row in await connection.execute(query):
            found[row.delivery][row.number] = Try(row.provider, row.provider_id, row.missed_at is not None)
    return found


async def told_before(connection: AsyncConnection, ids: Collection[str]) -> dict[str, list[Receipt]]:
    """Give the events that have been applied to deliveries."""
    told: dict[str, list[Receipt]] = defaultdict(list)
    if ids:
        table = receipts.c
        query = select(table.delivery, table.document).where(
            one_of(connection, table.delivery, ids), table.applied_at.is_not(None), table.refused.is_(None)
        )
        for row in await connection.execute(query):
            told[row.delivery].append(_DECODER.decode(row.document))
    return told


class Mark(NamedTuple):
    """What is written of an event once it is known whom it is about."""

    receipt: Receipt
    delivery: str | None
    refused: str | None = None


async def mark_applied(connection: AsyncConnection, marks: Iterable[Mark], *, at: dt.datetime) -> set[Key]:
    """Note that events have reached their deliveries or were refused; gives those that nobody else was quicker with."""
    records = [
        {
            "provider": mark.receipt.provider,
            "event_id": mark.receipt.event_id,
            "delivery": mark.delivery,
            "refused": mark.refused,
            "applied_at": at,
        }
        for mark in sorted(marks, key=lambda mark: key_of(mark.receipt))
    ]
    if not records:
        return set()
    if has_arrays(connection):
        names = ("provider", "event_id", "delivery", "refused")
        rows = await fetch(connection, _MARK, *([record[name] for record in records] for name in names), at)
        return {(row["provider"], row["event_id"]) for row in rows}
    waiting = select(receipts.c.provider, receipts.c.event_id).where(
        tuple_(receipts.c.provider, receipts.c.event_id).in_(
            [(record["provider"], record["event_id"]) for record in records]
        ),
        receipts.c.applied_at.is_(None),
    )
    ours = {(row.provider, row.event_id) for row in await connection.execute(waiting)}
    await _MARK_ONE_BY_ONE.run(connection, [each for each in records if (each["provider"], each["event_id"]) in ours])
    return ours


_MARK = """
    UPDATE receipts SET delivery = given.delivery, refused = given.refused, applied_at = $5
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS given (provider, event_id, delivery, refused)
    WHERE receipts.provider = given.provider AND receipts.event_id = given.event_id AND applied_at IS NULL
    RETURNING receipts.provider, receipts.event_id"""
_MARK_ONE_BY_ONE = BulkUpdate(
    receipts,
    matching={"provider": "provider", "event_id": "event_id"},
    values=("delivery", "refused", "applied_at"),
)


class Waiting(NamedTuple):
    """An event that has not been applied."""

    receipt: Receipt
    received_at: dt.datetime


async def parked(connection: AsyncConnection, *, now: dt.datetime, limit: int = 1_000) -> list[Waiting]:
    """Give events that were not applied and are to be looked at now, those that wait longest first.

    That they are left to the clock, that a process was killed with them in its hands, that no delivery had claimed them
    or that they cannot be applied at all looks alike: `put_off` says when each is looked at next. Nothing is locked:
    whoever applies an event locks its delivery first, and `mark_applied` tells who was quicker.
    """
    query = (
        select(receipts.c.provider, receipts.c.event_id, receipts.c.document, receipts.c.received_at)
        .where(receipts.c.applied_at.is_(None), receipts.c.look_at <= now)
        .order_by(receipts.c.look_at)
        .limit(limit)
    )
    return [Waiting(_read(row), row.received_at) for row in await connection.execute(query)]


def _read(row: Any) -> Receipt:
    """Read an event; what only a newer version of this program can read is about nobody here, so it waits for that."""
    try:
        return _DECODER.decode(row.document)
    except msgspec.DecodeError:
        return Receipt(provider=row.provider, event_id=row.event_id, status=ReceiptStatus.UNKNOWN, at=row.received_at)


_PUT_OFF = BulkUpdate(receipts, matching={"provider": "provider", "event_id": "event_id"}, values=("look_at",))


async def put_off(connection: AsyncConnection, due: Iterable[tuple[Receipt, dt.datetime]]) -> None:
    """Note when each of these events is to be looked at again."""
    records = [
        {"provider": receipt.provider, "event_id": receipt.event_id, "look_at": look_at} for receipt, look_at in due
    ]
    await _PUT_OFF.run(connection, sorted(records, key=itemgetter("provider", "event_id")))


_CALLED = ("provider", "provider_id")
_MARK_MISSED = BulkUpdate(attempts, matching={"delivery": "delivery", "number": "number"}, values=("missed_at",))
_ACKNOWLEDGE = BulkUpdate(messages, matching={"id": "message"}, values=(), filling=("acknowledged_at",))


async def mark_missed(connection: AsyncConnection, missed: Collection[tuple[str, int]], *, at: dt.datetime) -> None:
    """Note of attempts, by delivery and number, that they reached nobody.

    One whose worker has not recorded it is put on record: if that worker is only slow, its word on the attempt does
    not undo what is planned now.
    """
    if not missed:
        return
    claimed = select(*(deliveries.c[name] for name in ("id", "attempts", "owner", "changed_at", *_CALLED))).where(
        one_of(connection, deliveries.c.id, [delivery for delivery, _ in missed]), deliveries.c.owner.is_not(None)
    )
    begun = [
        {"delivery": row.id, "number": row.attempts, "owner": row.owner, "started_at": row.changed_at}
        | {"answered_at": at, "outcome": "accepted", "provider": row.provider, "provider_id": row.provider_id}
        for row in await connection.execute(claimed)
    ]
    await insert_new(connection, attempts, begun)
    records = [{"delivery": delivery, "number": number, "missed_at": at} for delivery, number in sorted(missed)]
    await _MARK_MISSED.run(connection, records)


async def acknowledge(connection: AsyncConnection, confirmed: Mapping[str, dt.datetime]) -> None:
    """Note when messages were confirmed by a person; the first time stays."""
    records = [{"message": message, "acknowledged_at": confirmed[message]} for message in sorted(confirmed)]
    await _ACKNOWLEDGE.run(connection, records)


class Event(NamedTuple):
    """An event as it is shown to staff."""

    receipt: Receipt
    received_at: dt.datetime


async def list_events(connection: AsyncConnection, delivery: str, *, limit: int) -> list[Event]:
    """List what providers said of a delivery, oldest first."""
    table = receipts.c
    query = (
        select(table.document, table.received_at)
        .where(table.delivery == delivery, table.applied_at.is_not(None), table.refused.is_(None))
        .order_by(table.at, table.received_at, table.event_id)
        .limit(limit)
    )
    return [Event(_DECODER.decode(row.document), row.received_at) for row in await connection.execute(query)]


async def find_delivery(connection: AsyncConnection, notification: str, delivery: str) -> Row[Any] | None:
    """Find a delivery of a notification."""
    query = select(deliveries).where(deliveries.c.id == delivery, deliveries.c.notification == notification)
    return (await connection.execute(query)).one_or_none()
