"""Reading the JSON columns of stored messages."""

from typing import Any

import msgspec

_TEXTS = msgspec.json.Decoder(tuple[str, ...])


def students_of(message: Any) -> tuple[str, ...]:
    """List the students a message is about, in the order of the answer."""
    return _TEXTS.decode(message.students)


def formats_of(message: Any) -> tuple[str, ...]:
    """List the formats its reader needs."""
    return _TEXTS.decode(message.formats)
