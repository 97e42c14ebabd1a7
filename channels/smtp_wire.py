"""What goes over the wire for one mail: checked addresses, envelope commands, dot-stuffed content."""

import re
from dataclasses import dataclass

import aiosmtplib

from channels.base import Mail
from channels.errors import Retry, SendError
from channels.mail_content import Lines, UndottedLines

_ATOM = r'[^\s<>"@,\x00-\x1f\x7f\ud800-\udfff]+'
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[\x20-\x7e])+"'
_ADDRESS = re.compile(f"(?:{_QUOTED}|{_ATOM})@{_ATOM}")
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")
_NOT_LINE_ENDS = bytes(byte for byte in range(256) if byte not in b"\r\n")
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
NOTICES_REFUSED = frozenset({501, 504, 555})
"""Replies to MAIL and RCPT about their parameters (RFC 5321, sections 4.1.1.11 and 4.2.2): some servers offer DSN and
cannot do it."""

NEEDS_SMTPUTF8 = SendError(
    retry=Retry.NEVER,
    code="international_address",
    explanation="The school's mail server cannot send to addresses with letters outside ASCII.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extensions:
    """What a server offers in its answer to EHLO, as far as it matters here."""

    pipelining: bool = False
    """RFC 2920: several commands in one write."""
    chunking: bool = False
    """RFC 3030: content by length, without asking first."""
    size: bool = False
    """RFC 1870: MAIL tells the size."""
    eight_bit: bool = False
    """RFC 6152: bytes above 127 in the content."""
    international: bool = False
    """RFC 6531: letters outside ASCII in addresses."""
    notices: bool = False
    """RFC 3461: we may say of what the server is to send notices, and what they are to repeat."""


def offered(client: aiosmtplib.SMTP) -> Extensions:
    """Read what the server said to EHLO."""
    has = client.supports_extension
    return Extensions(
        pipelining=has("pipelining"),
        chunking=has("chunking"),
        size=has("size"),
        eight_bit=has("8bitmime"),
        international=has("smtputf8"),
        notices=has("dsn"),
    )


def mail_fault(mail: Mail) -> SendError | None:
    """Tell why a mail must not be put on the wire: what could smuggle commands or a second mail into it."""
    if mail.sender and not _ADDRESS.fullmatch(mail.sender):
        return _INVALID_SENDER
    if not _ADDRESS.fullmatch(mail.recipient):
        return _INVALID_ADDRESS
    if isinstance(mail.content, Lines):
        return None
    # Only pairs, nothing alone; leaving out all else is several times faster than counting each.
    if len(mail.content.translate(None, _NOT_LINE_ENDS)) != 2 * mail.content.count(b"\r\n"):
        return _BARE_LINE_END
    return None


def is_international(mail: Mail) -> bool:
    """Tell whether only a server with SMTPUTF8 may have this envelope."""
    return not (mail.recipient.isascii() and mail.sender.isascii())


def orders_notices(mail: Mail, extensions: Extensions) -> bool:
    """Tell whether the envelope says of what notices are wanted: where they can be ordered, and reach anybody."""
    return extensions.notices and bool(mail.sender)


def sender_command(mail: Mail, extensions: Extensions, delivery: str) -> bytes:
    """Write MAIL with the parameters the server understands; notices shall name the delivery, not repeat the mail."""
    options = b" SIZE=%d" % len(mail.content) if extensions.size else b""
    if extensions.eight_bit and not mail.content.isascii():
        options += b" BODY=8BITMIME"
    if is_international(mail):
        options += b" SMTPUTF8"
    if orders_notices(mail, extensions):
        options += b" RET=HDRS ENVID=%b" % _as_parameter(delivery)
    return b"MAIL FROM:<%b>%b\r\n" % (mail.sender.encode(), options)


def recipient_command(mail: Mail, extensions: Extensions) -> bytes:
    """Write RCPT; where notices can be ordered, of failures and delays."""
    recipient = mail.recipient.encode()
    if not orders_notices(mail, extensions):
        return b"RCPT TO:<%b>\r\n" % recipient
    # The form for letters outside ASCII (RFC 6533) gains nothing: the return path tells whom a notice is about.
    original = b" ORCPT=rfc822;%b" % _as_parameter(mail.recipient) if recipient.isascii() else b""
    return b"RCPT TO:<%b> NOTIFY=FAILURE,DELAY%b\r\n" % (recipient, original)


def _as_parameter(text: str) -> bytes:
    """Write printable text as a parameter's value (xtext: RFC 3461, section 4)."""
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text).encode("ascii")


def lines_of(content: bytes) -> bytes:
    """End the last line, too: SMTP knows lines only."""
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def stuffed(content: bytes) -> bytes:
    """Double every dot that begins a line (RFC 5321, section 4.5.2); without such dots nothing is copied."""
    if isinstance(content, UndottedLines):
        return content
    lines = lines_of(content).replace(b"\r\n.", b"\r\n..")
    return b"." + lines if lines.startswith(b".") else lines
