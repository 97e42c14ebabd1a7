"""The one place where the parts are chosen and put together: embedded or distributed, outbox or provider."""

import asyncio
import contextlib
import datetime as dt
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import locales
from channels.base import Channel, Limits, Sheet
from channels.email_smtp import SmtpChannel
from channels.letter_sheet import LetterError, typeset
from channels.outbox import Failures, OutboxCalls, OutboxLetters, OutboxMail, OutboxTexts, never_fails
from channels.smtp_settings import SmtpSettings
from channels.smtp_settings import SmtpTls as ChannelTls
from gateway.access import link_is_genuine, reply_address, sign_link
from gateway.content.catalogues import Catalogues
from gateway.directory.model import ChannelName
from gateway.dispatch.backlog import Backlog
from gateway.dispatch.built_in import read_library
from gateway.dispatch.clock import Clock
from gateway.dispatch.consent_tasks import ConsentWatch
from gateway.dispatch.coordination.base import Coordination
from gateway.dispatch.coordination.in_process import InProcess
from gateway.dispatch.coordination.on_redis import OnRedis
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.finding_out import Inquiry
from gateway.dispatch.holds import Holds
from gateway.dispatch.intake import Intake
from gateway.dispatch.key_ring import KeyRing
from gateway.dispatch.last_check import LastCheck
from gateway.dispatch.library import Library
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.page_texts import PageWriter
from gateway.dispatch.pager import Pager
from gateway.dispatch.paging import WAKE_UP as PAGE
from gateway.dispatch.paging import Paging
from gateway.dispatch.planner import Planner
from gateway.dispatch.provider_gate import ProviderGate, gate_name
from gateway.dispatch.readiness import Readiness
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.recording import Recorder
from gateway.dispatch.relief import Relief
from gateway.dispatch.rendering import Renderer, Sending
from gateway.dispatch.requests import Lane
from gateway.dispatch.restriction_tasks import Reminders
from gateway.dispatch.sender import Sender
from gateway.dispatch.tracing import Tracer, make_tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.dispatch.webhooks.addresses import webhook_session
from gateway.dispatch.webhooks.desk import WebhookDesk
from gateway.dispatch.webhooks.poster import WAKE_UP as POST
from gateway.dispatch.webhooks.poster import Poster
from gateway.dispatch.webhooks.rounds import WebhookRounds
from gateway.dispatch.withdrawing import Withdrawer
from gateway.rules.policy import Policy
from gateway.services import Services
from gateway.settings import EmailProvider, Settings, SmsProvider, SmtpTls
from gateway.store.database import Database
from gateway.store.installation import keep_secret
from gateway.store.leases import claim_owners, end_leases
from gateway.store.migrate import migrate

_log = logging.getLogger(__name__)

LIBRARY = Path(__file__).parent / "content" / "library"

THREADS = {Lane.EMERGENCY: 4, Lane.STANDARD: 4, Lane.BULK: 2, Lane.LETTERS: 1, Lane.WEBHOOKS: 2}
"""Batches in work at once in one process. A thread waits for its batch, so more of them cost little and gain little."""

ALSO = {Lane.BULK: (Lane.LETTERS, Lane.WEBHOOKS)}
"""What workers of a lane take besides: with one worker for each kind of notification nothing is left undone."""

GRACE_SECONDS = 20.0
"""How long a stopping process may finish or hand back what it has claimed."""

_LAST_WORDS_SECONDS = 5.0
"""How long it may still announce what it has just accepted."""


def utc_now() -> dt.datetime:
    """Tell the time."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Everything one process works with."""

    settings: Settings
    database: Database
    wakeups: WakeUps
    channels: Mapping[ChannelName, Channel]
    planner: Planner
    sender: Sender
    pager: Pager
    poster: Poster
    clock: Clock
    services: Services
    catalogue_languages: frozenset[str]

    async def reclaim_from_the_dead(self) -> None:
        """Take back at once what processes of this machine had claimed when they were killed.

        Their leases would give it back, too, but only after most of a minute. For embedded mode, where all processes
        that use the database run on its machine.
        """
        async with self.database.writing() as connection:
            owners = [owner for owner in await claim_owners(connection) if _is_dead(owner)]
            await end_leases(connection, owners)

    async def letter_fault(self) -> str | None:
        """Say in one sentence why letters cannot be typeset, or None."""
        try:
            await asyncio.to_thread(typeset, _SPECIMEN)
        except LetterError as error:
            return error.explanation
        return None

    async def work(self, lanes: Sequence[Lane]) -> None:
        """Begin to take wake-ups of these lanes in the running loop."""
        self.wakeups.serve("plan", self.planner.plan)
        self.wakeups.serve("send", self.sender.send)
        self.wakeups.serve(PAGE, self.pager.send)
        self.wakeups.serve(POST, self.poster.post)
        for channel in self.channels.values():
            await channel.open()
        taken = dict.fromkeys(each for lane in lanes for each in (lane, *ALSO.get(lane, ())))
        self.wakeups.start({lane: THREADS[lane] for lane in taken})


@asynccontextmanager
async def assembled(
    settings: Settings,
    *,
    now: Callable[[], dt.datetime] = utc_now,
    failures: Failures = never_fails,
    real_postcodes: bool = False,
    policy: Policy | None = None,
    tracer: Tracer | None = None,
) -> AsyncIterator[Gateway]:
    """Put a gateway together in the running loop and take it apart at the end.

    `failures` tells the outbox what to refuse, for demonstrations and tests. `policy` is what holds for a school as
    far as it has set nothing else. `tracer` replaces the one that the settings ask for.
    """
    policy = policy or Policy()
    library = Library(await asyncio.to_thread(read_library, LIBRARY))
    database = Database(settings.database_url)
    if settings.sqlite:
        await migrate(database)
    metrics, tracer = Metrics(), tracer or make_tracer(settings.traces_endpoint)
    wakeups = WakeUps(settings.redis_url, tracer=tracer)
    channels = make_channels(settings, now=now, failures=failures)
    coordination: Coordination = OnRedis(settings.redis_url, now=now) if settings.redis_url else InProcess(now=now)
    gate = ProviderGate(
        coordination,
        {gate_name(name, channel): channel.limits for name, channel in channels.items()},
        now=now,
        chance=random.random,
    )
    intake = Intake(database, wakeups, library, now=now, metrics=metrics, tracer=tracer)
    session = webhook_session(allow_private=settings.webhooks_allow_private)
    readiness, backlog = Readiness(database, settings.redis_url, gate), Backlog(database, now=now)
    try:
        secret = settings.secret_key or await keep_secret(database, "link_key", secrets.token_hex(32))
        owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        catalogues = Catalogues.from_files(await asyncio.to_thread(locales.catalogue_files))
        sending = Sending(
            mail_from=settings.email_from,
            public_url=settings.public_url,
            sign=lambda link, delivery: sign_link(secret, link, delivery),
            reply_address=_reply_address(settings.reply_domain, secret),
        )
        renderer = Renderer(catalogues, sending, now=now, policy=policy, real_postcodes=real_postcodes)
        recorder = Recorder()
        receipts = ReceiptDesk(database, wakeups, now=now)
        snapshots = DenySnapshots(database, now=now, policy=policy, secret_key=secret)
        services = Services(
            database=database,
            wakeups=wakeups,
            keys=KeyRing(database, clock=time.monotonic),
            intake=intake,
            library=library,
            snapshots=snapshots,
            receipts=receipts,
            webhooks=WebhookDesk(
                database,
                wakeups,
                now=now,
                secret_key=secret,
                allow_private=settings.webhooks_allow_private,
            ),
            renderer=renderer,
            providers={channel.name: channel for channel in channels.values()},
            gate=gate,
            policy=policy,
            now=now,
            public_url=settings.public_url,
            sign_link=lambda link, subject: sign_link(secret, link, subject),
            link_is_genuine=lambda link, delivery, signature: link_is_genuine(secret, link, delivery, signature),
            max_body_bytes=settings.max_body_bytes,
            readiness=readiness,
            backlog=backlog,
            metrics=metrics,
            tracer=tracer,
        )
        yield Gateway(
            settings=settings,
            database=database,
            wakeups=wakeups,
            channels=channels,
            planner=Planner(
                database, wakeups, owner=owner, now=now, policy=policy, metrics=metrics, snapshots=snapshots
            ),
            sender=Sender(
                database,
                wakeups,
                channels,
                gate,
                LastCheck(database, renderer, recorder, now=now, policy=policy, snapshots=snapshots),
                recorder,
                Inquiry(database, channels, renderer, recorder, now=now),
                owner=owner,
                now=now,
                chance=random.random,
                metrics=metrics,
                tracer=tracer,
            ),
            pager=Pager(
                database,
                channels,
                PageWriter(renderer.phrases, mail_from=settings.email_from, public_url=settings.public_url, now=now),
                owner=owner,
                now=now,
            ),
            poster=Poster(database, wakeups, session, owner=owner, now=now, chance=random.random, secret_key=secret),
            clock=Clock(
                database,
                wakeups,
                receipts,
                now=now,
                metrics=metrics,
                tracer=tracer,
                sweeps=(
                    Withdrawer(database, wakeups, now=now, policy=policy, snapshots=snapshots).round,
                    snapshots.round,
                    Reminders(database, now=now, policy=policy).round,
                    Relief(database, now=now, policy=policy).round,
                    Holds(database, wakeups, now=now, policy=policy, snapshots=snapshots).round,
                    Paging(database, wakeups, now=now, policy=policy).round,
                    ConsentWatch(database, now=now, policy=policy).round,
                    WebhookRounds(database, wakeups, now=now).round,
                ),
            ),
            services=services,
            catalogue_languages=catalogues.languages,
        )
    finally:
        await intake.finish(patience=_LAST_WORDS_SECONDS)
        await wakeups.stop(patience=GRACE_SECONDS)
        await session.close()
        for channel in channels.values():
            await channel.close()
        await readiness.close()
        await backlog.close()
        await coordination.close()
        await database.close()
        await asyncio.to_thread(tracer.close)


def _reply_address(domain: str | None, secret: str) -> Callable[[str], str] | None:
    """Say how deliveries get their reply addresses, if the installation takes replies (R40)."""
    return None if domain is None else lambda delivery: reply_address(secret, delivery, domain)


def make_channels(
    settings: Settings, *, now: Callable[[], dt.datetime], failures: Failures = never_fails
) -> dict[ChannelName, Channel]:
    """Choose the provider of each channel."""
    outbox = settings.outbox_dir
    email: _Limited = OutboxMail(outbox, failures=failures)
    if settings.email_provider is EmailProvider.SMTP:
        email = SmtpChannel(_smtp(settings))
    sms: _Limited = OutboxTexts(outbox, now=now, failures=failures)
    if settings.sms_provider is SmsProvider.TWILIO:
        sms = _twilio(settings, now)
    return {
        ChannelName.EMAIL: _at_rate(email, settings.smtp_rate),
        ChannelName.SMS: _at_rate(sms, settings.sms_rate),
        ChannelName.VOICE: _at_rate(OutboxCalls(outbox, now=now, failures=failures), settings.voice_rate),
        ChannelName.LETTER: _at_rate(OutboxLetters(outbox, typeset, failures=failures), settings.letter_rate),
    }


class _Limited(Channel, Protocol):
    """A channel whose limits the operator can tighten."""

    limits: Limits


def _at_rate(channel: _Limited, rate: float | None) -> Channel:
    """Bind a channel to the hand-overs a second that the operator allows; the provider gate keeps to them."""
    if rate is not None:
        channel.limits = replace(channel.limits, rate=rate)
    return channel


_SPECIMEN = Sheet(
    address=("A. Parent", "1 School Road", "ZZ9 9ZZ"),
    sender=("School",),
    date="1 September 2026",
    subject="Specimen",
    blocks=({"kind": "paragraph", "text": [{"text": "Zażółć اردو বাংলা 中文", "link": None}]},),
    language="en",
    right_to_left=False,
    size=11,
    sealed=False,
)
"""A letter that needs most of the fonts."""


def _is_dead(owner: str) -> bool:
    """Tell whether a claim's owner was a process of this machine that runs no more."""
    host, _, rest = owner.rpartition("/")[0].rpartition("/")
    if host != socket.gethostname() or not rest.isdigit() or int(rest) == os.getpid():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _smtp(settings: Settings) -> SmtpSettings:
    local = settings.smtp_host in {"localhost", "127.0.0.1", "::1"}
    tls = settings.smtp_tls or (SmtpTls.NONE if local else SmtpTls.STARTTLS)
    return SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=settings.smtp_password,
        tls=ChannelTls(tls.value),
        connections=settings.smtp_connections,
    )


def _twilio(settings: Settings, now: Callable[[], dt.datetime]) -> _Limited:
    """Make the Twilio channel; its client takes 0.3 s to load, which only its users should pay."""
    from channels.sms_twilio import TwilioSettings, TwilioTexts  # noqa: PLC0415  # see above

    twilio = TwilioSettings(
        account_sid=settings.twilio_account_sid or "",
        auth_token=settings.twilio_auth_token or "",
        from_number=settings.twilio_from,
        messaging_service_sid=settings.twilio_messaging_service_sid,
        status_callback_url=f"{settings.public_url}/v1/receipts/twilio",
    )
    if settings.twilio_api_base_url:
        twilio = replace(twilio, api_base_url=settings.twilio_api_base_url)
    return TwilioTexts(twilio, now=now)


@contextlib.asynccontextmanager
async def running_clock(gateway: Gateway) -> AsyncIterator[None]:
    """Let the clock make its rounds as long as the context lasts."""
    rounds = asyncio.ensure_future(gateway.clock.run())
    try:
        yield
    finally:
        rounds.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await rounds
