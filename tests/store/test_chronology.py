"""Chronologies page completely, in order and without repetition, however small the pages."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.store.database import Database
from gateway.store.tables import attempts, chronology, decisions, deliveries, delivery_events, messages
from gateway.store.views import list_chronology
from tests.store.rows import NOON, decision, delivery, message

SECOND = dt.timedelta(seconds=1)
CHANGE = {"school": "school", "event": "record_changed", "detail": "{}"}


async def fill(database: Database) -> None:
    """Write three notifications about the children of one mother, many things in one instant."""
    rows: dict[Any, list[dict[str, Any]]] = {table: [] for table in (messages, decisions, deliveries, attempts)}
    for number in range(3):
        name, at = f"n{number}", NOON + number * SECOND
        rows[messages].append(message(f"m{number}", "mum", "s1", "s2", notification=name))
        rows[deliveries].append(
            delivery(f"d{number}", notification=name, message=f"m{number}", contact="mum", created_at=at)
        )
        for student in ("s1", "s2"):
            rows[decisions].append(decision(student, "mum", notification=name, message=f"m{number}", at=at))
            rows[decisions].append(
                decision(student, "dad", notification=name, outcome="exclude", rule="R01", reason="Barred.", at=at)
            )
        for attempt in (1, 2):
            rows[attempts].append(
                {
                    "delivery": f"d{number}",
                    "number": attempt,
                    "owner": "worker",
                    "started_at": at,
                    "answered_at": at if attempt == 1 else None,
                    "outcome": "postponed" if attempt == 1 else None,
                    "detail": "Busy." if attempt == 1 else None,
                }
            )
    async with database.writing() as connection:
        for table, own in rows.items():
            for row in own:
                await connection.execute(insert(table), [row])
        await connection.execute(
            insert(delivery_events),
            [
                {"delivery": "d1", "at": NOON, "state": "sent", "news": "sent", "detail": None},
                {"delivery": "d1", "at": NOON + SECOND, "state": "delivered", "news": "delivered", "detail": None},
            ],
        )
        for person in ({"contact": "mum", "student": None}, {"contact": "mum", "student": "s1"}):
            await connection.execute(insert(chronology), [{**CHANGE, **person, "at": NOON}])
        await connection.execute(insert(chronology), [{**CHANGE, "school": "other", "contact": "mum", "at": NOON}])


async def paged(database: Database, person: str, *, is_student: bool, limit: int) -> list[tuple[Any, ...]]:
    """Read a chronology page by page to its end."""
    entries: list[tuple[Any, ...]] = []
    after: tuple[str, ...] = ()
    while True:
        async with database.reading() as connection:
            page = await list_chronology(
                connection, "school", person=person, is_student=is_student, after=after, limit=limit
            )
        entries += [tuple(row) for row in page]
        if len(page) < limit:
            return entries
        after = (page[-1].at.isoformat(), page[-1].kind, page[-1].key)


@pytest.mark.parametrize(("person", "is_student", "number"), [("mum", False, 19), ("s1", True, 18), ("dad", False, 6)])
async def test_small_pages_tell_the_whole_story(
    database: Database,
    person: str,
    is_student: bool,  # noqa: FBT001  # a table's column
    number: int,
) -> None:
    """Decisions, attempts, answers, receipts and changes: each once, oldest first, whatever the page size."""
    await fill(database)
    whole = await paged(database, person, is_student=is_student, limit=100)
    assert len(whole) == number
    assert [row[:3] for row in whole] == sorted({row[:3] for row in whole})
    for limit in (1, 2, 3, 7):
        assert await paged(database, person, is_student=is_student, limit=limit) == whole
