"""One open connection: takes the transport over from aiosmtplib and carries a dialogue over it."""

import asyncio
from dataclasses import replace
from typing import Protocol, cast

import aiosmtplib

from channels.smtp_dialogue import Dialogue
from channels.smtp_parties import Way, Work
from channels.smtp_reading import ReplyReader
from channels.smtp_wire import offered


class Owner(Work, Protocol):
    """The pool, as its connections know it."""

    def gone(self, connection: "SmtpConnection") -> None:
        """Hear that a connection has ended."""


class SmtpConnection(asyncio.Protocol):
    """A protocol without tasks: replies come in by callback, and what follows leaves in the same one."""

    dialogue: Dialogue

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport
        self._time = asyncio.get_running_loop().time
        self._replies = ReplyReader()
        self._over = False
        self._paused = False
        self._slowly = False
        """The transport tells when it has sent all, not only when it has room again."""
        self._backlog = 0
        self.broke = False
        """It ended while mails were under way."""
        self.active_at = self._time()
        """When the server was last heard or written to, on the event loop's clock."""

    @classmethod
    def over(
        cls, client: aiosmtplib.SMTP, owner: Owner, *, pipelining: bool, notices: bool, most: int
    ) -> "SmtpConnection":
        """Go on where aiosmtplib has opened a connection, in the fastest way that server and caller allow."""
        connection = cls(owner)
        extensions = offered(client)
        extensions = replace(extensions, notices=notices and extensions.notices)
        way = Way.STEPWISE
        if pipelining and extensions.pipelining:
            way = Way.CHUNKED if extensions.chunking else Way.PIPELINED
        connection.dialogue = Dialogue(owner, connection, extensions, way, most=most)
        if client.transport is None:
            raise ConnectionResetError("The connection was lost while it was taken over.")
        # uvloop's transports have the methods of asyncio's, but not their type.
        connection._transport = cast("asyncio.Transport", client.transport)
        connection._transport.set_protocol(connection)
        return connection

    @property
    def writable(self) -> bool:
        """Whether more may be written now."""
        return not (self._over or self._paused or self._transport.is_closing())

    @property
    def parting(self) -> bool:
        """Whether only its end is waited for."""
        return self._over or self.dialogue.parting

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.active_at = self._time()
        self._transport.write(data)

    def write_slowly(self, data: bytes | memoryview) -> None:
        """Send many bytes, and tell the dialogue when they have left for the operating system."""
        self._slowly = True
        self._transport.set_write_buffer_limits(high=0)
        self.write(data)  # type: ignore[arg-type]  # transports take memoryviews, too
        if not self._paused:
            self._have_left()

    def cut(self, *, timed_out: bool = False) -> None:
        """End the connection at once, after settling what is under way."""
        self._over = True
        self.broke |= self.dialogue.settle(timed_out=timed_out)
        self._transport.abort()

    def close(self) -> None:
        """End the connection when all has left."""
        self._over = True
        self._transport.close()

    def is_silent(self, seconds: float) -> bool:
        """Tell whether the server has been silent for so long; that it still reads counts as a sign of life."""
        now = self._time()
        backlog, self._backlog = self._backlog, self._transport.get_write_buffer_size()
        if self._backlog < backlog:
            self.active_at = now
        return now - self.active_at > seconds

    def data_received(self, data: bytes) -> None:
        """Read replies."""
        self.active_at = self._time()
        for reply in self._replies.feed(data):
            if self._over:
                return
            self.dialogue.hear(reply)

    def connection_lost(self, _error: Exception | None) -> None:
        """Settle what was under way."""
        self._over = True
        self.broke |= self.dialogue.settle()
        self._owner.gone(self)

    def pause_writing(self) -> None:
        """Hear that the server reads slower than we write."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on after a pause."""
        self._paused = False
        if self._over:
            return
        if self._slowly:
            self._have_left()
        else:
            self.dialogue.pump()

    def _have_left(self) -> None:
        self._slowly = False
        self._transport.set_write_buffer_limits()
        self.dialogue.left()
