"""Mail servers on loopback for tests: a real one (aiosmtpd), and one that misbehaves at any step it is told to."""

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CERTIFICATE = Path(__file__).with_name("certs") / "test-only-certificate.pem"
KEY = CERTIFICATE.with_name("test-only-key.pem")

DROP = "drop"
"""Cut the connection instead of answering."""
STALL = "stall"
"""Keep the connection and never answer."""

_PROPER = {
    "greeting": "220 mail.example.org ready",
    "EHLO": "250-mail.example.org\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250 SMTPUTF8",
    "MAIL": "250 2.1.0 fine",
    "RCPT": "250 2.1.5 fine",
    "DATA": "354 go on",
    "dot": "250 2.0.0 taken",
    "RSET": "250 2.0.0 forgotten",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class ScriptedServer:
    """Answers properly unless a step has a reply of its own waiting; counts and keeps what it saw."""

    port: int = 0
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    """Contents as received, dots unstuffed, also of mails that were then refused."""
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    _script: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))

    def on(self, step: str, *replies: str) -> None:
        """Say how the next visits to a step end: a reply, DROP or STALL."""
        self._script[step].extend(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one connection's conversation."""
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            if not await self._reply(writer, "greeting"):
                return
            while line := await reader.readline():
                command = line.decode().rstrip("\r\n")
                self.commands.append(command)
                verb = command[:4].upper()
                if not await self._reply(writer, verb) or verb == "QUIT":
                    return
                if self._said.startswith("354") and not await self._take(reader, writer):
                    return
        except ConnectionError:
            return
        finally:
            self.open_now -= 1
            writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self._script["content"]:
            self._script["content"].popleft()
            await reader.readexactly(10_000)
            return False
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        self.mails.append(b"".join(lines))
        return await self._reply(writer, "dot")

    async def _reply(self, writer: asyncio.StreamWriter, step: str) -> bool:
        waiting = self._script[step]
        self._said = waiting.popleft() if waiting else _PROPER.get(step, "502 5.5.1 unknown")
        if self._said == DROP:
            return False
        if self._said == STALL:
            self.stalled.set()
            await asyncio.Event().wait()
        writer.write(self._said.encode() + b"\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """Serve a scripted mail server on a free port."""
    script = ScriptedServer()
    talks: set[asyncio.Task[None]] = set()

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(script.serve(reader, writer))
        talks.add(talk)
        talk.add_done_callback(talks.discard)

    server = await asyncio.start_server(welcome, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for talk in list(talks):
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)


@dataclass
class RealServer:
    """What a well-behaved server received."""

    port: int = 0
    received: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    password: bytes = b"invented password"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the mail."""
        self.received.append(envelope)
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 2.0.0 kept"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Know every mailbox but one."""
        if parseaddr(address)[1].startswith("gone@"):
            return f"550 5.1.1 {address} does not exist"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 known"

    def login(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        """Admit one invented account."""
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        admitted = (data.login, data.password) == (b"office", self.password)
        return AuthResult(success=admitted, handled=False)


@asynccontextmanager
async def real_server(*, tls: str = "none", login: bool = False, host: str = "127.0.0.1") -> AsyncIterator[RealServer]:
    """Serve aiosmtpd on a free port of loopback, with TLS as the settings call it."""
    handler = RealServer()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)

    def conversation() -> SMTP:
        return SMTP(
            handler,
            enable_SMTPUTF8=True,
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=handler.login if login else None,
            auth_required=login,
            auth_require_tls=tls == "starttls",
            hostname="mail.example.org",
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(conversation, host, 0, ssl=context if tls == "tls" else None)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        await asyncio.sleep(0.01)  # lets the protocols see their connections end
