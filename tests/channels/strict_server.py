"""A mail server by the book, for pipelined and chunked mail, that fails where its plan says so and keeps account.

It holds to RFC 5321, 2920 and 3030: a nested MAIL is 503, a BDAT without recipient is read and refused. What it took
and what it may have read to the end stands in `taken` and `asked`, to be compared with what the client believes.
"""

import asyncio
import functools
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from tests.channels.smtp_server import CERTIFICATE, KEY

DROP = "drop"
"""Cut the connection instead of answering."""
STALL = "stall"
"""Keep the connection and never answer anything again."""
HOLD = "hold"
"""Answer properly, and go on, when `StrictServer.release` is called."""
TAKE_AND_DROP = "take and drop"
"""At the end: keep the mail, then cut without an answer."""

Plan = Callable[[str, int, str], str | None]
"""Gives the reply or the misdeed for a step (`connect`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `end`, `RSET`, `QUIT`), for its
how manieth visit (from 1), and for which recipient, as far as known; None lets it end properly."""


@dataclass
class Taken:
    """One mail the server has."""

    sender: str
    recipient: str
    content: bytes


@dataclass
class StrictServer:
    """What all connections of one server share."""

    plan: Plan = lambda _step, _visit, _recipient: None
    offers: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 100000000")
    cut_after: int | None = None
    """Bytes of input (behind EHLO) after which the first connection is cut in mid-word."""
    no_notices: str = ""
    """The command (MAIL or RCPT) whose orders for notices are refused, although they are offered."""
    data_in_spite: bool = False
    """Answer 354 although no recipient was accepted."""
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """How often the content of a recipient's mail was asked for, or began to come in a chunk."""
    commands: list[str] = field(default_factory=list)
    groups: list[list[str]] = field(default_factory=list)
    """The commands that came in one packet."""
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    empty_mails: int = 0
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    held: Callable[[], None] | None = None
    visits: Counter[str] = field(default_factory=Counter)
    talks: "set[_Talk]" = field(default_factory=set)

    def release(self) -> None:
        """Let the connection that was held go on."""
        assert self.held is not None
        self.held()


class _Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: StrictServer) -> None:
        self._server = server
        self._input = b""
        self._sender: str | None = None
        self._recipient = ""
        self._known = False
        self._in_data = False
        self._chunk: int | None = None
        self._mute = False
        self._greeted = False
        self._left = server.cut_after if server.connections == 0 else None
        server.connections += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = cast("asyncio.Transport", transport)
        server = self._server
        server.talks.add(self)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        server.open_now += 1
        server.most_open = max(server.most_open, server.open_now)
        self._answer("connect", "220 mail.example.org ready")

    def connection_lost(self, _error: Exception | None) -> None:
        """Count."""
        self._server.talks.discard(self)
        self.ended.set_result(None)
        self._server.open_now -= 1

    def data_received(self, data: bytes) -> None:
        """Take in as many bytes as the plan allows, and act on what is complete."""
        cut = False
        if self._left is not None and self._greeted:
            cut = len(data) >= self._left
            data = data[: self._left]
            self._left -= len(data)
        self._input += data
        self._server.groups.append([])
        while not self._mute and self._step():
            pass
        if cut:
            self._drop()

    def _step(self) -> bool:
        """Act on one command or one content; False when more bytes are needed."""
        if self._chunk is not None:
            if len(self._input) < self._chunk:
                return False
            content, self._input, self._chunk = self._input[: self._chunk], self._input[self._chunk :], None
            self._end(content)
            return True
        if self._in_data:
            lines = b"\r\n" + self._input
            end = lines.find(b"\r\n.\r\n")
            if end < 0:
                return False
            self._in_data, self._input = False, lines[end + 5 :]
            self._end((lines[:end] + b"\r\n").replace(b"\r\n.", b"\r\n")[2:])
            return True
        line, found, rest = self._input.partition(b"\r\n")
        if found:
            self._input = rest
            self._obey(line.decode())
        return bool(found)

    def _obey(self, command: str) -> None:
        server, verb = self._server, command[:4].upper()
        server.commands.append(command)
        server.groups[-1].append(verb)
        if verb == "EHLO":
            offers = [f"250-{word}" for word in server.offers]
            self._answer("EHLO", "\r\n".join(["250-mail.example.org", *offers, "250 HELP"]))
            self._greeted = True
        elif verb in ("MAIL", "RCPT"):
            self._address(verb, command)
        elif verb == "DATA":
            proper = "354 go on" if self._known or server.data_in_spite else "554 5.5.1 no valid recipients"
            if self._answer("DATA", proper):
                self._in_data = True
                server.asked[self._recipient] += self._known
        elif verb == "BDAT":
            assert command.endswith(" LAST")
            self._chunk = int(command.split()[1])
            server.asked[self._recipient] += self._known
        elif verb == "RSET":
            if self._answer("RSET", "250 2.0.0 forgotten"):
                self._forget()
        else:
            assert verb == "QUIT"
            self._answer("QUIT", "221 2.0.0 bye")
            self.transport.close()

    def _address(self, verb: str, command: str) -> None:
        address = re.search(r"<(.*?)>", command)
        assert address
        if verb == self._server.no_notices and re.search(" (RET|NOTIFY)=", command):
            self._say("555 5.5.4 unsupported parameter")
        elif verb == "RCPT":
            self._recipient = address[1]
            self._known = self._answer("RCPT", "503 5.5.1 MAIL first" if self._sender is None else "250 2.1.5 fine")
        elif self._sender is not None:
            self._answer("MAIL", "503 5.5.1 nested MAIL")
        elif self._answer("MAIL", "250 2.1.0 fine"):
            self._sender = address[1]

    def _end(self, content: bytes) -> None:
        """Take a mail, or refuse it."""
        if not self._known:
            self._server.empty_mails += 1
            self._say("554 5.5.1 no valid recipients")
        elif self._answer("end", "250 2.0.0 taken"):
            self._keep(content)
        self._forget()

    def _keep(self, content: bytes) -> None:
        self._server.taken.append(Taken(self._sender or "", self._recipient, content))

    def _forget(self) -> None:
        self._sender, self._known, self._recipient = None, False, ""

    def _answer(self, step: str, proper: str) -> bool:
        """Answer as planned, else properly; True when that was a yes."""
        server = self._server
        server.visits[step] += 1
        said = server.plan(step, server.visits[step], self._recipient) or proper
        if said == TAKE_AND_DROP:
            self._drop()
            return step == "end"
        if said == DROP:
            self._drop()
        elif said in (STALL, HOLD):
            self._mute = True
            server.stalled.set()
            server.held = functools.partial(self._go_on, proper)
            return said == HOLD
        else:
            self._say(said)
            if said[3:4] == "-" and "\n" not in said:
                self._mute = True  # half a reply, and nothing more
            if said.startswith("421"):
                self._mute = True
                self.transport.close()
        return said[:1] in "23" and said[3:4] in " -"

    def _go_on(self, proper: str) -> None:
        self._mute = False
        self._say(proper)
        while not self._mute and self._step():
            pass

    def _say(self, line: str) -> None:
        if not self._mute:
            self.transport.write(line.encode() + b"\r\n")

    def _drop(self) -> None:
        self._mute = True
        self.transport.abort()


@asynccontextmanager
async def strict_server(server: StrictServer, *, tls: bool = False) -> AsyncIterator[StrictServer]:
    """Serve on a free port of loopback."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: _Talk(server), "127.0.0.1", 0, ssl=context if tls else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for talk in list(server.talks):
            talk.transport.abort()
        await asyncio.gather(*(talk.ended for talk in list(server.talks)))
        await listening.wait_closed()
