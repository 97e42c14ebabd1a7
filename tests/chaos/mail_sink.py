"""A mail server that remembers whose mail it took, and misbehaves while it is told to."""

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.chaos.faults import Fault

SECONDS_A_MAIL = 0.03
"""So slow that faults meet a batch under way."""

_STALLED_SECONDS = 4.0
_LIMIT = 2**20
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^@>]+)@", re.IGNORECASE | re.MULTILINE)

_REPLIES = {
    "EHLO": "250-sink.example.org\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SMTPUTF8",
    "MAIL": "250 2.1.0 fine",
    "RCPT": "250 2.1.5 fine",
    "DATA": "354 go on",
    "RSET": "250 2.0.0 forgotten",
    "NOOP": "250 2.0.0 here",
}

_STEPS = {
    Fault.MAIL_RESET: ("EHLO", "MAIL", "RCPT", "DATA", "dot"),
    Fault.MAIL_STALLS: ("MAIL", "DATA", "dot"),
    Fault.MAIL_421: ("MAIL", "RCPT", "dot"),
    Fault.MAIL_451: ("MAIL", "RCPT", "DATA", "dot"),
    Fault.MAIL_552: ("MAIL", "dot"),
    Fault.MAIL_DROPPED: ("dot",),
}
_ODDS = {
    Fault.MAIL_RESET: 0.1,
    Fault.MAIL_STALLS: 0.05,
    Fault.MAIL_421: 0.1,
    Fault.MAIL_451: 0.15,
    Fault.MAIL_552: 0.1,
    Fault.MAIL_DROPPED: 0.2,
}
_REFUSALS = {
    Fault.MAIL_421: "421 4.3.2 closing",
    Fault.MAIL_451: "451 4.3.0 try later",
    Fault.MAIL_552: "552 5.2.2 mailbox full",
}


class _GoneError(Exception):
    """The connection is cut."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A mail that the server has taken."""

    recipient: str
    answered: bool
    """Whether it said so."""


class MailSink:
    """Takes mails, by delivery; `trouble` says what goes wrong at the moment."""

    def __init__(self, chance: random.Random) -> None:
        self.port = 0
        self.chance = chance
        self.chunking = False
        """Whether it offers CHUNKING to those who come now."""
        self.trouble: set[Fault] = set()
        self.taken: dict[str, list[Taken]] = defaultdict(list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one connection's conversation."""
        with suppress(_GoneError, ConnectionError, asyncio.IncompleteReadError):
            await _Conversation(self, reader, writer).hold()
        writer.transport.abort()


class _Conversation:
    def __init__(self, sink: MailSink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sink = sink
        self._reader = reader
        self._writer = writer
        self._recipient = ""
        self._chunks = b""
        self._refused = False

    async def hold(self) -> None:
        """Answer until somebody goes."""
        await self._say("220 sink.example.org ready")
        while line := await self._reader.readline():
            words = line.decode().strip()
            verb = words[:4].upper()
            if verb == "QUIT":
                await self._say("221 2.0.0 bye")
                return
            if verb == "BDAT":
                await self._take_chunk(words)
            else:
                await self._answer(verb, words)

    async def _answer(self, verb: str, words: str) -> None:
        if verb in {"MAIL", "RSET"}:
            self._recipient, self._chunks, self._refused = "", b"", False
        if refusal := await self._trouble(verb):
            self._refused |= verb in {"MAIL", "RCPT"}
            await self._say(refusal)
            return
        if verb == "RCPT" and not self._refused:
            self._recipient = words.partition("<")[2].partition(">")[0]
        if verb == "DATA" and not self._recipient:
            await self._say("503 5.5.1 no recipient")
            return
        reply = _REPLIES.get(verb, "502 5.5.1 unknown")
        if verb == "EHLO" and self._sink.chunking:
            reply = reply.replace("250-8BITMIME", "250-8BITMIME\r\n250-CHUNKING")
        await self._say(reply)
        if verb == "DATA":
            await self._take_content()

    async def _take_content(self) -> None:
        lines = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise _GoneError
            lines.append(line[1:] if line.startswith(b".") else line)
        await self._end(b"".join(lines))

    async def _take_chunk(self, words: str) -> None:
        _, size, *last = words.split()
        self._chunks += await self._reader.readexactly(int(size))
        if not self._recipient:
            await self._say("503 5.5.1 no recipient")
        elif last:
            await self._end(self._chunks)
            self._recipient, self._chunks = "", b""
        else:
            await self._say("250 2.0.0 more")

    async def _end(self, content: bytes) -> None:
        """Take the mail, or not."""
        await asyncio.sleep(SECONDS_A_MAIL)
        if refusal := await self._trouble("dot", content):
            await self._say(refusal)
            return
        self._keep(content, answered=True)
        await self._say("250 2.0.0 taken")

    async def _trouble(self, step: str, content: bytes | None = None) -> str | None:
        """Misbehave, if the moment is for it; gives a refusal to be said."""
        chance = self._sink.chance
        for fault in sorted(self._sink.trouble):
            if step not in _STEPS[fault] or chance.random() >= _ODDS[fault]:
                continue
            if fault in _REFUSALS:
                if fault is Fault.MAIL_421:
                    await self._say(_REFUSALS[fault])
                    raise _GoneError
                return _REFUSALS[fault]
            taken = fault is Fault.MAIL_DROPPED or chance.random() < 0.5
            if content is not None and taken:
                self._keep(content, answered=False)
            if fault is Fault.MAIL_STALLS:
                await asyncio.sleep(_STALLED_SECONDS)
            raise _GoneError
        return None

    def _keep(self, content: bytes, *, answered: bool) -> None:
        found = _MESSAGE_ID.search(content)
        assert found is not None, "A mail without a Message-ID of ours"
        self._sink.taken[found[1].decode()].append(Taken(recipient=self._recipient, answered=answered))

    async def _say(self, reply: str) -> None:
        self._writer.write(reply.encode() + b"\r\n")
        await self._writer.drain()


@asynccontextmanager
async def running_sink(chance: random.Random) -> AsyncIterator[MailSink]:
    """Serve a sink on a free port of loopback."""
    sink = MailSink(chance)
    talks: set[asyncio.Task[None]] = set()
    server = await asyncio.start_server(_welcome(sink, talks), "127.0.0.1", 0, limit=_LIMIT)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        for talk in list(talks):
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)


def _welcome(
    sink: MailSink, talks: set[asyncio.Task[None]]
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(sink.converse(reader, writer))
        talks.add(talk)
        talk.add_done_callback(talks.discard)

    return welcome
