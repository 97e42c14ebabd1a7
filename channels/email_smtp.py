"""Mail through the school's own mail server, over a pool of long-lived connections."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from channels.base import CallbackRequest, Envelope, Handover, Limits, Mail, Receipt, Recovery
from channels.errors import ChannelSettingsError, ReceiptRefusedError
from channels.handing_over import WRONG_PAYLOAD
from channels.smtp_dial import DialError, dial, say_goodbye, trust
from channels.smtp_pool import SmtpPool
from channels.smtp_queue import Batch
from channels.smtp_settings import SmtpSettings, SmtpTls
from channels.smtp_wire import mail_fault

__all__ = ["SmtpChannel", "SmtpSettings", "SmtpTls"]


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
        await self.close()
        self._pool = SmtpPool(
            partial(dial, settings, context),
            size=settings.connections,
            mails_per_connection=settings.mails_per_connection,
            timeout=settings.timeout,
            idle=settings.idle,
            pause_after_failure=settings.pause_after_failure,
        )

    async def close(self) -> None:
        """End all resting connections; idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Hand over every mail; all calls at the same time share the connections."""
        pool = self._pool
        if pool is None:
            raise RuntimeError("Open the SMTP channel before sending.")
        batch = Batch(self.name)
        parcels = []
        for envelope in envelopes:
            mail = envelope.payload
            fault = mail_fault(mail) if isinstance(mail, Mail) else WRONG_PAYLOAD
            if fault is not None:
                yield Handover(delivery=envelope.delivery, provider=self.name, error=fault)
            elif isinstance(mail, Mail):
                parcels.append(batch.expect(envelope, mail))
        pool.add(parcels)
        try:
            while answers := await batch.arrived():
                for answer in answers:
                    yield answer
        finally:
            pool.take_back(batch)

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
