"""One connection of the mail server, bounded in what aiosmtpd leaves open: a mail's memory, and who holds a place."""

import asyncio
import ssl
from asyncio import LimitOverrunError
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from gateway.mail_server.desk import MailDesk

_COMMANDS = 2_000
"""Of one kind on one connection."""
_COMMAND = 1_000
"""Bytes of a command: addresses in other scripts take up to 700, and reading one takes the square of its length."""
_LINE = 65_536
"""Bytes read at a time; mails have lines as long as they like."""


class _CommandSizes(dict[str, int]):
    """The same for every command; aiosmtpd would raise it a little with every greeting, of whomever."""

    def __missing__(self, _command: str) -> int:
        """Give the size of a command."""
        return _COMMAND

    def __setitem__(self, _command: str, _size: int) -> None:
        """Keep it."""


class Conversation(SMTP):
    """One connection, with what aiosmtpd does not bound: a mail's memory, and how many talk at once."""

    line_length_limit = _LINE
    command_size_limits = _CommandSizes()

    def __init__(
        self,
        desk: MailDesk,
        others: "set[Conversation]",
        *,
        name: str,
        tls: ssl.SSLContext | None,
        idle_seconds: float,
    ) -> None:
        super().__init__(
            desk,
            data_size_limit=None,
            enable_SMTPUTF8=True,
            hostname=name,
            ident="School Messaging Gateway",
            tls_context=tls,
            timeout=idle_seconds,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            command_call_limit=_COMMANDS,
            loop=asyncio.get_running_loop(),
        )
        self._desk = desk
        self._others = others
        self.began = self.loop.time()
        self.idle, self.ended = asyncio.Event(), asyncio.Event()
        """While no mail is being taken in; once the connection is gone."""
        self.idle.set()

    @property
    def loiters(self) -> bool:
        """Whether it has named nobody who is here."""
        return self.idle.is_set() and not (self.envelope and self.envelope.rcpt_tos)

    def connection_made(self, transport: Any) -> None:
        """Begin; the second time, begin anew below TLS."""
        self._others.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._others.discard(self)
        self.ended.set()
        super().connection_lost(error)

    def cut(self) -> None:
        """End it from this side."""
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]  # aiosmtpd names the base class
            self._end_handshake()

    def _timeout_cb(self) -> None:
        """End it because nothing has come for too long."""
        super()._timeout_cb()  # type: ignore[no-untyped-call]  # aiosmtpd does not say
        self._end_handshake()

    def _end_handshake(self) -> None:
        """Hear of the end ourselves while TLS is being agreed: asyncio tells nobody, and the place would be lost."""
        if self._original_transport is not None and self.session is not None and self.session.ssl is None:
            self.connection_lost(None)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
        """Read a mail into one buffer of bounded size, however its lines are; aiosmtpd keeps an object for each."""
        if await self.check_helo_needed():
            return
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos:
            await self.push("503 5.5.1 Name a recipient first.")
            return
        if arg:
            await self.push("501 5.5.4 DATA stands alone.")
            return
        await self.push("354 Go on; end with a line that has a dot alone.")
        content = await self._read_content()
        if content is None:
            self.envelope = Envelope()
            return
        envelope.content = content
        self.idle.clear()
        try:
            status = await self._desk.handle_DATA(self, self.session, envelope)  # type: ignore[arg-type]  # it is open
        finally:
            self.idle.set()
        self.envelope = Envelope()
        await self.push(status)

    async def _read_content(self) -> bytes | None:
        """Read up to the dot; None when it was too large, which has been said then."""
        content, received, begins = bytearray(), 0, True
        while True:
            try:
                piece = await self._reader.readuntil(b"\r\n")
            except LimitOverrunError as over:
                piece = await self._reader.read(min(over.consumed, _LINE))
            if begins and piece == b".\r\n":
                break
            received += len(piece)
            if received > self._desk.most_bytes:
                content.clear()
                if received > 4 * self._desk.most_bytes:  # who has not stopped by now does not mean to
                    await self._give_up()
                    return None
            else:
                content += piece[1:] if begins and piece.startswith(b".") else piece
            begins = piece.endswith(b"\r\n")
        if received > self._desk.most_bytes:
            await self._refuse()
            return None
        return bytes(content)

    async def _give_up(self) -> None:
        await self._refuse()
        self.cut()

    async def _refuse(self) -> None:
        self._desk.refused_as_too_large()
        await self.push(self._desk.too_large)
