"""Sinch's callback signature: who called, and when, is settled before anybody looks at what was said."""

import base64
import datetime as dt
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from channels.base import CallbackRequest
from channels.errors import ReceiptRefusedError

LARGEST_BODY = 65_536
"""Bytes; a delivery report has about 300, an answer by text seldom more than 2,000."""

WINDOW = dt.timedelta(minutes=5)
"""How far the time of a signature may be from now, so that nobody plays an old callback again."""

HEADER = "x-sinch-webhook-signature"
ALGORITHM = "HmacSHA256"


def signature(secret: str, body: bytes, nonce: str, timestamp: str) -> str:
    """Sign a body: base64 of HMAC-SHA256 over body, nonce and time, with dots between them."""
    signed = b".".join((body, nonce.encode(), timestamp.encode()))
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def believed_report(request: CallbackRequest, secret: str, now: dt.datetime) -> Mapping[str, Any]:
    """Return the JSON object of a callback that Sinch signed just now; raises `ReceiptRefusedError` for any other."""
    given, nonce, timestamp, algorithm = (
        request.headers.get(HEADER + part, "") for part in ("", "-nonce", "-timestamp", "-algorithm")
    )
    if not (given and nonce and timestamp):
        raise ReceiptRefusedError(403, "The headers of Sinch's signature are missing.")
    if algorithm not in {"", ALGORITHM}:
        raise ReceiptRefusedError(403, f"The signature must be made with {ALGORITHM}.")
    if len(request.body) > LARGEST_BODY:
        raise ReceiptRefusedError(413, f"The body is longer than {LARGEST_BODY} bytes.")
    expected = signature(secret, request.body, nonce, timestamp)
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise ReceiptRefusedError(403, "The signature does not fit the body, the nonce and the time.")
    if not _is_recent(timestamp, now):
        raise ReceiptRefusedError(403, "The signature is too old, or this machine's clock is wrong.")
    return _object_in(request.body)


def _is_recent(timestamp: str, now: dt.datetime) -> bool:
    """Compare Unix seconds with now; what is no number is long ago."""
    seconds = int(timestamp) if timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12 else 0
    return abs(now.timestamp() - seconds) <= WINDOW.total_seconds()


def _object_in(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise ReceiptRefusedError(400, "The body is not JSON in UTF-8.") from None
    if not isinstance(found, dict):
        raise ReceiptRefusedError(400, "The body is not a JSON object.")
    return found
