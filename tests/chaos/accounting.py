"""Holds the outbox against the database after a run with kills: what was lost, what was doubled, what was left open."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from gateway.store.database import Database
from gateway.store.tables import attempts, decisions, deliveries, messages, notifications

_FILES = {"email": ("email", ".eml"), "letter": ("letters", ".pdf")}
_LINES = {"sms": "sms.jsonl", "voice": "voice.jsonl"}


@dataclass(frozen=True, kw_only=True)
class Account:
    """What one run came to."""

    sent: Counter[tuple[str, str, str]]
    """What left, by reference, contact point and language: the same in every run, however often it was killed."""
    decided: dict[tuple[str, str, str], str]
    """Outcome and rule by reference, student and contact."""
    deterred: frozenset[str]
    """Contacts with a dead mailbox. Which of several notifications finds it dead first is a matter of chance."""
    faults: list[str] = field(default_factory=list)
    pieces: int
    """Files and lines that left."""
    unanswered: int
    """Attempts cut off by a kill: the only ones that may have been handed over twice."""


async def account(database_url: str, outbox: Path) -> Account:
    """Take stock."""
    database = Database(database_url)
    try:
        async with database.reading() as connection:
            rows = list(await connection.execute(select(deliveries)))
            asked = {row.id: row for row in await connection.execute(select(notifications))}
            decided = list(await connection.execute(select(decisions)))
            told = list(await connection.execute(select(messages)))
            silent = select(func.count()).select_from(attempts).where(attempts.c.outcome == "no_answer")
            unanswered = (await connection.execute(silent)).scalar_one()
    finally:
        await database.close()
    name = {key: row.reference for key, row in asked.items()}
    left = pieces(outbox)
    return Account(
        sent=Counter((name[row.notification], row.point, row.language) for row in rows if row.state == "sent"),
        decided={(name[row.notification], row.student, row.contact): f"{row.outcome} {row.rule}" for row in decided},
        deterred=frozenset(row.contact for row in rows if row.state in {"failed", "suppressed"}),
        faults=[*_unfinished(asked.values(), rows), *_mismatches(rows, left), *_twins(told)],
        pieces=sum(sum(counted.values()) for counted in left.values()),
        unanswered=unanswered,
    )


def pieces(outbox: Path) -> dict[str, Counter[str]]:
    """Count files and lines by channel and delivery id."""
    found = {
        channel: Counter(path.stem for path in (outbox / folder).glob(f"*{suffix}"))
        for channel, (folder, suffix) in _FILES.items()
    }
    for channel, file in _LINES.items():
        found[channel] = Counter(_deliveries_in(outbox / file))
    return found


def _deliveries_in(path: Path) -> list[str]:
    """Name the delivery of each whole line; a line torn by a kill belongs to nobody."""
    named = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            named.append(str(json.loads(line)["delivery"]))
        except ValueError:
            continue
    return named


def _unfinished(asked: Any, rows: list[Any]) -> list[str]:
    open_states = {"queued", "sending", "retrying", "unknown", "held"}
    return [
        *(f"notification {row.reference} is {row.status}" for row in asked if row.status != "finished"),
        *(f"delivery {row.id} is {row.state}" for row in rows if row.state in open_states),
    ]


def _mismatches(rows: list[Any], left: dict[str, Counter[str]]) -> list[str]:
    faults = []
    for channel, counted in left.items():
        sent = {row.id for row in rows if row.channel == channel and row.state == "sent" and row.merged_into is None}
        faults += [f"{channel}: {name} is on record as sent but did not leave" for name in sorted(sent - set(counted))]
        faults += [f"{channel}: {name} left but is not on record as sent" for name in sorted(set(counted) - sent)]
        faults += [f"{channel}: {name} left {number} times" for name, number in counted.items() if number > 1]
    return faults


def _twins(told: list[Any]) -> list[str]:
    times = Counter((row.notification, row.contact, student) for row in told for student in json.loads(row.students))
    return [f"contact {key[1]} has {number} messages about {key[2]}" for key, number in times.items() if number > 1]
