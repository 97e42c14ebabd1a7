"""Addresses that providers called dead: used again after a provider's bad day (R34)."""

from typing import Annotated

import msgspec
from aiohttp import web

from gateway.access import Scope
from gateway.api.answers import Body, Instant
from gateway.api.requests import PRINCIPAL, answer, read_body
from gateway.api.route import Route
from gateway.directory.model import ChannelName
from gateway.dispatch.refusals import unprocessable
from gateway.services import SERVICES
from gateway.store.marks import lift_dead_marks


class Lifting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which addresses are to be used again, and why."""

    channel: ChannelName
    since: Instant
    """When the provider began to be wrong."""
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    """For the record; names nobody."""
    domain: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.-]{1,253}$")] | None = None
    """Of mailboxes only those at this domain."""


class Lifted(Body, frozen=True):
    """How many addresses are used again."""

    lifted: int


async def post_lifting(request: web.Request) -> web.Response:
    """Forget what was learnt of addresses since an instant; messages that failed meanwhile are not sent again."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    wanted = await read_body(request, Lifting)
    if wanted.domain is not None and wanted.channel is not ChannelName.EMAIL:
        raise unprocessable("/domain", "Only mailboxes have a domain: leave it out, or choose the channel email.")
    note = {
        "by": principal.key,
        "reason": wanted.reason,
        "channel": wanted.channel,
        "since": wanted.since,
        "domain": wanted.domain,
    }
    async with services.database.writing() as connection:
        lifted = await lift_dead_marks(
            connection,
            principal.school,
            wanted.channel,
            since=wanted.since,
            domain=wanted.domain.casefold() if wanted.domain else None,
            note=note,
            at=services.now(),
        )
    return answer(Lifted(lifted=lifted))


MARK_ROUTES = (
    Route(
        method="POST",
        path="/v1/address-marks/lift",
        serve=post_lifting,
        summary="Use addresses again that a provider wrongly called dead",
        tag="Directory",
        scopes=(Scope.ADMIN,),
        body=Lifting,
        answers={200: Lifted},
        examples={
            "A mail provider refused everybody for an hour": {
                "channel": "email",
                "since": "2026-11-23T09:00:00+00:00",
                "domain": "mail.example.org",
                "reason": "The provider has said that it refused healthy mailboxes.",
            }
        },
    ),
)
