"""What a school's own systems are told of: the types of events and their bodies, which name nobody."""

import datetime as dt
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from gateway.tracking.states import State


class EventType(StrEnum):
    """What can be told: of a notification its milestones, of a delivery the states it can rest in."""

    NOTIFICATION_PLANNED = "notification.planned"
    """Everybody has been decided about."""
    NOTIFICATION_FINISHED = "notification.finished"
    """Nothing more is needed from the gateway; a late bounce may start it again, and then it finishes again."""
    NOTIFICATION_CANCELLED = "notification.cancelled"
    """Withdrawn by the sender; what had left had left."""
    DELIVERY_SENT = "delivery.sent"
    DELIVERY_DELIVERED = "delivery.delivered"
    DELIVERY_FAILED = "delivery.failed"
    DELIVERY_UNKNOWN = "delivery.unknown"
    DELIVERY_EXPIRED = "delivery.expired"
    DELIVERY_CANCELLED = "delivery.cancelled"
    DELIVERY_SUPPRESSED = "delivery.suppressed"


TOLD: Mapping[State, EventType] = {
    state: EventType(f"delivery.{state}")
    for state in (
        State.SENT,
        State.DELIVERED,
        State.FAILED,
        State.UNKNOWN,
        State.EXPIRED,
        State.CANCELLED,
        State.SUPPRESSED,
    )
}
"""States that are told of. Steps on the way are not, nor is a hold: what a person has yet to decide about a family is
the school's own business, and `notification.planned` says how many there are."""


class NotificationNews(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of an event about a notification."""

    notification: str
    status: str
    category: str
    purpose: str
    reference: str | None
    """What the source system gave the notification to know it by, word for word."""
    messages: int
    sent: int
    """Pairs of student and contact, as the three that follow, by what was decided about them."""
    held: int
    excluded: int
    unreachable: int
    deliveries: dict[str, int]
    """How many are in each state."""


class DeliveryNews(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of an event about a delivery."""

    delivery: str
    notification: str
    contact: str
    channel: str
    state: str
    code: str | None
    """Why: a rule's id or the code of an error; null when there is nothing to explain."""
    attempts: int
    carried_by: str | None
    """The delivery that it travelled inside, as both went to the same address."""
    category: str
    purpose: str
    reference: str | None


class _Event(msgspec.Struct, frozen=True):
    type: EventType
    timestamp: dt.datetime
    data: NotificationNews | DeliveryNews


_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}")


def body_of(kind: EventType, at: dt.datetime, data: NotificationNews | DeliveryNews) -> str:
    """Write the body that is posted and signed (Standard Webhooks 1.0.0): a few hundred bytes of ids and codes."""
    return msgspec.json.encode(_Event(kind, at, data)).decode()


def news_of_delivery(row: Any) -> DeliveryNews:
    """Say what became of a delivery: a row with its own columns and its notification's category, purpose, reference.

    Not among them: its address, its language, and the provider's sentence (`detail`).
    """
    return DeliveryNews(
        delivery=row.id,
        notification=row.notification,
        contact=row.contact,
        channel=row.channel,
        state=row.state,
        # A provider's code is whatever the provider says: one that is no code might hold an address.
        code=row.code if row.code is not None and _CODE.fullmatch(row.code) else None,
        attempts=row.attempts,
        carried_by=row.merged_into,
        category=row.category,
        purpose=row.purpose,
        reference=row.reference,
    )


def news_of_notification(row: Any, counts: Mapping[str, Any]) -> NotificationNews:
    """Say how far a notification has come: its row, and what it has been counted to come to."""
    return NotificationNews(
        notification=row.id,
        status=row.status,
        category=row.category,
        purpose=row.purpose,
        reference=row.reference,
        messages=counts["messages"],
        sent=counts["sent"],
        held=counts["held"],
        excluded=counts["excluded"],
        unreachable=counts["unreachable"],
        deliveries=counts["deliveries"],
    )
