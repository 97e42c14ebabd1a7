"""Lob's webhooks: who called is settled before anybody looks at what was said; then each event in our words."""

import datetime as dt
import hmac
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from channels.base import CallbackRequest, Receipt, ReceiptStatus
from channels.errors import ReceiptRefusedError

TOLERANCE = dt.timedelta(minutes=5)
"""A webhook signed longer ago is a replay."""

LARGEST_BODY = 262_144

STATUSES: Mapping[str, ReceiptStatus] = MappingProxyType(
    {
        "created": ReceiptStatus.QUEUED,
        "rendered_pdf": ReceiptStatus.QUEUED,
        "rendered_thumbnails": ReceiptStatus.QUEUED,
        "mailed": ReceiptStatus.IN_TRANSIT,
        "in_transit": ReceiptStatus.IN_TRANSIT,
        "in_local_area": ReceiptStatus.IN_TRANSIT,
        "processed_for_delivery": ReceiptStatus.IN_TRANSIT,
        "pickup_available": ReceiptStatus.IN_TRANSIT,
        "re-routed": ReceiptStatus.DEFERRED,
        "delivered": ReceiptStatus.DELIVERED,
        "returned_to_sender": ReceiptStatus.RETURNED,
        "failed": ReceiptStatus.FAILED,
        "deleted": ReceiptStatus.CANCELED,
    }
)
"""By the event's name without `letter.` and `certified.`; what is not here is UNKNOWN."""

_EXPLANATIONS = MappingProxyType(
    {
        "re-routed": "The post forwards the letter to another address.",
        "returned_to_sender": "The post brought the letter back.",
        "failed": "The print house could not print or post the letter.",
        "deleted": "The letter was withdrawn at the print house.",
    }
)
_SHORT = re.compile(r"[\w.-]{1,100}", re.ASCII)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign a webhook: hexadecimal HMAC-SHA256 over its timestamp, a dot and its body."""
    return hmac.digest(secret.encode(), timestamp.encode() + b"." + body, "sha256").hex()


def believed_event(request: CallbackRequest, secret: str, now: dt.datetime) -> Mapping[str, Any]:
    """Return the event of a webhook that Lob signed just now; raises `ReceiptRefusedError` for any other."""
    given, timestamp = request.headers.get("lob-signature", ""), request.headers.get("lob-signature-timestamp", "")
    if not given or not timestamp:
        raise ReceiptRefusedError(403, "The header Lob-Signature or Lob-Signature-Timestamp is missing.")
    if len(request.body) > LARGEST_BODY:
        raise ReceiptRefusedError(413, f"The body is longer than {LARGEST_BODY} bytes.")
    if not hmac.compare_digest(signature(secret, timestamp, request.body).encode(), given.encode()):
        raise ReceiptRefusedError(403, "The signature does not fit the timestamp and the body.")
    if abs(now - _instant(timestamp)) > TOLERANCE:
        raise ReceiptRefusedError(403, "The webhook was signed too long ago.")
    try:
        event = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ReceiptRefusedError(400, "The body is not JSON in UTF-8.") from None
    if not isinstance(event, dict):
        raise ReceiptRefusedError(400, "The body is not an event.")
    return event


def receipt_of(provider: str, event: Mapping[str, Any], now: dt.datetime) -> Receipt:
    """Read an event; raises `ReceiptRefusedError` when it names neither itself nor its letter."""
    kind, letter = _mapping(event.get("event_type")).get("id"), _mapping(event.get("body"))
    name = letter.get("id") or event.get("reference_id")
    if not (_is_short(event.get("id")) and _is_short(kind) and _is_short(name)):
        raise ReceiptRefusedError(400, "The event's id, event_type or body.id is missing.")
    what = str(kind).removeprefix("letter.").removeprefix("certified.")
    status = STATUSES.get(what, ReceiptStatus.UNKNOWN)
    delivery = _mapping(letter.get("metadata")).get("delivery")
    return Receipt(
        provider=provider,
        event_id=str(event["id"]),
        status=status,
        at=_date(event.get("date_created"), now),
        delivery=delivery if isinstance(delivery, str) else None,
        provider_id=str(name),
        code=what[:40] if status is ReceiptStatus.UNKNOWN or what in _EXPLANATIONS else None,
        explanation=_EXPLANATIONS.get(what),
        address_dead=status is ReceiptStatus.RETURNED,
        # The rest of the letter is its address: nobody needs that a second time.
        raw={
            "id": event["id"],
            "event_type": kind,
            "reference_id": name,
            "date_created": event.get("date_created"),
            "tracking_number": letter.get("tracking_number"),
        },
    )


def _instant(timestamp: str) -> dt.datetime:
    """Read the milliseconds that Lob signs with."""
    if not re.fullmatch(r"\d{10,13}", timestamp, re.ASCII):
        raise ReceiptRefusedError(403, "The header Lob-Signature-Timestamp is no timestamp.")
    return dt.datetime.fromtimestamp(int(timestamp) / (1000 if len(timestamp) > 11 else 1), dt.UTC)


def _date(value: object, now: dt.datetime) -> dt.datetime:
    """Read when it happened; an event without a date, or from the future, happened now."""
    try:
        at = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return now
    return min(at, now) if at.tzinfo is not None else now


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_short(value: object) -> bool:
    return isinstance(value, str) and _SHORT.fullmatch(value) is not None
