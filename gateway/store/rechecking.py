"""Correcting a plan on record when the rules decide otherwise at the moment of sending (R44)."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.rules.answer import Decision, Outcome
from gateway.store.inserting import insert_new
from gateway.store.tables import chronology, decisions, deliveries, messages

TEXT_CHECK = "R38"
"""The rule of decisions that wait because of their text; the recipient rules themselves know it not."""


async def messages_of(connection: AsyncConnection, notification: str, contacts: Collection[str]) -> dict[str, Row[Any]]:
    """Load the planned messages of these contacts."""
    query = select(messages).where(messages.c.notification == notification, messages.c.contact.in_(contacts))
    return {row.id: row for row in await connection.execute(query)}


async def correct_decisions(
    connection: AsyncConnection,
    notification: str,
    school: str,
    now_decided: Sequence[Decision],
    message_of: Mapping[tuple[str, str], str],
    *,
    at: dt.datetime,
) -> list[Decision]:
    """Replace decisions that have changed, and say so in the chronology; gives those that did.

    `message_of` names the new messages by student and contact; without a new one a decision keeps its message, whose
    end it explains.
    """
    pairs = decisions.c
    query = select(pairs.student, pairs.contact, pairs.outcome, pairs.rule, pairs.message).where(
        pairs.notification == notification, pairs.contact.in_({decision.contact for decision in now_decided})
    )
    before = {(row.student, row.contact): row for row in await connection.execute(query)}
    known = [
        decision
        for decision in now_decided
        if (decision.student, decision.contact) in before
        and not _waits_for_a_look(decision, before[decision.student, decision.contact])
    ]
    changed = [decision for decision in known if _differs(decision, before[decision.student, decision.contact])]
    replaced = [decision for decision in known if (decision.student, decision.contact) in message_of]
    if changed or replaced:
        statement = (
            update(decisions)
            .where(
                pairs.notification == notification,
                pairs.student == bindparam("key_student"),
                pairs.contact == bindparam("key_contact"),
            )
            .values({name: bindparam(f"new_{name}") for name in ("outcome", "rule", "reason", "message", "at")})
        )
        await connection.execute(
            statement,
            [
                {
                    "key_student": decision.student,
                    "key_contact": decision.contact,
                    "new_outcome": decision.outcome.value,
                    "new_rule": decision.rule,
                    "new_reason": decision.reason,
                    "new_message": message_of.get(pair, before[pair].message),
                    "new_at": at,
                }
                for decision in [*changed, *(decision for decision in replaced if decision not in changed)]
                for pair in [(decision.student, decision.contact)]
            ],
        )
    if changed:
        await connection.execute(
            insert(chronology),
            [
                _entry(notification, school, decision, before[decision.student, decision.contact], at)
                for decision in changed
            ],
        )
    return changed


def _differs(decision: Decision, before: Any) -> bool:
    return (decision.outcome, decision.rule) != (before.outcome, before.rule)


def _waits_for_a_look(decision: Decision, before: Any) -> bool:
    """Whether the text keeps a message back that the rules themselves would still send (R38)."""
    return bool(before.rule == TEXT_CHECK and decision.outcome is Outcome.SEND)


def _entry(notification: str, school: str, decision: Decision, before: Any, at: dt.datetime) -> dict[str, Any]:
    detail = {
        "notification": notification,
        "before": {"outcome": before.outcome, "rule": before.rule},
        "now": {"outcome": decision.outcome, "rule": decision.rule},
    }
    return {
        "school": school,
        "at": at,
        "student": decision.student,
        "contact": decision.contact,
        "event": "decision_changed",
        "detail": msgspec.json.encode(detail).decode(),
    }


async def left_or_leaving(
    connection: AsyncConnection, message_ids: Collection[str], without: Collection[str]
) -> set[str]:
    """Name the messages of which something left or may have left, apart from these deliveries."""
    query = select(deliveries.c.message).where(
        deliveries.c.message.in_(message_ids),
        deliveries.c.id.not_in(without),
        deliveries.c.state.in_(("sending", "sent", "delivered", "unknown")),
    )
    return set((await connection.execute(query)).scalars())


async def still_alive(connection: AsyncConnection, message_ids: Collection[str], without: Collection[str]) -> set[str]:
    """Name the messages of which something left, may have left or is on its way, apart from these deliveries."""
    query = select(deliveries.c.message).where(
        deliveries.c.message.in_(message_ids),
        deliveries.c.id.not_in(without),
        deliveries.c.state.in_(("held", "queued", "sending", "retrying", "sent", "delivered", "unknown")),
    )
    return set((await connection.execute(query)).scalars())


async def save_messages(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Add new messages and give those on record their new routes."""
    new = await insert_new(connection, messages, rows)
    for row in rows:
        if (row["id"],) not in new:
            await connection.execute(update(messages).where(messages.c.id == row["id"]).values(routes=row["routes"]))


async def tried(connection: AsyncConnection, message_ids: Collection[str]) -> set[str]:
    """Name the deliveries that these messages have already."""
    query = select(deliveries.c.id).where(deliveries.c.message.in_(message_ids))
    return set((await connection.execute(query)).scalars())


async def confirm(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Note under which directory these deliveries were found right, where they lead, and who reads along (R29).

    Each row has `id`, `directory_version`, `neutral`, `address` (masked) and `place`.
    """
    if rows:
        names = ("directory_version", "neutral", "address", "place")
        statement = (
            update(deliveries)
            .where(deliveries.c.id == bindparam("key_id"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        await connection.execute(
            statement, [{"key_id": row["id"]} | {f"new_{name}": row[name] for name in names} for row in rows]
        )
