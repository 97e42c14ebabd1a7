"""Reading requests: who asks, with which body, which page."""

import base64
import re
from functools import cache
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from gateway.access import Principal, Scope
from gateway.api.answers import PageLinks
from gateway.api.wording import refusal
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable
from gateway.services import SERVICES

_Body = TypeVar("_Body")

PRINCIPAL = web.RequestKey("principal", Principal)
"""Who asks; the route has seen to it before the handler runs."""

MOST_ITEMS = 1000
"""The longest page of a list."""

_JSON = "application/json"

_LIMIT = re.compile(r"[0-9]{1,4}")

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL as JSON writes it: PostgreSQL cannot store one."""


async def authenticated(request: web.Request, *scopes: Scope) -> Principal:
    """Tell who asks; raises `Refused` when the key is missing, not ours, or lacks every one of the scopes."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Refused(401, "Send your API key in the header: Authorization: Bearer KEY.")
    principal = await request.app[SERVICES].keys.principal(text.strip())
    if principal is None:
        raise Refused(401, "This API key is not known or has been revoked.")
    if not any(principal.may(scope) for scope in scopes):
        raise Refused(403, f"This key lacks the scope '{scopes[0]}', which this call needs.")
    return principal


async def read_body(request: web.Request, kind: type[_Body], *, most: int | None = None) -> _Body:
    """Read a JSON body strictly; raises `Refused` that names the field."""
    return decode(await raw_body(request, most=most), kind)


async def raw_body(request: web.Request, *, most: int | None = None) -> bytes:
    """Read the bytes of a JSON body, up to a limit."""
    if request.headers.get("Content-Type") != _JSON and request.content_type not in {_JSON, "application/octet-stream"}:
        raise Refused(415, "Send the body as JSON with Content-Type: application/json.")
    limit = most or request.client_max_size
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    try:
        chunk = await request.content.readany()
        if len(chunk) <= limit and request.content.at_eof():  # most bodies come in one piece
            return chunk
        chunks = bytearray(chunk)
        while chunk and len(chunks) <= limit:
            chunk = await request.content.readany()
            chunks += chunk
    except ConnectionResetError:
        raise web.RequestPayloadError("the sender has gone") from None
    if len(chunks) > limit:
        raise _too_large(limit)
    return bytes(chunks)


def _too_large(limit: int) -> Refused:
    return Refused(413, f"The body is larger than {limit} bytes: send it in parts.")


def decode(body: bytes, kind: type[_Body]) -> _Body:
    """Decode JSON into a type; raises `Refused` with a pointer to the field."""
    # The plain search first: it is a hundred times as fast, and hardly any body has what only looks like a NUL.
    if b"\\u0000" in body and _NUL.search(body):
        raise Refused(422, "The body holds the character NUL (\\u0000), which cannot be stored: leave it out.")
    try:
        decoded: _Body = _decoder(kind).decode(body)  # type: ignore[arg-type]  # a type has a hash
    except msgspec.ValidationError as error:
        raise refusal(str(error), kind) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise malformed() from None
    return decoded


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def malformed() -> Refused:
    """Refuse a body that is no JSON at all."""
    return Refused(400, "The body is not well-formed JSON in UTF-8.")


def idempotency_key(request: web.Request) -> str | None:
    """Read the Idempotency-Key header."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not key.isprintable():
        detail = "An Idempotency-Key has 1 to 255 printable characters."
        raise Refused(400, detail, (FieldProblem(pointer="Idempotency-Key", detail=detail),))
    return key


def flag(request: web.Request, name: str) -> bool:
    """Read a yes or no from the query; no when it is not there."""
    value = request.query.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise unprocessable(name, f"{name} is true or false.")
    return value == "true"


class Page(msgspec.Struct, frozen=True):
    """Which part of a list is asked for."""

    after: tuple[Any, ...]
    limit: int


def page_of(request: web.Request, cursor_type: Any) -> Page:
    """Read `cursor` and `limit` from the query; the cursor holds what the list is ordered by, in this tuple type."""
    limit = request.query.get("limit", "100")
    if not _LIMIT.fullmatch(limit) or not 1 <= int(limit) <= MOST_ITEMS:
        raise unprocessable("limit", f"limit is a whole number from 1 to {MOST_ITEMS}.")
    cursor = request.query.get("cursor")
    if cursor is None:
        return Page((), int(limit))
    try:
        return Page(_read_cursor(cursor, cursor_type), int(limit))
    except (ValueError, msgspec.DecodeError):
        raise unprocessable("cursor", "This cursor is not one of ours: take it from links.next.") from None


def _read_cursor(cursor: str, cursor_type: Any) -> tuple[Any, ...]:
    text = base64.b64decode(cursor, altchars=b"-_", validate=True)
    if _NUL.search(text):
        raise ValueError("no list of ours has a NUL in its order")
    after: tuple[Any, ...] = msgspec.json.decode(text, type=cursor_type)
    return after


def next_link(request: web.Request, last: tuple[Any, ...] | None, limit: int) -> PageLinks:
    """Write the address of the following page, which begins after `last`."""
    if last is None:
        return PageLinks(next=None)
    cursor = base64.urlsafe_b64encode(msgspec.json.encode(last)).decode()
    return PageLinks(next=f"{request.rel_url.raw_path}?cursor={cursor}&limit={limit}")


def answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer with JSON."""
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)
