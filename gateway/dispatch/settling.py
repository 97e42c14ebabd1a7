"""After an outcome or a receipt: the next contact point, what was learnt of an address, a task for staff."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.masking import masked
from gateway.directory.model import ContactPoint, PointState
from gateway.dispatch.chunks import UNDECIDED, Route, decode_routes, delivery_id, put_in_batches
from gateway.dispatch.messages import students_of
from gateway.rules.answer import Mode
from gateway.store.identity import derived_id
from gateway.store.people import key_of, load_points, load_school
from gateway.store.roster import raise_version
from gateway.store.sending import add_deliveries, lock_messages, mark_points, merged_with, open_or_done
from gateway.store.tables import contact_points
from gateway.store.tasks import add_tasks


async def start_next_routes(
    connection: AsyncConnection, failed: Sequence[Any], *, now: dt.datetime
) -> list[tuple[str, str]]:
    """Start the next contact point of every message whose delivery failed; gives the (lane, batch) to wake.

    Deliveries that travelled inside a failed one go on by their own routes. A message without a further route
    and without anything that left becomes a task for the office (R24).
    """
    rows = [*failed, *await merged_with(connection, [row.id for row in failed])]
    messages = await lock_messages(connection, list({row.message for row in rows}))
    still_alive = await open_or_done(connection, list(messages))
    started: list[dict[str, Any]] = []
    hopeless: list[Any] = []
    for row in rows:
        message = messages[row.message]
        following = _following(message, row, now)
        if following is not None:
            started.append(await _next_delivery(connection, message, row, *following, now=now))
        elif row.message not in still_alive:
            hopeless.append(row)
    if started:
        for notification in {row["notification"] for row in started}:
            put_in_batches(notification, [row for row in started if row["notification"] == notification])
        await add_deliveries(connection, started)
    await add_tasks(
        connection, [task for row in hopeless for task in unreached(row, students_of(messages[row.message]), now)]
    )
    return sorted({(row["lane"], row["batch"]) for row in started})


def _following(message: Any, row: Any, now: dt.datetime) -> tuple[int, Route] | None:
    """Find the route after this one; only fallback mode has one, and only while there is time."""
    if message.mode != Mode.FALLBACK or (row.expires_at is not None and row.expires_at <= now):
        return None
    routes = decode_routes(message.routes)
    position = next((index for index, route in enumerate(routes) if route.point == row.point), len(routes)) + 1
    return (position, routes[position]) if position < len(routes) else None


async def _next_delivery(
    connection: AsyncConnection, message: Any, row: Any, position: int, route: Route, *, now: dt.datetime
) -> dict[str, Any]:
    point = await find_point(connection, row.school, route.point)
    return {
        "id": delivery_id(row.notification, row.contact, route.point, students_of(message)),
        "school": row.school,
        "notification": row.notification,
        "message": row.message,
        "contact": row.contact,
        "point": route.point,
        "channel": route.channel.value,
        "lane": row.lane,
        "position": position,
        "batch": "",
        "address": masked(point) if point else "gone",
        "place": None,
        "language": row.language,
        "fell_back": row.fell_back,
        "neutral": route.neutral,
        "bare": row.bare,
        "directory_version": UNDECIDED,
        "state": "queued",
        "code": None,
        "detail": None,
        "due_at": now,
        "attempts": 0,
        "expires_at": row.expires_at,
        "created_at": now,
        "changed_at": now,
    }


def unreached(row: Any, students: Iterable[str], now: dt.datetime) -> Iterator[dict[str, Any]]:
    """Ask the office to reach a delivery's contact about these students: no contact point is left (R24)."""
    for student in students:
        yield {
            "id": derived_id(row.notification, "task", "failed", student, row.contact),
            "school": row.school,
            "kind": "reach_by_hand",
            "notification": row.notification,
            "student": student,
            "contact": row.contact,
            "delivery": row.id,
            "owner": "office",
            "detail": "R24: Every contact point failed; reach this contact by phone or by hand.",
            "created_at": now,
            "due_at": now + dt.timedelta(days=1),
            "done_at": None,
        }


async def find_point(connection: AsyncConnection, school: str, point: str) -> ContactPoint | None:
    """Load one contact point, or None when it has left the directory."""
    known = await load_school(connection, school)
    if known is None:
        return None
    found = await load_points(connection, known[0], contact_points.c.id == point)
    return found[0] if found else None


async def learn_of_addresses(
    connection: AsyncConnection, learnt: Sequence[tuple[Any, PointState, str]], *, now: dt.datetime
) -> None:
    """Mark addresses that providers call dead or blocked, for everyone who has them (R33, R34)."""
    marks: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row, state, reason in learnt:
        known = await load_school(connection, row.school)
        point = await find_point(connection, row.school, row.point)
        if known is None or point is None:
            continue
        key = key_of(known[0], point)
        marks[row.school, row.channel, key] = {
            "school": row.school,
            "channel": row.channel,
            "address_key": key,
            "state": state.value,
            "reason": reason,
            "at": now,
        }
    await mark_points(connection, list(marks.values()))
    for school in {row.school for row, _state, _reason in learnt}:
        await raise_version(connection, school, at=now)


Chance = Callable[[], float]
"""A source of random numbers from 0 to 1."""
