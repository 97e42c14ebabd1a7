"""What is said to the commands of a mail conversation: whose mail is taken, how large, and when it is kept."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.email_bounces import Arrival, read_answer, read_bounce
from gateway.costly_calls import CostlyCalls
from gateway.dispatch.returned_mail import NobodysReplyError, TooManyRepliesError
from gateway.services import Services

_log = logging.getLogger(__name__)

MOST_RECIPIENTS = 20
"""Of one mail: a bounce has one, an answer to two of our mails two."""
_LARGE = 1_000_000
"""Bytes; reading a mail with its files takes several times its size."""
_LARGE_AT_ONCE = 2


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
