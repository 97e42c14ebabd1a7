"""Listening for mail as long as the process runs, with a bounded number of conversations at once."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from gateway.mail_server.conversation import Conversation
from gateway.mail_server.desk import MailDesk
from gateway.services import Services
from gateway.settings import InboundSettings, Settings, SettingsError

_log = logging.getLogger(__name__)

MOST_CONNECTIONS = 20
"""At once; each may hold one mail in memory. Mail servers that meet a 421 come again."""
IDLE_SECONDS = 300.0
"""Until a connection is cut that sends no command, or whose mail takes longer (RFC 5321, 4.5.3.2)."""
LOITERING_SECONDS = 10.0
"""Until a connection that has named no recipient makes room, when all places are taken."""
_PATIENCE = 10.0
"""Seconds that mails have to be taken in when the process stops."""


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
    talking: set[Conversation] = set()

    def welcome() -> asyncio.Protocol:
        if len(talking) >= MOST_CONNECTIONS and not _made_room(talking, loitering_seconds):
            return _Busy()
        return Conversation(desk, talking, name=name, tls=tls, idle_seconds=idle_seconds)

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


def _made_room(talking: set[Conversation], loitering_seconds: float) -> bool:
    """Cut who has loitered longest, if anybody: no stranger keeps the school's mail out by holding all places."""
    loitering = min((each for each in talking if each.loiters), key=lambda each: each.began, default=None)
    if loitering is None or loitering.loop.time() - loitering.began < loitering_seconds:
        return False
    talking.discard(loitering)  # at once: the next who comes takes another's place
    loitering.cut()
    return True


async def _end(talking: set[Conversation]) -> None:
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
