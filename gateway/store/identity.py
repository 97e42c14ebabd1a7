"""Ids: ordered by time where they are new, derived where the same thing must get the same id again."""

import base64
import datetime as dt
import hashlib
import secrets

_TIME_BYTES = 6
_TIME_LENGTH = 10


def new_id(now: dt.datetime) -> str:
    """Make an id of 26 letters and digits that sorts by time (48 bits of milliseconds, 80 random bits)."""
    milliseconds = int(now.timestamp() * 1000)
    return _base32(milliseconds.to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(10))


def derived_id(parent: str, *parts: str) -> str:
    """Derive an id from the parent's time and a hash of the parts.

    Planning a chunk twice gives the same ids, so that the primary key refuses a doubled message; ids of one
    notification stay together in the index.
    """
    digest = hashlib.blake2b("\x1f".join((parent, *parts)).encode(), digest_size=12).hexdigest()
    return parent[:_TIME_LENGTH] + digest


def _base32(raw: bytes) -> str:
    """Write base32hex in lower case: it sorts like the bytes do."""
    return base64.b32hexencode(raw).decode().rstrip("=").lower()
