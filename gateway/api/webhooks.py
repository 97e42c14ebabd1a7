"""Webhooks over HTTP: where a school's own systems are told of events, with which secret, and what came of it."""

from typing import Any

from aiohttp import web

from gateway.access import Scope
from gateway.api.answers import Body, Instant, PageLinks, entry
from gateway.api.requests import PRINCIPAL, answer, next_link, page_of, read_body
from gateway.api.route import PAGE, Route
from gateway.dispatch.webhooks.desk import EndpointChange, NewEndpoint, Replay
from gateway.dispatch.webhooks.judging import Disabled, PostOutcome
from gateway.services import SERVICES
from gateway.store.listeners import wanted_of
from gateway.store.webhooks import list_attempts
from gateway.tracking.announcements import EventType


class WebhookEndpoint(Body, frozen=True):
    """Where a school's system is told of events."""

    id: str
    url: str
    events: tuple[EventType, ...] | None
    """Null: of all."""
    created_at: Instant
    created_by: str
    """The key that registered it."""
    disabled_at: Instant | None
    """Since when nothing is posted there; events go on being kept for it, for 30 days."""
    disabled_because: Disabled | None
    failing_since: Instant | None
    """Since when it has taken nothing; after five days it is disabled."""
    rests_until: Instant | None
    """Until when it is left alone, because it failed or asked for it."""


class WebhookEndpoints(Body, frozen=True):
    """Every endpoint of a school."""

    items: tuple[WebhookEndpoint, ...]


class WebhookSecret(Body, frozen=True):
    """An endpoint at the one moment when its secret is told."""

    endpoint: WebhookEndpoint
    secret: str
    """`whsec_` and base64: what verifies the header `webhook-signature` after Standard Webhooks. Shown only here."""


class Replayed(Body, frozen=True):
    """What is sent again."""

    events: int


class WebhookAttempt(Body, frozen=True):
    """One post to an endpoint."""

    event: str
    """The `webhook-id`."""
    type: EventType
    number: int
    """Of at most ten; it begins anew when the event is sent again."""
    at: Instant
    milliseconds: int
    outcome: PostOutcome
    status: int | None
    """What the endpoint answered, if it did."""


class WebhookAttempts(Body, frozen=True):
    """A page of attempts, newest first."""

    items: tuple[WebhookAttempt, ...]
    links: PageLinks


async def post_webhook(request: web.Request) -> web.Response:
    """Register an endpoint, which is told of everything from 5 seconds after; its secret is shown this once.

    Posts are signed after Standard Webhooks 1.0.0 and may come twice or out of order: `webhook-id` tells one from
    another. Bodies are `{type, timestamp, data}`, of ids, states and codes, and name nobody.
    """
    wanted = await read_body(request, NewEndpoint)
    row, secret = await request.app[SERVICES].webhooks.register(request[PRINCIPAL], wanted)
    where = {"Location": f"/v1/webhooks/{row.id}"}
    return answer(WebhookSecret(endpoint=_entry(row), secret=secret), status=201, headers=where)


async def get_webhooks(request: web.Request) -> web.Response:
    """List the school's endpoints, oldest first."""
    rows = await request.app[SERVICES].webhooks.every(request[PRINCIPAL].school)
    return answer(WebhookEndpoints(items=tuple(map(_entry, rows))))


async def get_webhook(request: web.Request) -> web.Response:
    """Show an endpoint and how it fares."""
    return answer(_entry(await request.app[SERVICES].webhooks.one(*_named(request))))


async def patch_webhook(request: web.Request) -> web.Response:
    """Change an endpoint's address, or which events it is told of; what is left out stays."""
    wanted = await read_body(request, EndpointChange)
    return answer(_entry(await request.app[SERVICES].webhooks.change(*_named(request), wanted)))


async def delete_webhook(request: web.Request) -> web.Response:
    """Forget an endpoint with all that was still to be posted there."""
    await request.app[SERVICES].webhooks.remove(*_named(request))
    return web.Response(status=204)


async def rotate_webhook(request: web.Request) -> web.Response:
    """Give an endpoint a new secret, shown this once; for 24 hours the old one signs beside it."""
    row, secret = await request.app[SERVICES].webhooks.rotate(*_named(request))
    return answer(WebhookSecret(endpoint=_entry(row), secret=secret))


async def enable_webhook(request: web.Request) -> web.Response:
    """Post to an endpoint again: what has waited for it meanwhile goes out at once."""
    return answer(_entry(await request.app[SERVICES].webhooks.enable(*_named(request))))


async def replay_webhook(request: web.Request) -> web.Response:
    """Send events of the last 30 days again, by id or by time, each with the `webhook-id` it had."""
    wanted = await read_body(request, Replay)
    return answer(Replayed(events=await request.app[SERVICES].webhooks.replay(*_named(request), wanted)), status=202)


async def get_webhook_attempts(request: web.Request) -> web.Response:
    """List what was posted to an endpoint and what it answered, newest first."""
    services, page = request.app[SERVICES], page_of(request, tuple[int])
    endpoint = await services.webhooks.one(*_named(request))
    async with services.database.reading() as connection:
        rows = await list_attempts(connection, endpoint.id, after=page.after, limit=page.limit)
    last = (rows[-1].id,) if len(rows) == page.limit else None
    items = tuple(
        entry(WebhookAttempt, row, type=EventType(row.type), outcome=PostOutcome(row.outcome)) for row in rows
    )
    return answer(WebhookAttempts(items=items, links=next_link(request, last, page.limit)))


def _named(request: web.Request) -> tuple[str, str]:
    """Give the school that asks and the endpoint it names."""
    return request[PRINCIPAL].school, request.match_info["id"]


def _entry(row: Any) -> WebhookEndpoint:
    because = Disabled(row.disabled_because) if row.disabled_because is not None else None
    return entry(WebhookEndpoint, row, events=wanted_of(row.events), disabled_because=because)


_NONE = {404: "There is no webhook endpoint with this id."}
_NEW = {
    "What was not reached": {
        "url": "https://mis.example.org/webhooks",
        "events": ["delivery.failed", "delivery.expired", "notification.finished"],
    },
    "Everything": {"url": "https://mis.example.org/webhooks"},
}
_AGAIN = {
    "What was missed since the morning": {"since": "2026-06-15T06:00:00Z", "only_missed": True},
    "Two events": {"events": ["06n3v3g0q4a1b2c3d4", "06n3v3g0q4e5f6a7b8"]},
}


WEBHOOK_ROUTES = (
    Route(
        method="POST",
        path="/v1/webhooks",
        serve=post_webhook,
        summary="Register an endpoint",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        body=NewEndpoint,
        answers={201: WebhookSecret},
        answer_headers={"Location": "Where the endpoint is."},
        refusals={409: "There is no directory yet, or the school has 20 endpoints."},
        examples=_NEW,
    ),
    Route(
        method="GET",
        path="/v1/webhooks",
        serve=get_webhooks,
        summary="Who is told of events",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        answers={200: WebhookEndpoints},
    ),
    Route(
        method="GET",
        path="/v1/webhooks/{id}",
        serve=get_webhook,
        summary="One endpoint",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        answers={200: WebhookEndpoint},
        refusals=_NONE,
    ),
    Route(
        method="PATCH",
        path="/v1/webhooks/{id}",
        serve=patch_webhook,
        summary="Change an endpoint",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        body=EndpointChange,
        answers={200: WebhookEndpoint},
        refusals=_NONE,
        examples={"Another address": {"url": "https://mis.example.org/events"}},
    ),
    Route(
        method="DELETE",
        path="/v1/webhooks/{id}",
        serve=delete_webhook,
        summary="Forget an endpoint",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        answers={204: None},
        refusals=_NONE,
    ),
    Route(
        method="POST",
        path="/v1/webhooks/{id}/rotate",
        serve=rotate_webhook,
        summary="Make a new secret",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        answers={200: WebhookSecret},
        refusals={**_NONE, 409: "Five secrets sign already, after as many rotations within a day."},
    ),
    Route(
        method="POST",
        path="/v1/webhooks/{id}/enable",
        serve=enable_webhook,
        summary="Post there again",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        answers={200: WebhookEndpoint},
        refusals=_NONE,
    ),
    Route(
        method="POST",
        path="/v1/webhooks/{id}/replay",
        serve=replay_webhook,
        summary="Send events again",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        body=Replay,
        answers={202: Replayed},
        refusals={**_NONE, 409: "The endpoint is disabled."},
        examples=_AGAIN,
    ),
    Route(
        method="GET",
        path="/v1/webhooks/{id}/attempts",
        serve=get_webhook_attempts,
        summary="What was posted, and what came of it",
        tag="Webhooks",
        scopes=(Scope.ADMIN,),
        parameters=PAGE,
        answers={200: WebhookAttempts},
        refusals=_NONE,
    ),
)
