"""What providers said of one delivery, in our words and, as far as it names nobody, in theirs."""

from typing import Any

from aiohttp import web

from channels.base import ReceiptStatus, RejectReason
from channels.redaction import redacted
from gateway.access import Scope
from gateway.api.answers import Body, Instant
from gateway.api.requests import PRINCIPAL, answer
from gateway.api.route import Route
from gateway.dispatch.refusals import Refused
from gateway.services import SERVICES
from gateway.store.notifications import find_notification
from gateway.store.receipts import Event, find_delivery, list_events

MOST_EVENTS = 500
"""A delivery has two to ten; whoever sends more is told about at once."""


class DeliveryEvent(Body, frozen=True):
    """One piece of a provider's news."""

    at: Instant
    """When it happened, by the provider's clock where it says so."""
    received_at: Instant
    provider: str
    provider_id: str | None
    status: ReceiptStatus
    reason: RejectReason | None
    code: str | None
    explanation: str | None
    raw: dict[str, Any]
    """The provider's own words: statuses, codes, ids and times as they came; of all else only how long it is."""


class DeliveryEvents(Body, frozen=True):
    """What providers said of one delivery, oldest first."""

    items: tuple[DeliveryEvent, ...]


async def get_delivery_events(request: web.Request) -> web.Response:
    """List what providers said of a delivery."""
    school = request[PRINCIPAL].school
    async with request.app[SERVICES].database.reading() as connection:
        notification = await find_notification(connection, school, request.match_info["id"])
        if notification is None:
            raise Refused(404, "There is no notification with this id.")
        delivery = await find_delivery(connection, notification.id, request.match_info["delivery"])
        if delivery is None:
            raise Refused(404, "The notification has no delivery with this id.")
        # What travels inside another has no news of its own.
        told = await list_events(connection, delivery.merged_into or delivery.id, limit=MOST_EVENTS)
    return answer(DeliveryEvents(items=tuple(_entry(event) for event in told)))


def _entry(event: Event) -> DeliveryEvent:
    receipt = event.receipt
    return DeliveryEvent(
        at=receipt.at,
        received_at=event.received_at,
        provider=receipt.provider,
        provider_id=receipt.provider_id,
        status=receipt.status,
        reason=receipt.reason,
        code=redacted({"code": receipt.code})["code"],
        explanation=receipt.explanation,
        raw=redacted(receipt.raw),
    )


DELIVERY_EVENT_ROUTES = (
    Route(
        method="GET",
        path="/v1/notifications/{id}/deliveries/{delivery}/events",
        serve=get_delivery_events,
        summary="What providers said of one delivery",
        tag="Notifications",
        scopes=(Scope.READ,),
        answers={200: DeliveryEvents},
        refusals={404: "There is no such delivery."},
    ),
)
