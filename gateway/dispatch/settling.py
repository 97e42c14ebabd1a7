"""After an outcome or a receipt: the next contact point, what was learnt of an address, a task for staff."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.masking import masked
from gateway.directory.model import ContactPoint, PointState, School
from gateway.directory.places import key_of, place_of
from gateway.dispatch.chunks import UNDECIDED, Route, decode_routes, delivery_id, put_in_batches, queued
from gateway.dispatch.messages import students_of
from gateway.dispatch.requests import Lane, lane_on
from gateway.rules.answer import Mode
from gateway.store.identity import derived_id
from gateway.store.notifications import lanes_in_force
from gateway.store.people import load_points, load_school
from gateway.store.roster import raise_version
from gateway.store.sending import add_deliveries, lift_blocks, lock_messages, mark_points, merged_with, open_or_done
from gateway.store.tables import contact_points
from gateway.store.tasks import add_tasks


async def start_next_routes(
    connection: AsyncConnection, failed: Sequence[Any], *, now: dt.datetime
) -> list[tuple[str, str]]:
    """Start the next contact point of every message whose delivery failed; gives the (lane, batch) to wake.

    Deliveries that travelled inside a failed one go on by their own routes. A message without a further route
    and without anything that left becomes a task for the office (R24). Of what was withdrawn nothing follows; if that
    happens at this very moment, the last check before sending finds it.
    """
    lanes = await lanes_in_force(connection, {row.notification for row in failed})
    failed = [row for row in failed if row.notification in lanes]
    if not failed:
        return []
    rows = [*failed, *await merged_with(connection, [row.id for row in failed])]
    messages = await lock_messages(connection, list({row.message for row in rows}))
    still_alive = await open_or_done(connection, list(messages))
    following = [(row, route) for row in rows if (route := _following(messages[row.message], row, now)) is not None]
    points = await _find_points(connection, {(row.school, route.point) for row, (_, route) in following})
    started = [
        _next_delivery(messages[row.message], row, *route, points, lanes[row.notification], now)
        for row, route in following
    ]
    going_on = {row.id for row, _ in following}
    hopeless = [row for row in rows if row.id not in going_on and row.message not in still_alive]
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


def _next_delivery(
    message: Any, row: Any, position: int, route: Route, points: "_Points", lane: str, now: dt.datetime
) -> dict[str, Any]:
    found = points.get((row.school, route.point))
    return queued(now, now) | {
        "id": delivery_id(row.notification, row.contact, route.point, students_of(message)),
        "school": row.school,
        "notification": row.notification,
        "message": row.message,
        "contact": row.contact,
        "point": route.point,
        "channel": route.channel.value,
        "lane": lane_on(route.channel, Lane(lane)).value,
        "position": position,
        "address": masked(found[1]) if found else "gone",
        "place": None,
        "language": row.language,
        "fell_back": row.fell_back,
        "neutral": route.neutral,
        "bare": row.bare,
        "directory_version": UNDECIDED,
        "expires_at": row.expires_at,
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


_Points = Mapping[tuple[str, str], tuple[School, ContactPoint]]
"""Contact points with their school, by the ids of both."""


async def _find_points(connection: AsyncConnection, wanted: Collection[tuple[str, str]]) -> _Points:
    """Load contact points in one query a school; those that have left the directory are missing."""
    found: dict[tuple[str, str], tuple[School, ContactPoint]] = {}
    for name in sorted({school for school, _ in wanted}):
        known = await load_school(connection, name)
        if known is not None:
            ids = [point for school, point in wanted if school == name]
            points = await load_points(connection, known[0], contact_points.c.id.in_(ids))
            found |= {(name, point.id): (known[0], point) for point in points}
    return found


async def learn_of_addresses(
    connection: AsyncConnection, learnt: Sequence[tuple[Any, PointState, str]], *, now: dt.datetime
) -> None:
    """Mark addresses that providers call dead or blocked, for everyone who has them (R33, R34)."""
    points = await _find_points(connection, {(row.school, row.point) for row, _state, _reason in learnt})
    marks: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row, state, reason in learnt:
        found = points.get((row.school, row.point))
        # News of a letter may come weeks later: an address that has taken the old one's place is not what it is about.
        if found is None or (row.place is not None and row.place != place_of(*found)):
            continue
        key = key_of(*found)
        marks[row.school, row.channel, key] = {
            "school": row.school,
            "channel": row.channel,
            "address_key": key,
            "state": state.value,
            "reason": reason,
            "at": now,
        }
    await mark_points(connection, list(marks.values()))
    for school in sorted({row.school for row, _state, _reason in learnt}):
        await raise_version(connection, school, at=now)


async def lift_blocks_of(connection: AsyncConnection, rows: Sequence[Any], *, now: dt.datetime) -> None:
    """Use the addresses of deliveries again whose owners had wanted no more and have changed their minds (R33)."""
    points = await _find_points(connection, {(row.school, row.point) for row in rows})
    for school in sorted({row.school for row in rows}):
        keys = [
            {"school": school, "channel": row.channel, "address_key": key_of(*points[school, row.point])}
            for row in rows
            if row.school == school and (school, row.point) in points
        ]
        if await lift_blocks(connection, keys):
            await raise_version(connection, school, at=now)
