"""A request on its way into the database, and the rows that it becomes."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.access import Principal
from gateway.dispatch.library import Text
from gateway.dispatch.requests import Lane, NotificationRequest, NotificationStatus

ENDPOINT = "notifications"
"""Idempotency keys are told apart by it."""

_LIFETIMES = {
    Lane.EMERGENCY: dt.timedelta(hours=12),
    Lane.STANDARD: dt.timedelta(days=7),
    Lane.BULK: dt.timedelta(days=7),
}
"""How long deliveries are tried when the request does not say; an alert of yesterday only frightens."""


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One request on its way into the database."""

    id: str
    """Of the notification it becomes."""
    principal: Principal
    request: NotificationRequest
    lane: Lane
    key: str | None
    document: str
    """The request as it is stored: equal requests have equal documents."""
    answer: bytes
    """What is said when it is taken."""
    at: dt.datetime
    traceparent: str | None
    """Where in a trace it was posted."""

    @property
    def school(self) -> str:
        """The school it is for."""
        return self.principal.school

    @property
    def body_hash(self) -> str:
        """Tell later whether the same key came with the same request."""
        return hashlib.sha256(self.document.encode()).hexdigest()


def row_of(posting: Posting, text: Text) -> dict[str, Any]:
    """Write the notification that a posting becomes."""
    request, now = posting.request, posting.at
    send_at = max(request.send_at or now, now)
    return {
        "id": posting.id,
        "school": posting.school,
        "category": request.category.value,
        "purpose": request.purpose.value,
        "lane": posting.lane.value,
        "status": NotificationStatus.ACCEPTED.value,
        "request": posting.document,
        "sources": msgspec.json.encode(dict(text.sources)).decode(),
        "traceparent": posting.traceparent,
        "reference": request.reference,
        "created_by": posting.principal.key,
        "created_at": now,
        "send_at": send_at,
        "expires_at": request.expires_at or send_at + _LIFETIMES[posting.lane],
        "respond_by": request.respond_by,
        "cursor": "",
    }


def kept_answer_of(posting: Posting) -> dict[str, Any]:
    """Write down what is said again when the key of a posting comes back."""
    return {
        "school": posting.school,
        "endpoint": ENDPOINT,
        "key": posting.key,
        "body_hash": posting.body_hash,
        "status": 202,
        "answer": posting.answer.decode(),
        "notification": posting.id,
        "created_at": posting.at,
    }


def answer_of(identifier: str) -> bytes:
    """Say that a notification was taken, and where to ask about it."""
    base = f"/v1/notifications/{identifier}"
    links: Mapping[str, str] = {
        "self": base,
        "decisions": f"{base}/decisions",
        "deliveries": f"{base}/deliveries",
        "cancel": f"{base}/cancel",
    }
    return msgspec.json.encode({"id": identifier, "status": NotificationStatus.ACCEPTED, "links": links})
