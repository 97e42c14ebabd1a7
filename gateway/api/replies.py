"""What people wrote back, for staff to read and to answer; no other contact ever learns of it (R40)."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Scope
from gateway.api.answers import Body, Instant, PageLinks, entry
from gateway.api.requests import PRINCIPAL, answer, next_link, page_of, read_body
from gateway.api.route import PAGE, Parameter, Route
from gateway.content.quoting import parted
from gateway.directory.model import ChannelName
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.services import SERVICES
from gateway.store.replies import (
    close_reply,
    enclosures_of,
    find_enclosure,
    find_reply,
    list_replies,
    secret_writers,
)
from gateway.store.tasks import find_task, settle_task

_CONFIDENTIAL = "confidential"


class EnclosureEntry(Body, frozen=True):
    """A file that came with a reply; nobody has looked whether it does harm."""

    number: int
    name: str
    content_type: str
    """As the sender called it."""
    size: int
    """Bytes."""
    href: str


class ReplyEntry(Body, frozen=True):
    """Something that somebody wrote to the school."""

    id: str
    thread: str | None
    """The same for all that this contact and the school write each other about this message."""
    notification: str | None
    message: str | None
    contact: str | None
    """Whose message it answers; null when nobody knows who wrote."""
    delivery: str | None
    channel: ChannelName
    writer: str
    """The address it came from; `confidential` where it may not be shown (R36)."""
    genuine_sender: bool
    """Whether that is an address of the contact's. If not, the message was passed on: it is not the contact's word."""
    at: Instant
    received_at: Instant
    answered_at: Instant | None
    handled_by: str | None
    """The key of whoever dealt with it."""
    cut: bool
    """Whether something of it was too long to be kept."""
    enclosures: tuple[EnclosureEntry, ...]


class ReplyDetail(ReplyEntry, frozen=True):
    """A reply with its words."""

    text: str
    """What the person wrote, as far as that can be told."""
    quoted: str
    """What their program put below it, such as our own message; with `text` it is the whole."""


class Replies(Body, frozen=True):
    """A page of replies, in the order in which they came."""

    items: tuple[ReplyEntry, ...]
    links: PageLinks


class Handled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody did about a reply."""

    note: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


async def get_replies(request: web.Request) -> web.Response:
    """List what people have written."""
    services, school, page = request.app[SERVICES], request[PRINCIPAL].school, page_of(request, tuple[str])
    filters = {name: request.query[name] for name in ("open", "notification", "contact") if name in request.query}
    if filters.get("open", "true") not in {"true", "false"}:
        raise unprocessable("open", "open is true or false.")
    for name, value in filters.items():
        if "\0" in value:
            raise unprocessable(name, f"{name} is an id.")
    async with services.database.reading() as connection:
        rows = await list_replies(
            connection,
            school,
            is_open=filters["open"] == "true" if "open" in filters else None,
            notification=filters.get("notification"),
            contact=filters.get("contact"),
            after=page.after,
            limit=page.limit,
        )
        items = await _entries(connection, school, rows)
    links = next_link(request, (rows[-1].id,) if len(rows) == page.limit else None, page.limit)
    if links.next is not None and filters:
        links = PageLinks(next=f"{links.next}&{urlencode(filters)}")
    return answer(Replies(items=tuple(items), links=links))


async def get_reply(request: web.Request) -> web.Response:
    """Show a reply with its words."""
    async with request.app[SERVICES].database.reading() as connection:
        return answer(await _detail(connection, request, await _found(connection, request)))


async def get_enclosure(request: web.Request) -> web.Response:
    """Give a file to be saved, never to be opened by the browser: it comes from outside."""
    number = request.match_info["number"]
    async with request.app[SERVICES].database.reading() as connection:
        reply = await _found(connection, request)
        known = number.isascii() and number.isdigit() and len(number) < 6
        found = await find_enclosure(connection, reply.school, reply.id, int(number)) if known else None
    if found is None:
        raise Refused(404, "There is no enclosure with this number.")
    return web.Response(
        body=found.content,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename=enclosure-{number}; filename*=UTF-8''{quote(found.name)}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
        },
    )


async def post_done(request: web.Request) -> web.Response:
    """Say what was done about a reply; its task goes with it."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    wanted = await read_body(request, Handled)
    async with services.database.writing() as connection:
        reply = await _found(connection, request)
        if not await close_reply(connection, reply.id, by=principal.key, at=services.now()):
            raise Refused(409, "Somebody has dealt with this reply.")
        task = await find_task(connection, reply.school, reply.id)
        if task is not None:
            await settle_task(connection, task, by=principal.key, note=wanted.note, at=services.now())
        return answer(await _detail(connection, request, await _found(connection, request)))


async def _found(connection: AsyncConnection, request: web.Request) -> Any:
    identifier = request.match_info["id"]
    reply = None if "\0" in identifier else await find_reply(connection, request[PRINCIPAL].school, identifier)
    if reply is None:
        raise Refused(404, "There is no reply with this id.")
    return reply


async def _detail(connection: AsyncConnection, request: web.Request, reply: Any) -> ReplyDetail:
    (shown,) = await _entries(connection, request[PRINCIPAL].school, [reply])
    text, quoted = parted(reply.body)
    fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return ReplyDetail(**fields, text=text, quoted=quoted)


async def _entries(connection: AsyncConnection, school: str, rows: Sequence[Any]) -> list[ReplyEntry]:
    secret = await secret_writers(connection, school, rows)
    enclosed: dict[str, list[EnclosureEntry]] = {row.id: [] for row in rows}
    for each in await enclosures_of(connection, list(enclosed)):
        href = f"/v1/replies/{each.reply}/enclosures/{each.number}"
        enclosed[each.reply].append(entry(EnclosureEntry, each, href=href))
    return [
        entry(
            ReplyEntry,
            row,
            channel=ChannelName(row.channel),
            writer=_CONFIDENTIAL if row.id in secret else row.writer,
            enclosures=tuple(enclosed[row.id]),
        )
        for row in rows
    ]


_NO_REPLY = {404: "There is no reply with this id."}


REPLY_ROUTES = (
    Route(
        method="GET",
        path="/v1/replies",
        serve=get_replies,
        summary="What people have written back",
        tag="Replies",
        scopes=(Scope.READ,),
        parameters=(
            Parameter(name="open", place="query", detail="Only what is still to answer, or is done.", type=bool),
            Parameter(name="notification", place="query", detail="Only answers to this notification."),
            Parameter(name="contact", place="query", detail="Only answers to messages to this contact."),
            *PAGE,
        ),
        answers={200: Replies},
    ),
    Route(
        method="GET",
        path="/v1/replies/{id}",
        serve=get_reply,
        summary="One reply with its words",
        tag="Replies",
        scopes=(Scope.READ,),
        answers={200: ReplyDetail},
        refusals=_NO_REPLY,
    ),
    Route(
        method="GET",
        path="/v1/replies/{id}/enclosures/{number}",
        serve=get_enclosure,
        summary="A file that came with a reply",
        tag="Replies",
        scopes=(Scope.READ,),
        answers={200: bytes},
        media="application/octet-stream",
        refusals={404: "There is no reply with this id, or no file with this number."},
    ),
    Route(
        method="POST",
        path="/v1/replies/{id}/done",
        serve=post_done,
        summary="Say what was done about a reply",
        tag="Replies",
        scopes=(Scope.SEND, Scope.ALERTS),
        body=Handled,
        answers={200: ReplyDetail},
        refusals={**_NO_REPLY, 409: "Somebody has dealt with it."},
    ),
)
