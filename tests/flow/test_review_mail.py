"""Review findings at the edges: a mail without a recipient, and requests that wait for a commit."""

import asyncio
from collections.abc import Sequence

from channels.base import Envelope, Mail
from channels.smtp_dialogue import Dialogue
from channels.smtp_parties import Way
from channels.smtp_queue import Batch, Parcel
from channels.smtp_reading import ReplyReader
from channels.smtp_wire import Extensions
from gateway.dispatch.group_commit import GroupCommit


class Work:
    """Has one mail."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcels = [parcel]

    def take(self) -> Parcel | None:
        """Give it once."""
        return self._parcels.pop() if self._parcels else None

    def put_back(self, parcels: Sequence[Parcel]) -> None:
        """Take it back."""
        self._parcels += parcels

    def flowing(self, *, behind: bool) -> None:
        """Hear nothing."""

    def doubt(self, *, certain: bool) -> None:
        """Hear nothing."""


class Wire:
    """Swallows what is written."""

    writable = True

    def write(self, data: bytes) -> None:
        """Swallow."""

    def write_slowly(self, data: bytes | memoryview) -> None:
        """Swallow."""

    def cut(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


async def test_a_refused_recipient_is_no_acceptance_whatever_the_content_is_answered() -> None:
    """RCPT is refused, and the server takes the chunk all the same to throw it away: nobody gets the mail."""
    batch = Batch("smtp")
    mail = Mail(
        sender="school@example.org", recipient="gone@example.org", message_id="<1@x>", content=b"A: b\r\n\r\nHello\r\n"
    )
    parcel = batch.expect(Envelope(delivery="one", payload=mail), mail)
    dialogue = Dialogue(Work(parcel), Wire(), Extensions(pipelining=True, chunking=True), Way.CHUNKED, most=10)
    dialogue.pump()
    for reply in ReplyReader().feed(b"250 ok\r\n550 5.1.1 no such user\r\n250 2.0.0 discarded\r\n"):
        dialogue.hear(reply)
    (answer,) = await batch.arrived()
    assert answer.error is not None
    assert answer.error.address_dead


async def test_who_waits_for_the_next_commit_is_answered_although_waking_failed() -> None:
    """The queue is being closed: what was asked for meanwhile is still committed, and nobody hangs."""
    go = asyncio.Event()

    async def commit(items: Sequence[int]) -> Sequence[int | Exception]:
        await go.wait()
        return list(items)

    async def wake(_answers: Sequence[int]) -> None:
        raise RuntimeError("closed")

    group = GroupCommit(commit, wake)
    first = asyncio.ensure_future(group.take(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.ensure_future(group.take(2))
    await asyncio.sleep(0)
    go.set()
    assert await first == 1
    async with asyncio.timeout(1):
        assert await second == 2
