"""Ids: ordered by time where they are new, derived where the same thing must get the same id again."""

import datetime as dt
import hashlib
import secrets

_TIME_LENGTH = 10
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
"""Of base32hex (RFC 4648), which sorts like the number it writes."""
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_SHIFTS = range(120, -1, -10)
"""Thirteen pairs of digits, of ten bits each."""


def new_id(now: dt.datetime) -> str:
    """Make an id of 26 letters and digits that sorts by time (48 bits of milliseconds, 80 random bits)."""
    number = (int(now.timestamp() * 1000) << 80 | secrets.randbits(80)) << 2
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def derived_id(parent: str, *parts: str) -> str:
    """Derive an id from the parent's time and a hash of the parts.

    Planning a chunk twice gives the same ids, so that the primary key refuses a doubled message; ids of one
    notification stay together in the index.
    """
    digest = hashlib.blake2b("\x1f".join((parent, *parts)).encode(), digest_size=12).hexdigest()
    return parent[:_TIME_LENGTH] + digest
