"""Handing one mail over on an open connection, knowing at every moment whether the server may have it."""

import asyncio
import re
from collections.abc import Iterator

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from channels.base import Mail
from channels.errors import Retry, SendError
from channels.smtp_replies import Stage, lost_error, reply_error

LARGE = 65536
"""Bytes; a larger mail leaves in two writes, so that a break before the final dot is known as such."""

_ATOM = r'[^\s<>"@,\x00-\x1f\x7f\ud800-\udfff]+'
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[\x20-\x7e])+"'
_ADDRESS = re.compile(f"(?:{_QUOTED}|{_ATOM})@{_ATOM}")
_INVALID_ADDRESS = SendError(
    retry=Retry.NEVER,
    code="address_invalid",
    explanation="This is not an e-mail address that a mail server would understand.",
    address_dead=True,
)
_INVALID_SENDER = SendError(
    retry=Retry.NEVER,
    code="sender_invalid",
    explanation="The school's sender address is not an e-mail address; the operator must correct it.",
    ours=True,
)
_BARE_LINE_END = SendError(
    retry=Retry.NEVER,
    code="bare_line_end",
    explanation="The gateway built a mail with wrong line ends; the operator must report this.",
    ours=True,
)
_NEEDS_SMTPUTF8 = SendError(
    retry=Retry.NEVER,
    code="international_address",
    explanation="The school's mail server cannot send to addresses with letters outside ASCII.",
)


def mail_fault(mail: Mail) -> SendError | None:
    """Tell why a mail must not be put on the wire: what could smuggle commands or a second mail into it."""
    if mail.sender and not _ADDRESS.fullmatch(mail.sender):
        return _INVALID_SENDER
    if not _ADDRESS.fullmatch(mail.recipient):
        return _INVALID_ADDRESS
    content = mail.content
    if not content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        return _BARE_LINE_END
    return None


async def converse(client: aiosmtplib.SMTP, mail: Mail, seconds: float) -> SendError | None:
    """Hand one mail over; None means that the server answered for it.

    Afterwards the client is ready for the next mail, or closed. Cancellation closes it.
    """
    international = not (mail.sender + mail.recipient).isascii()
    if international and not client.supports_extension("smtputf8"):
        return _NEEDS_SMTPUTF8
    stage = Stage.SENDER
    try:
        async with asyncio.timeout(seconds):
            for stage, wanted, command in _commands(client, mail, international=international):  # noqa: B007 - read below
                reply = await client.execute_command(*command, timeout=None)
                if reply.code // 100 != wanted:
                    break
            else:
                protocol = await _write(client, mail.content)
                stage = Stage.FINAL_DOT
                reply = await protocol.read_response()
                if reply.code // 100 == 2:
                    return None
    except (aiosmtplib.SMTPException, OSError) as error:
        client.close()
        return lost_error(stage, timed_out=isinstance(error, TimeoutError))
    except asyncio.CancelledError:
        client.close()
        raise
    await _ready_again(client, reply.code, seconds)
    return reply_error(stage, reply.code, reply.message)


def _commands(
    client: aiosmtplib.SMTP, mail: Mail, *, international: bool
) -> Iterator[tuple[Stage, int, tuple[bytes, ...]]]:
    """List the commands before the content, each with its stage and the class of reply that lets us go on."""
    options = []
    if client.supports_extension("size"):
        options.append(b"SIZE=%d" % len(mail.content))
    if client.supports_extension("8bitmime") and not mail.content.isascii():
        options.append(b"BODY=8BITMIME")
    if international:
        options.append(b"SMTPUTF8")
    yield Stage.SENDER, 2, (b"MAIL", b"FROM:<%b>" % mail.sender.encode(), *options)
    yield Stage.RECIPIENT, 2, (b"RCPT", b"TO:<%b>" % mail.recipient.encode())
    yield Stage.CONTENT, 3, (b"DATA",)


async def _write(client: aiosmtplib.SMTP, content: bytes) -> SMTPProtocol:
    """Write the content and the final dot; raises while the server cannot have read the dot."""
    protocol = client.protocol
    if protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    if len(stuffed) > LARGE:
        protocol.write(stuffed)
        await protocol._drain_helper()  # noqa: SLF001 - aiosmtplib has no public way to wait for the buffer
        stuffed = b""
    protocol.write(stuffed + b".\r\n")
    return protocol


async def _ready_again(client: aiosmtplib.SMTP, refusal: int, seconds: float) -> None:
    """Clear the refused mail from the connection, or give the connection up."""
    try:
        if refusal == aiosmtplib.SMTPStatus.domain_unavailable or not 400 <= refusal < 600:
            client.close()
            return
        async with asyncio.timeout(seconds):
            reply = await client.execute_command(b"RSET", timeout=None)
        if reply.code != aiosmtplib.SMTPStatus.completed:
            client.close()
    except (aiosmtplib.SMTPException, OSError):
        client.close()
    except asyncio.CancelledError:
        client.close()
        raise
