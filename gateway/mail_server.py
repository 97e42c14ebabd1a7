"""The mail server that takes bounces, complaints and answers: for addresses that we have signed, and for nothing else.

It runs in the process's own event loop. A mail is acknowledged only after all that it brings is durable: a database
that is away makes the sender keep it. Meant to stand behind the school's own mail server, or open to the world: nobody
can relay through it, none of its answers goes to a third party, and what a connection may cost is bounded.
"""

import asyncio
import contextlib
import logging
import ssl
from asyncio import LimitOverrunError
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.email_bounces import Arrival, read_answer, read_bounce
from gateway.costly_calls import CostlyCalls
from gateway.dispatch.returned_mail import NobodysReplyError, TooManyRepliesError
from gateway.services import Services
from gateway.settings import InboundSettings, Settings, SettingsError

_log = logging.getLogger(__name__)

MOST_CONNECTIONS = 20
"""At once; each may hold one mail in memory. Mail servers that meet a 421 come again."""
MOST_RECIPIENTS = 20
"""Of one mail: a bounce has one, an answer to two of our mails two."""
IDLE_SECONDS = 300.0
"""Until a connection is cut that sends no command, or whose mail takes longer (RFC 5321, 4.5.3.2)."""
LOITERING_SECONDS = 10.0
"""Until a connection that has named no recipient makes room, when all places are taken."""
_LARGE = 1_000_000
"""Bytes; reading a mail with its files takes several times its size."""
_LARGE_AT_ONCE = 2
_COMMANDS = 2_000
"""Of one kind on one connection."""
_COMMAND = 1_000
"""Bytes of a command: addresses in other scripts take up to 700, and reading one takes the square of its length."""
_LINE = 65_536
"""Bytes read at a time; mails have lines as long as they like."""
_PATIENCE = 10.0
"""Seconds that mails have to be taken in when the process stops."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Box:
    """A recipient that is ours: a delivery, and which of its two addresses."""

    address: str
    delivery: str
    bounces: bool


class MailDesk:
    """Answers for a conversation's commands; the names of its methods are aiosmtpd's."""

    def __init__(self, services: Services, *, most_bytes: int) -> None:
        self._services = services
        self._most_bytes = most_bytes
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._readings = CostlyCalls(_LARGE_AT_ONCE)

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer what we do; nobody needs to log in here."""
        session.host_name = hostname
        others = [line[4:] for line in responses[1:] if not line[4:].startswith(("AUTH", "HELP"))]
        *offers, last = [f"SIZE {self._most_bytes}", "PIPELINING", *others]
        return [responses[0], *(f"250-{offer}" for offer in offers), f"250 {last}"]

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse a mail that says it is too large before it is sent."""
        size = next((option[5:] for option in options if option.startswith("SIZE=")), "0")
        if not (size.isascii() and size.isdigit()) or len(size) > 20:
            return "501 5.5.4 SIZE is a number of bytes."
        if int(size) > self._most_bytes:
            self.refused_as_too_large()
            return self.too_large
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Go on."

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take mail for addresses that we have signed, and for no other."""
        if self._box(address) is None:
            self._services.metrics.came_in("mail", "unknown_recipient")
            return "550 5.1.1 There is no such address here: answer the message itself, or write to the school."
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return f"452 4.5.3 A mail may have {MOST_RECIPIENTS} recipients here: send it to the others by itself."
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Go on."

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        """Take a mail in for each of its recipients; the answer is its receipt."""
        boxes = [box for address in dict.fromkeys(envelope.rcpt_tos) if (box := self._box(address))]
        sender = (envelope.mail_from or "").strip("<>")
        try:
            async with self._large if len(envelope.content or b"") > _LARGE else contextlib.nullcontext():
                kept = [await self._take(envelope.content or b"", box, sender) for box in boxes]
        except TooManyRepliesError:
            self._services.metrics.came_in("mail", "too_many")
            return "452 4.2.2 This message has been answered very often today: try again tomorrow, or telephone."
        except Exception as error:  # noqa: BLE001  # whatever it is, the sender keeps the mail
            _log.exception("mail_not_taken", extra={"error": type(error).__name__})
            self._services.metrics.came_in("mail", "failed")
            return "451 4.3.0 It could not be stored at the moment: try again later."
        if not any(kept):
            self._services.metrics.came_in("mail", "unknown_recipient")
            return "550 5.1.1 The message that this answers is on record no more: write to the school."
        return "250 2.0.0 Kept."

    async def handle_exception(self, error: Exception) -> str:
        """Answer for a fault of our own without its details."""
        _log.error("mail_conversation_failed", extra={"error": type(error).__name__})
        return "451 4.3.0 Something went wrong here: try again later."

    @property
    def most_bytes(self) -> int:
        """The largest mail that is taken."""
        return self._most_bytes

    def refused_as_too_large(self) -> None:
        """Count a mail that turned out too large."""
        self._services.metrics.came_in("mail", "too_large")

    @property
    def too_large(self) -> str:
        """The answer to a mail beyond the limit."""
        millions = f"{self._most_bytes / 1e6:g}"
        return f"552 5.3.4 The mail is larger than the {millions} MB taken here: send it without its attachments."

    def _box(self, address: str) -> _Box | None:
        if delivery := self._services.bounced_delivery(address):
            return _Box(address=address, delivery=delivery, bounces=True)
        if delivery := self._services.replied_delivery(address):
            return _Box(address=address, delivery=delivery, bounces=False)
        return None

    async def _take(self, content: bytes | str, box: _Box, sender: str) -> bool:
        """Take a mail in for one recipient; False when nobody can tell for which school it is."""
        arrival = Arrival(
            content=content if isinstance(content, bytes) else content.encode(),
            delivery=box.delivery,
            sender=sender,
            recipient=box.address,
            at=self._services.now(),
        )
        # In a thread: a large one takes a while, and the loop has others to serve.
        read = read_bounce if box.bounces else read_answer
        large = len(arrival.content) > _LARGE
        found = await (self._readings.make(read, arrival) if large else asyncio.to_thread(read, arrival))
        try:
            await self._services.returned_mail.take(found)
        except NobodysReplyError:
            return False
        return True


class _CommandSizes(dict[str, int]):
    """The same for every command; aiosmtpd would raise it a little with every greeting, of whomever."""

    def __missing__(self, _command: str) -> int:
        """Give the size of a command."""
        return _COMMAND

    def __setitem__(self, _command: str, _size: int) -> None:
        """Keep it."""


class _Conversation(SMTP):
    """One connection, with what aiosmtpd does not bound: a mail's memory, and how many talk at once."""

    line_length_limit = _LINE
    command_size_limits = _CommandSizes()

    def __init__(
        self,
        desk: MailDesk,
        others: "set[_Conversation]",
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


class _Busy(asyncio.Protocol):
    """Asks whoever is one too many to come again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and hang up."""
        transport.write(b"421 4.3.2 Too many connections: come again in a minute.\r\n")  # type: ignore[attr-defined]
        transport.close()


@contextlib.asynccontextmanager
async def receiving(
    services: Services,
    settings: Settings,
    *,
    host: str | None = None,
    port: int | None = None,
    idle_seconds: float = IDLE_SECONDS,
    loitering_seconds: float = LOITERING_SECONDS,
) -> AsyncIterator[int]:
    """Take mail as long as the context lasts; gives the port, which the system chooses when asked for 0."""
    inbound = settings.inbound
    host, port = host or inbound.inbound_smtp_host, inbound.inbound_smtp_port if port is None else port
    desk = MailDesk(services, most_bytes=inbound.inbound_max_bytes)
    tls, name = _tls(inbound), _name(settings)
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it names who writes to whom
    talking: set[_Conversation] = set()

    def welcome() -> asyncio.Protocol:
        if len(talking) >= MOST_CONNECTIONS and not _made_room(talking, loitering_seconds):
            return _Busy()
        return _Conversation(desk, talking, name=name, tls=tls, idle_seconds=idle_seconds)

    try:
        server = await asyncio.get_running_loop().create_server(welcome, host, port)
    except OSError as error:
        raise SettingsError(f"{host}:{port} cannot be listened on: {error.strerror or 'choose another'}.") from None
    try:
        chosen = int(server.sockets[0].getsockname()[1])
        _log.info("receiving_mail", extra={"host": host, "port": chosen, "tls": tls is not None})
        yield chosen
    finally:
        server.close()
        await _end(talking)


def _made_room(talking: set[_Conversation], loitering_seconds: float) -> bool:
    """Cut who has loitered longest, if anybody: no stranger keeps the school's mail out by holding all places."""
    loitering = min((each for each in talking if each.loiters), key=lambda each: each.began, default=None)
    if loitering is None or loitering.loop.time() - loitering.began < loitering_seconds:
        return False
    talking.discard(loitering)  # at once: the next who comes takes another's place
    loitering.cut()
    return True


async def _end(talking: set[_Conversation]) -> None:
    """Let mails that are being taken in be answered, then end all conversations."""
    left = list(talking)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*(each.idle.wait() for each in left))
            await asyncio.sleep(0)  # for the answer to leave
    for each in left:
        each.cut()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.gather(*(each.ended.wait() for each in left))


def _tls(inbound: InboundSettings) -> ssl.SSLContext | None:
    if inbound.inbound_tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(inbound.inbound_tls_certificate, inbound.inbound_tls_key)
    except (OSError, ssl.SSLError):
        raise SettingsError(
            "GATEWAY_INBOUND_TLS_CERTIFICATE and GATEWAY_INBOUND_TLS_KEY must name a certificate and its key in PEM."
        ) from None
    return context


def _name(settings: Settings) -> str:
    """Give the name by which the listener greets."""
    ours = settings.email.bounce_domain or settings.email.reply_domain
    return ours or urlsplit(settings.public_url).hostname or "localhost"


def inbound_advice(settings: Settings) -> str | None:
    """Say what is missing when mails carry addresses of ours and nobody listens there (`gateway doctor`)."""
    domains = [
        f"GATEWAY_{name.upper()}"
        for name in ("bounce_domain", "reply_domain")
        if getattr(settings.email, name) is not None
    ]
    if not domains or settings.inbound.inbound_smtp_port is not None:
        return None
    return (
        f"{' and '.join(domains)} let mail come back, and GATEWAY_INBOUND_SMTP_PORT does not say where this "
        "installation takes it: set it, or run gateway receive --port PORT."
    )
