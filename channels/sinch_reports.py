"""What Sinch tells, in our words: delivery reports, pushed or asked for, and answers by text. Pure."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from channels.base import Inbound, Incoming, Receipt, ReceiptStatus
from channels.errors import ReceiptRefusedError
from channels.sinch_errors import failure_of

PROVIDER = "sinch"

STATUSES: Mapping[str, ReceiptStatus] = MappingProxyType(
    {
        "Queued": ReceiptStatus.QUEUED,
        "Dispatched": ReceiptStatus.SENT,
        "Delivered": ReceiptStatus.DELIVERED,
        "Aborted": ReceiptStatus.REJECTED,
        "Rejected": ReceiptStatus.REJECTED,
        "Cancelled": ReceiptStatus.CANCELED,
        "Deleted": ReceiptStatus.BOUNCED,
        "Failed": ReceiptStatus.BOUNCED,
        "Expired": ReceiptStatus.EXPIRED,
        # The network has it and will never say more: no more than sent, and no less.
        "Unknown": ReceiptStatus.SENT,
    }
)
"""Sinch's delivery statuses; what is not here is UNKNOWN."""

UNDER_WAY = frozenset({ReceiptStatus.QUEUED, ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.UNKNOWN})
"""News of a text that arrived or still may; after any other the text will not arrive."""


_ANSWERS = frozenset({"mo_text", "mo_binary", "mo_media"})


def news_in(report: Mapping[str, Any], now: dt.datetime) -> list[Incoming]:
    """Read a believed callback; raises `ReceiptRefusedError` for one that lacks what Sinch always tells.

    Reports of kinds that this gateway never asks for are passed over.
    """
    kind = _told(report, "type")
    if kind in _ANSWERS:
        return [_answer(report, now)]
    if kind == "recipient_delivery_report_sms":
        return [_receipt(report, _told(report, "batch_id"), _time_of(report, "at", now), now)]
    return []


def news_in_summary(report: Mapping[str, Any], batch: str, now: dt.datetime) -> list[Receipt]:
    """Read the delivery report of one batch as Sinch gives it when asked: without a time, by status.

    Our batches have one recipient, so there is one status. Raises ValueError for what is no such report.
    """
    statuses = report.get("statuses")
    if not isinstance(statuses, Sequence) or not all(text_of(status, "status") for status in statuses):
        raise ValueError("Not a delivery report.")
    reference = {"client_reference": report.get("client_reference")}
    return [_receipt({**status, **reference}, batch, now, now) for status in statuses]


def text_of(report: Any, name: str) -> str:
    """Read a text that may be missing: then it is empty."""
    found = report.get(name) if isinstance(report, dict) else None
    return found if isinstance(found, str) else ""


def _receipt(report: Mapping[str, Any], batch: str, at: dt.datetime, now: dt.datetime) -> Receipt:
    """Put a delivery report into our words; the same news has the same event id, however it came."""
    status, code = _told(report, "status"), report.get("code")
    known = code if isinstance(code, int) and not isinstance(code, bool) else None
    failure = failure_of(known)
    return Receipt(
        provider=PROVIDER,
        event_id=f"{batch}:{status}:{'' if known is None else known}",
        status=STATUSES.get(status, ReceiptStatus.UNKNOWN),
        at=min(at, now),
        delivery=text_of(report, "client_reference") or None,
        provider_id=batch,
        reason=failure.reason if failure else None,
        code=str(known) if failure else None,
        explanation=failure.explanation if failure else None,
        address_dead=failure.address_dead if failure else False,
        again=failure.again if failure else False,
        raw=dict(report),
    )


def _answer(report: Mapping[str, Any], now: dt.datetime) -> Inbound:
    """Read what somebody texted; of pictures and ring tones it is only told that they came."""
    is_text = report["type"] == "mo_text"
    return Inbound(
        provider=PROVIDER,
        event_id=_told(report, "id"),
        at=min(_time_of(report, "received_at", now), now),
        sender=e164(_told(report, "from")),
        recipient=e164(_told(report, "to")),
        body=text_of(report, "body") if is_text else "",
        delivery=text_of(report, "client_reference") or None,
        cut=not is_text,
    )


def _told(report: Mapping[str, Any], name: str) -> str:
    """Read a text that a report must have."""
    if found := text_of(report, name):
        return found
    raise ReceiptRefusedError(400, f"The report has no {name}.")


def _time_of(report: Mapping[str, Any], name: str, now: dt.datetime) -> dt.datetime:
    """Read a time; what is none, or too far off to be reckoned with, is now."""
    try:
        found = dt.datetime.fromisoformat(text_of(report, name))
        return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        return now


def e164(number: str) -> str:
    """Write a number with the plus that Sinch leaves out; short codes and names stay as they are."""
    return f"+{number}" if re.fullmatch(r"[1-9]\d{6,14}", number, re.ASCII) else number
