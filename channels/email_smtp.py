"""Mail through the school's own mail server, over a pool of long-lived connections."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from functools import partial

from channels.base import CallbackRequest, Envelope, Handover, Limits, Mail, Receipt, Recovery
from channels.dkim_signing import DkimKeyError, MailSigner, PublicRecord
from channels.errors import ChannelSettingsError, ReceiptRefusedError
from channels.handing_over import WRONG_PAYLOAD
from channels.smtp_dial import DialError, dial, say_goodbye, trust
from channels.smtp_pool import SmtpPool
from channels.smtp_queue import Batch
from channels.smtp_settings import SmtpSettings, SmtpTls
from channels.smtp_wire import mail_fault

__all__ = ["SmtpChannel", "SmtpSettings", "SmtpTls"]


def utc_now() -> dt.datetime:
    """Tell the time."""
    return dt.datetime.now(dt.UTC)


class SmtpChannel:
    """Hands mails to one mail server; repeating one is harmless because its Message-ID stays the same."""

    recovery = Recovery.REPEAT

    def __init__(self, settings: SmtpSettings, *, name: str = "smtp", now: Callable[[], dt.datetime] = utc_now) -> None:
        self.name = name
        # Small batches: between two of them a new restriction is seen, however slow the server is (R44).
        self.limits = Limits(concurrency=settings.connections, batch=4 * settings.connections, timeout=settings.timeout)
        self._settings = settings
        self._now = now
        self._signer: MailSigner | None = None
        self._pool: SmtpPool | None = None

    async def open(self) -> None:
        """Prepare the pool in the running loop; connections are opened by the first mails.

        Raises `ChannelSettingsError` when a setting is missing or wrong.
        """
        settings = self._settings
        context, signer = await asyncio.to_thread(self._read_files)
        await self.close()
        self._signer = signer
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
        sound: list[tuple[Envelope, Mail]] = []
        for envelope in envelopes:
            mail = envelope.payload
            fault = mail_fault(mail) if isinstance(mail, Mail) else WRONG_PAYLOAD
            if fault is not None:
                yield Handover(delivery=envelope.delivery, provider=self.name, error=fault)
            elif isinstance(mail, Mail):
                sound.append((envelope, mail))
        if self._signer is not None:
            # In a thread, as RSA takes 0.3 ms a mail outside the interpreter's lock: one time in a hundred the loop
            # is held up 6 ms instead of 30, and a second core gives up to 1.6 times the mails a second (measured).
            sound = await asyncio.to_thread(_signed, self._signer, sound)
        pool.add([batch.expect(envelope, mail) for envelope, mail in sound])
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
        try:
            context, _signer = await asyncio.to_thread(self._read_files)
            await say_goodbye(await dial(self._settings, context))
        except ChannelSettingsError as error:
            return str(error)
        except DialError as refusal:
            code = f" ({refusal.error.provider_code})" if refusal.error.provider_code else ""
            return f"{refusal.error.explanation}{code} Check {self._settings.prefix}_HOST and its companions."
        return None

    async def records(self) -> Sequence[PublicRecord]:
        """Say what to publish in the DNS, so that receivers can check our signatures; raises as `open` does."""
        _context, signer = await asyncio.to_thread(self._read_files)
        return signer.records if signer else ()

    def _read_files(self) -> tuple[ssl.SSLContext | None, MailSigner | None]:
        """Check the settings and read what they name; raises `ChannelSettingsError`."""
        settings = self._settings
        if fault := settings.fault():
            raise ChannelSettingsError(fault)
        try:
            context = trust(settings)
        except OSError:
            raise ChannelSettingsError(
                f"{settings.prefix}_CA_FILE names {settings.ca_file}, which holds no readable certificates."
            ) from None
        try:
            signer = MailSigner.from_files(settings.dkim, now=self._now) if settings.dkim else None
        except DkimKeyError as error:
            raise ChannelSettingsError(f"{settings.prefix}_DKIM_KEY_FILE {error}") from None
        return context, signer


def _signed(signer: MailSigner, mails: Sequence[tuple[Envelope, Mail]]) -> list[tuple[Envelope, Mail]]:
    return [(envelope, replace(mail, content=signer.signed(mail.content))) for envelope, mail in mails]
