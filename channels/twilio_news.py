"""What Twilio tells of texts, in our words: status callbacks, message resources, and texts that people send. Pure."""

import datetime as dt
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from channels.base import Inbound, Receipt, ReceiptStatus
from channels.errors import ReceiptRefusedError
from channels.twilio_errors import policy_of

PROVIDER = "twilio"

STATUSES: Mapping[str, ReceiptStatus] = MappingProxyType(
    {
        "accepted": ReceiptStatus.QUEUED,
        "scheduled": ReceiptStatus.QUEUED,
        "queued": ReceiptStatus.QUEUED,
        "sending": ReceiptStatus.QUEUED,
        "sent": ReceiptStatus.SENT,
        # Some segments are missing: less than delivered, and final news may follow.
        "partially_delivered": ReceiptStatus.SENT,
        "delivered": ReceiptStatus.DELIVERED,
        "undelivered": ReceiptStatus.BOUNCED,
        "failed": ReceiptStatus.FAILED,
        "read": ReceiptStatus.READ,
        "canceled": ReceiptStatus.CANCELED,
    }
)
"""Twilio's message statuses; what is not here is UNKNOWN."""

OBEYED = frozenset(
    "stop stopall unsubscribe cancel end quit revoke optout start yes unstop help info".split()  # noqa: SIM905  # one table
)
"""Whole messages that Twilio itself obeys and confirms, unless that was turned off."""

_LONGEST_CODE = 40
_RECEIVED = frozenset({"receiving", "received"})
_SID = re.compile(r"[A-Za-z0-9]{1,64}")
_STATUS = re.compile(r"[A-Za-z_-]{1,40}")


def is_inbound(form: Mapping[str, str]) -> bool:
    """Tell a text that somebody sent from news of one of ours."""
    return "MessageStatus" not in form and form.get("SmsStatus") in _RECEIVED


def told_receipt(form: Mapping[str, str], delivery: str | None, *, at: dt.datetime) -> Receipt:
    """Read the believed form of a status callback; raises `ReceiptRefusedError` for any other."""
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    status = form.get("MessageStatus") or form.get("SmsStatus") or ""
    if not _SID.fullmatch(sid) or not _STATUS.fullmatch(status):
        raise ReceiptRefusedError(400, "MessageSid or MessageStatus is missing.")
    return _receipt(sid, status, _stored(form.get("ErrorCode", ""))[:_LONGEST_CODE], delivery, form, at)


def asked_receipt(message: Any, sid: str, *, at: dt.datetime) -> Receipt | None:
    """Read the resource of a message: the same event as the callback that tells the same; either may come first.

    None when it is about another message, or makes no sense.
    """
    status, code = message.status, message.error_code
    if message.sid != sid or not isinstance(status, str) or not _STATUS.fullmatch(status):
        return None
    return _receipt(sid, status, str(code) if isinstance(code, int) else "", None, {"asked": True}, at)


def inbound_text(form: Mapping[str, str], *, at: dt.datetime, urgent: bool | None, answers_stop: bool) -> Inbound:
    """Read the believed form of a text that somebody sent; raises `ReceiptRefusedError` for one without its id.

    Pictures stay at Twilio: the text says by `cut` that there was more.
    """
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    if not _SID.fullmatch(sid):
        raise ReceiptRefusedError(400, "MessageSid is missing.")
    body, keyword = _stored(form.get("Body", "")), form.get("OptOutType", "").lower()
    return Inbound(
        provider=PROVIDER,
        event_id=f"{sid}:received",
        at=at,
        sender=_stored(form.get("From", "")),
        recipient=_stored(form.get("To", "")),
        body=body,
        handled=bool(keyword) or (answers_stop and body.strip().lower() in OBEYED),
        keyword=keyword or None,
        urgent=urgent,
        cut=form.get("NumMedia", "0") not in {"", "0"},
    )


def _receipt(
    sid: str, status: str, code: str, delivery: str | None, raw: Mapping[str, Any], at: dt.datetime
) -> Receipt:
    policy = policy_of(int(code)) if code.isascii() and code.isdecimal() and int(code) else None
    known = STATUSES.get(status, ReceiptStatus.UNKNOWN)
    return Receipt(
        provider=PROVIDER,
        event_id=f"{sid}:{status}",
        status=known,
        at=at,
        delivery=delivery,
        provider_id=sid,
        reason=policy.reason if policy else None,
        code=code or None,
        explanation=policy.explanation if policy else None,
        address_dead=policy.address_dead if policy else False,
        again=policy is not None and policy.again,
        raw=raw,
    )


def _stored(text: str) -> str:
    """Leave out NUL, which no database stores."""
    return text.replace("\0", "")
