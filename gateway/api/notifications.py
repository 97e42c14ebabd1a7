"""Notifications: posted, followed, explained and cancelled."""

from typing import Annotated, Any

import msgspec
from aiohttp import web

from gateway.access import Scope
from gateway.api.answers import (
    Cancelled,
    Counts,
    DecisionEntry,
    Decisions,
    Deliveries,
    DeliveryEntry,
    Progress,
    entry,
)
from gateway.api.requests import PRINCIPAL, answer, idempotency_key, next_link, page_of, read_body
from gateway.dispatch.by_hand import call_off
from gateway.dispatch.refusals import Refused
from gateway.dispatch.releasing import ReleaseDesk
from gateway.dispatch.requests import Lane, NotificationRequest
from gateway.services import SERVICES
from gateway.store.announcing import announce_cancelled
from gateway.store.notifications import cancel, count, find_notification
from gateway.store.views import Moment, list_decisions, list_deliveries, load_timelines


async def post_notification(request: web.Request) -> web.Response:
    """Take a notification in; 202 when it is durable."""
    principal = request[PRINCIPAL]
    key = idempotency_key(request)
    wanted = await read_body(request, NotificationRequest)
    accepted = await request.app[SERVICES].intake.accept(principal, wanted, key=key)
    headers = {"Idempotency-Replay": "true"} if accepted.replayed else None
    return web.Response(status=accepted.status, body=accepted.body, content_type="application/json", headers=headers)


async def get_notification(request: web.Request) -> web.Response:
    """Tell how far a notification has come, in numbers."""
    row = await _found(request)
    async with request.app[SERVICES].database.reading() as connection:
        counts = await count(connection, row.id)
    base = f"/v1/notifications/{row.id}"
    links = {"self": base, "decisions": f"{base}/decisions", "deliveries": f"{base}/deliveries"}
    return answer(entry(Progress, row, counts=Counts(**counts), links=links))


async def get_decisions(request: web.Request) -> web.Response:
    """List who was decided to get it, and why, by student and contact."""
    row = await _found(request)
    page = page_of(request, tuple[str, str])
    async with request.app[SERVICES].database.reading() as connection:
        rows = await list_decisions(connection, row.id, after=page.after, limit=page.limit)
    items = tuple(entry(DecisionEntry, row) for row in rows)
    last = (rows[-1].student, rows[-1].contact) if len(rows) == page.limit else None
    return answer(Decisions(items=items, links=next_link(request, last, page.limit)))


async def get_deliveries(request: web.Request) -> web.Response:
    """List what left by which route and what became of it; addresses are masked."""
    row = await _found(request)
    page = page_of(request, tuple[str])
    async with request.app[SERVICES].database.reading() as connection:
        rows = await list_deliveries(connection, row.id, after=page.after, limit=page.limit)
        timelines = await load_timelines(connection, rows)
    last = (rows[-1].id,) if len(rows) == page.limit else None
    items = tuple(_delivery(item, timelines[item.id]) for item in rows)
    return answer(Deliveries(items=items, links=next_link(request, last, page.limit)))


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a text that names somebody else may go out after all."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=1000)]


async def release_notification(request: web.Request) -> web.Response:
    """Let go what the text check kept back; what is confidential stays (R38)."""
    services = request.app[SERVICES]
    row = await _found(request)
    _check_scope(request, row)
    confirmation = await read_body(request, Confirmation)
    desk = ReleaseDesk(
        services.database, services.wakeups, policy=services.policy, now=services.now, snapshots=services.snapshots
    )
    return answer(await desk.release(request[PRINCIPAL], row, confirmation.reason))


async def cancel_notification(request: web.Request) -> web.Response:
    """Stop what has not left, and say what has."""
    services = request.app[SERVICES]
    row = await _found(request)
    _check_scope(request, row)
    async with services.database.writing() as connection:
        at = services.now()
        withdrawn = await cancel(connection, row.id, at=at) + await call_off(connection, row.id, now=at)
        withdrawn += await services.printing.call_off(connection, row.id)
        counts = await count(connection, row.id)
        now = await find_notification(connection, row.school, row.id)
        if now is not None and now.status == "cancelled" != row.status:
            await announce_cancelled(connection, row.school, row.id, at=at)
    states = counts["deliveries"]
    left = sum(states.get(state, 0) for state in ("sending", "sent", "delivered", "unknown"))
    status = now.status if now is not None else row.status
    return answer(Cancelled(id=row.id, status=status, cancelled=withdrawn, left=left, counts=Counts(**counts)))


def _check_scope(request: web.Request, row: Any) -> None:
    """Ask for the scope that posting the notification took: each key only undoes what it could have done."""
    needed = Scope.ALERTS if row.lane == Lane.EMERGENCY else Scope.SEND
    if not request[PRINCIPAL].may(needed):
        raise Refused(403, f"This key lacks the scope '{needed}', which this notification needs.")


async def _found(request: web.Request) -> Any:
    school = request[PRINCIPAL].school
    async with request.app[SERVICES].database.reading() as connection:
        row = await find_notification(connection, school, request.match_info["id"])
    if row is None:
        raise Refused(404, "There is no notification with this id.")
    return row


def _delivery(row: Any, timeline: list[Moment]) -> DeliveryEntry:
    students = msgspec.json.decode(row.students, type=tuple[str, ...])
    return entry(DeliveryEntry, row, students=students, timeline=tuple(timeline))
