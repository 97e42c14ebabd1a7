"""What became of a Twilio call, from its status callbacks or from asking: one event a status, in any order. Pure."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from channels.base import Receipt, ReceiptStatus
from channels.voice_conversation import MACHINE, MACHINE_ONLY, Taker, taker_of
from channels.voice_errors import policy_of

STATUSES: Mapping[str, ReceiptStatus] = MappingProxyType(
    {
        "queued": ReceiptStatus.QUEUED,
        "initiated": ReceiptStatus.QUEUED,
        "ringing": ReceiptStatus.SENT,
        "in-progress": ReceiptStatus.ANSWERED,
        # That it was taken and has ended says nothing about what was heard: the conversation tells that.
        "completed": ReceiptStatus.ANSWERED,
        "busy": ReceiptStatus.BUSY,
        "no-answer": ReceiptStatus.NO_ANSWER,
        "failed": ReceiptStatus.FAILED,
        "canceled": ReceiptStatus.CANCELED,
    }
)
"""Twilio's call statuses; what is not here is UNKNOWN."""

_EXPLANATIONS = MappingProxyType(
    {
        "busy": "The line was engaged.",
        "no-answer": "Nobody took the call.",
        "canceled": "The call was withdrawn at the telephone provider before anybody took it.",
    }
)


def call_receipt(provider: str, form: Mapping[str, str], *, delivery: str | None, at: dt.datetime) -> Receipt:
    """Read `CallSid`, `CallStatus`, `AnsweredBy` and `ErrorCode` of a callback or of a call that was asked about."""
    sid, status = form["CallSid"], form["CallStatus"]
    what: dict[str, Any] = {
        "status": STATUSES.get(status, ReceiptStatus.UNKNOWN),
        "again": status in {"busy", "no-answer"},
    }
    if status == "failed":
        what |= _failure(form.get("ErrorCode", ""))
    elif status == "completed" and taker_of(form.get("AnsweredBy", "")) is Taker.MACHINE:
        what |= {"status": ReceiptStatus.NO_ANSWER, "code": MACHINE, "explanation": MACHINE_ONLY, "again": True}
    else:
        what |= {"explanation": _EXPLANATIONS.get(status)}
    return Receipt(
        provider=provider,
        event_id=f"{sid}:{status}",
        at=at,
        delivery=delivery,
        provider_id=sid,
        raw=dict(form),
        **what,
    )


def _failure(code: str) -> dict[str, Any]:
    policy = policy_of(int(code) if code.isdecimal() and code.isascii() else None)
    return {
        "code": code or policy.code,
        "explanation": policy.explanation,
        "reason": policy.reason,
        "address_dead": policy.address_dead,
        "again": policy.again,
    }
