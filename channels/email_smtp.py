"""Mail through the school's own mail server, over a pool of long-lived connections."""

import asyncio
from collections.abc import Sequence
from functools import partial

from channels.base import CallbackRequest, Envelope, Handover, Limits, Mail, Receipt, Recovery
from channels.errors import ChannelSettingsError, ReceiptRefusedError, SendError
from channels.handing_over import WRONG_PAYLOAD, answer_each
from channels.smtp_conversation import converse, mail_fault
from channels.smtp_dial import DialError, dial, trust
from channels.smtp_pool import SmtpPool, say_goodbye
from channels.smtp_settings import SmtpSettings, SmtpTls

__all__ = ["SmtpChannel", "SmtpSettings", "SmtpTls"]

_FRESH_TRIES = 2
"""A reused connection that turns out dead before the final dot costs a second try, not a retry in minutes."""


class SmtpChannel:
    """Hands mails to one mail server; repeating one is harmless because its Message-ID stays the same."""

    name = "smtp"
    recovery = Recovery.REPEAT

    def __init__(self, settings: SmtpSettings) -> None:
        # Small batches: between two of them a new restriction is seen, however slow the server is (R44).
        self.limits = Limits(concurrency=settings.connections, batch=4 * settings.connections, timeout=settings.timeout)
        self._settings = settings
        self._pool: SmtpPool | None = None

    async def open(self) -> None:
        """Prepare the pool in the running loop; connections are opened by the first mails.

        Raises `ChannelSettingsError` when a setting is missing or wrong.
        """
        settings = self._settings
        if fault := settings.fault():
            raise ChannelSettingsError(fault)
        try:
            context = await asyncio.to_thread(trust, settings)
        except OSError:
            raise ChannelSettingsError(f"The file {settings.ca_file} holds no readable certificates.") from None
        self._dial = partial(dial, settings, context)
        self._pool = SmtpPool(
            self._dial,
            size=settings.connections,
            mails_per_connection=settings.mails_per_connection,
            idle=settings.idle,
            pause_after_failure=settings.pause_after_failure,
        )

    async def close(self) -> None:
        """End all resting connections; idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def send(self, envelopes: Sequence[Envelope]) -> list[Handover]:
        """Hand over every mail and answer each in order."""
        return await answer_each(envelopes, self._hand_over, concurrency=self._settings.connections)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Know nothing: a mail server cannot be asked, the mail is repeated instead."""
        return [None for _ in envelopes]

    def read_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """Refuse every callback: mail servers answer by returned mail (`channels.email_bounces`)."""
        del request
        raise ReceiptRefusedError(404, "A mail server sends no callbacks.")

    async def check(self) -> str | None:
        """Open one connection as a mail would, and say what stands in the way."""
        if fault := self._settings.fault():
            return fault
        try:
            context = await asyncio.to_thread(trust, self._settings)
            await say_goodbye(await dial(self._settings, context))
        except DialError as refusal:
            code = f" ({refusal.error.provider_code})" if refusal.error.provider_code else ""
            return f"{refusal.error.explanation}{code} Check GATEWAY_SMTP_HOST and its companions."
        except OSError:
            return f"The file {self._settings.ca_file} holds no readable certificates."
        return None

    async def _hand_over(self, envelope: Envelope) -> Handover:
        mail = envelope.payload
        if not isinstance(mail, Mail):
            return Handover(delivery=envelope.delivery, provider=self.name, error=WRONG_PAYLOAD)
        error = mail_fault(mail) or await self._deliver(mail)
        return Handover(
            delivery=envelope.delivery,
            provider=self.name,
            provider_id=None if error else mail.message_id,
            error=error,
        )

    async def _deliver(self, mail: Mail) -> SendError | None:
        if self._pool is None:
            raise RuntimeError("Open the SMTP channel before sending.")
        error: SendError | None = None
        for _ in range(_FRESH_TRIES):
            try:
                async with self._pool.connection() as connection:
                    reused = connection.mails > 0
                    error = await converse(connection.client, mail, self._settings.timeout)
            except DialError as refusal:
                return refusal.error
            if error is None or error.code != "connection_lost" or not reused:
                return error
        return error
