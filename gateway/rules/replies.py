"""R40: a reply belongs to one contact and one message; nobody but staff and that contact ever reads it."""

import hashlib
from collections.abc import Iterable

import msgspec


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """What one contact and the school write to each other about one message."""

    message: str
    contact: str

    @property
    def key(self) -> str:
        """Name the thread: 128 bits that tell nothing and that no other contact's thread shares."""
        parts = f"{len(self.message)}:{self.message}:{self.contact}"
        return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was written in a thread."""

    id: str
    thread: Thread


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to read: a member of staff in that role, or a contact."""

    contact: str | None = None
    """None for staff. A parent who works at the school reads as a contact what is sent home (R27)."""


def may_read(reply: Reply, reader: Reader) -> bool:
    """Tell whether a reader may see a reply, or that there is one; living together makes no difference."""
    return reader.contact is None or reader.contact == reply.thread.contact


def readable(replies: Iterable[Reply], reader: Reader) -> tuple[Reply, ...]:
    """Leave out the replies that a reader must not know of."""
    return tuple(reply for reply in replies if may_read(reply, reader))


def takes_replies(*, neutral: bool, apart: bool) -> bool:
    """Tell whether a delivery may carry a reply address.

    Not where people who live apart read the same mail (R26, R29): nobody could tell whose the answer is.
    """
    return not (neutral or apart)
