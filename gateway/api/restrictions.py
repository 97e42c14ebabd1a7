"""The restrictions register for those who keep it: every look at a restriction is on record."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.api.answers import Body, Instant, PageLinks, entry
from gateway.api.requests import PRINCIPAL, answer, next_link, page_of, read_body
from gateway.directory.model import Basis, Effect, Restriction, RestrictionStatus
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.register import NewRestriction, Objection, Register, Review, Superseding, Verdict
from gateway.dispatch.restriction_changes import Waiting, waiting_for
from gateway.rules.policy import Policy
from gateway.rules.restrictions import is_live, is_past, last_day
from gateway.services import SERVICES
from gateway.store.people import knows_contact, knows_student, load_school
from gateway.store.policies import load_policy
from gateway.store.restrictions import (
    add_views,
    find_objection,
    find_restriction,
    last_steps,
    list_restrictions,
    list_steps,
    list_views,
)


class WaitingEntry(Body, frozen=True):
    """A change that awaits a second person."""

    change: int
    """To be named when it is decided."""
    step: str
    by: str | None
    """The key that asked for it; null for a draft from a file."""
    at: Instant | None
    status: RestrictionStatus
    """What the restriction is once it is approved."""
    until: dt.date | None
    reviewed_on: dt.date | None


class RestrictionEntry(Body, frozen=True):
    """A restriction as it acts now."""

    id: str
    student: str
    contact: str
    effect: Effect
    basis: Basis
    status: RestrictionStatus
    categories: tuple[str, ...]
    channels: tuple[str, ...]
    from_: dt.date | None = msgspec.field(name="from")
    until: dt.date | None
    reviewed_on: dt.date | None
    last_day: dt.date | None
    """What it was meant for: `until`, or the end of the review period of a safeguarding restriction."""
    live: bool
    """Whether it acts today."""
    lapsed: bool
    """Whether its last day is over and nobody has reviewed it: it holds messages."""
    evidence: str | None
    created_by: str | None
    approved_by: str | None
    waiting: WaitingEntry | None


class StepEntry(Body, frozen=True):
    """One step of a restriction's history and the version that acted from then on."""

    number: int
    step: str
    by: str | None
    at: Instant
    evidence: str | None
    note: str | None
    successor: str | None
    document: Restriction
    proposed: Restriction | None


class RestrictionDetail(RestrictionEntry, frozen=True):
    """A restriction with its history, oldest first."""

    history: tuple[StepEntry, ...]


class Restrictions(Body, frozen=True):
    """A page of restrictions."""

    items: tuple[RestrictionEntry, ...]
    links: PageLinks


class ViewEntry(Body, frozen=True):
    """Whose key saw a restriction, and when."""

    viewer: str
    at: Instant


class Views(Body, frozen=True):
    """A page of views, oldest first."""

    items: tuple[ViewEntry, ...]
    links: PageLinks


class ObjectionEntry(Body, frozen=True):
    """What somebody said against telling a contact; it changes nobody's mail."""

    id: str
    student: str
    contact: str
    said_by: str
    note: str | None
    taken_by: str
    at: Instant


async def post_restriction(request: web.Request) -> web.Response:
    """Begin a restriction: as a draft it bars personal mail at once, and a second person must approve it."""
    wanted = await read_body(request, NewRestriction)
    identifier = await _register(request).create(request[PRINCIPAL], wanted)
    detail = await _detail(request, identifier, seen=False)
    return answer(detail, status=201, headers={"Location": f"/v1/restrictions/{identifier}"})


async def supersede_restriction(request: web.Request) -> web.Response:
    """Ask that a restriction act no more; it goes on acting until a second person approves."""
    wanted = await _optional_body(request, Superseding)
    await _register(request).supersede(request[PRINCIPAL], request.match_info["id"], wanted)
    return answer(await _detail(request, request.match_info["id"], seen=False))


async def review_restriction(request: web.Request) -> web.Response:
    """Confirm, extend or shorten a restriction; a later end acts at once, the rest when a second person approves."""
    wanted = await _optional_body(request, Review)
    await _register(request).review(request[PRINCIPAL], request.match_info["id"], wanted)
    return answer(await _detail(request, request.match_info["id"], seen=False))


async def approve_restriction(request: web.Request) -> web.Response:
    """Agree, as another person than the one who asked, to the draft or change that waits."""
    verdict = await _optional_body(request, Verdict)
    await _register(request).approve(request[PRINCIPAL], request.match_info["id"], verdict)
    return answer(await _detail(request, request.match_info["id"], seen=False))


async def reject_restriction(request: web.Request) -> web.Response:
    """Turn down the draft or change that waits; a rejected draft bars nobody any more."""
    verdict = await _optional_body(request, Verdict)
    await _register(request).reject(request[PRINCIPAL], request.match_info["id"], verdict)
    return answer(await _detail(request, request.match_info["id"], seen=False))


async def get_restriction(request: web.Request) -> web.Response:
    """Show a restriction with its history; that it was seen is recorded."""
    return answer(await _detail(request, request.match_info["id"], seen=True))


async def get_restrictions(request: web.Request) -> web.Response:
    """List restrictions by student and contact; that they were seen is recorded."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    page = page_of(request, tuple[str, str, str])
    filters = {name: request.query[name] for name in ("student", "contact") if name in request.query}
    async with services.database.writing() as connection:
        await _check_known(connection, principal.school, filters)
        rows = await list_restrictions(
            connection,
            principal.school,
            student=filters.get("student"),
            contact=filters.get("contact"),
            after=page.after,
            limit=page.limit,
        )
        ids = [row.id for row in rows]
        last = await last_steps(connection, principal.school, ids)
        await add_views(connection, principal.school, ids, viewer=principal.key, at=services.now())
        today = await _today(connection, principal.school, services.now())
        policy = await load_policy(connection, principal.school, services.policy)
    items = tuple(_entry(row, last.get(row.id), today, policy) for row in rows)
    end = (rows[-1].student, rows[-1].contact, rows[-1].id) if len(rows) == page.limit else None
    links = next_link(request, end, page.limit)
    if links.next is not None and filters:
        links = PageLinks(next=f"{links.next}&{urlencode(filters)}")
    return answer(Restrictions(items=items, links=links))


async def get_restriction_views(request: web.Request) -> web.Response:
    """List who saw a restriction, oldest first."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    page = page_of(request, tuple[int])
    async with services.database.reading() as connection:
        await _found(connection, principal.school, request.match_info["id"])
        rows = await list_views(
            connection,
            principal.school,
            request.match_info["id"],
            after=page.after[0] if page.after else 0,
            limit=page.limit,
        )
    last = (rows[-1].id,) if len(rows) == page.limit else None
    return answer(Views(items=tuple(entry(ViewEntry, row) for row in rows), links=next_link(request, last, page.limit)))


async def post_objection(request: web.Request) -> web.Response:
    """Note that somebody objects to telling a contact: a task for the safeguarding lead, and nobody's mail changes."""
    wanted = await read_body(request, Objection)
    identifier = await _register(request).note_objection(request[PRINCIPAL], wanted)
    return answer(await _objection(request, identifier), status=201)


async def get_objection(request: web.Request) -> web.Response:
    """Show what was said against telling a contact."""
    return answer(await _objection(request, request.match_info["id"]))


def _register(request: web.Request) -> Register:
    services = request.app[SERVICES]
    return Register(services.database, now=services.now, policy=services.policy)


async def _optional_body(request: web.Request, kind: type[Any]) -> Any:
    """Read a body of which every field may be left out, and so the body itself."""
    return await read_body(request, kind) if request.can_read_body else kind()


async def _objection(request: web.Request, identifier: str) -> ObjectionEntry:
    async with request.app[SERVICES].database.reading() as connection:
        row = await find_objection(connection, request[PRINCIPAL].school, identifier)
    if row is None:
        raise Refused(404, "There is no objection with this id.")
    return entry(ObjectionEntry, row)


async def _detail(request: web.Request, identifier: str, *, seen: bool) -> RestrictionDetail:
    """Describe a restriction; a reader's look is recorded, a step of one's own is on record itself."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    async with services.database.writing() if seen else services.database.reading() as connection:
        row = await _found(connection, principal.school, identifier)
        steps = await list_steps(connection, principal.school, identifier)
        today = await _today(connection, principal.school, services.now())
        policy = await load_policy(connection, principal.school, services.policy)
        if seen:
            await add_views(connection, principal.school, [identifier], viewer=principal.key, at=services.now())
    now = _entry(row, steps[-1] if steps else None, today, policy)
    history = tuple(_step(step) for step in steps)
    return entry(RestrictionDetail, now, history=history)


async def _found(connection: AsyncConnection, school: str, identifier: str) -> Any:
    row = await find_restriction(connection, school, identifier)
    if row is None:
        raise Refused(404, "There is no restriction with this id.")
    return row


async def _check_known(connection: AsyncConnection, school: str, filters: dict[str, str]) -> None:
    """Refuse a misspelt id: an empty list would read as if nobody were barred."""
    for name, knows in (("student", knows_student), ("contact", knows_contact)):
        identifier = filters.get(name)
        if identifier is not None and ("\0" in identifier or not await knows(connection, school, identifier)):
            raise unprocessable(name, f"There is no such {name} in the directory.")


async def _today(connection: AsyncConnection, school: str, now: dt.datetime) -> dt.date:
    known = await load_school(connection, school)
    return now.astimezone(ZoneInfo(known[0].timezone)).date() if known is not None else now.date()


def _entry(row: Any, last: Any, today: dt.date, policy: Policy) -> RestrictionEntry:
    restriction = msgspec.json.decode(row.document, type=Restriction)
    live = is_live(restriction, today, policy)
    waiting = waiting_for(restriction, last)
    return entry(
        RestrictionEntry,
        restriction,
        last_day=last_day(restriction, policy),
        live=live,
        lapsed=live and is_past(restriction, today, policy),
        evidence=row.evidence,
        created_by=row.created_by,
        approved_by=row.approved_by,
        waiting=_waiting(waiting) if waiting is not None else None,
    )


def _waiting(waiting: Waiting) -> WaitingEntry:
    return WaitingEntry(
        change=waiting.number,
        step=waiting.step,
        by=waiting.by,
        at=waiting.at,
        status=waiting.proposed.status,
        until=waiting.proposed.until,
        reviewed_on=waiting.proposed.reviewed_on,
    )


def _step(row: Any) -> StepEntry:
    return entry(
        StepEntry,
        row,
        document=msgspec.json.decode(row.document, type=Restriction),
        proposed=msgspec.json.decode(row.proposed, type=Restriction) if row.proposed is not None else None,
    )
