"""The one place where the parts are chosen and put together: embedded or distributed, outbox or provider."""

import asyncio
import contextlib
import datetime as dt
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import locales
from channels.base import Askable
from channels.letter_sheet import typeset
from channels.outbox import Failures, never_fails
from gateway.access import (
    bounce_address,
    bounced_delivery,
    link_is_genuine,
    replied_delivery,
    reply_address,
    sign_link,
)
from gateway.content.catalogues import Catalogues
from gateway.dispatch.backlog import Backlog
from gateway.dispatch.built_in import read_library
from gateway.dispatch.calls import CallDesk
from gateway.dispatch.clock import Clock
from gateway.dispatch.consent_tasks import ConsentWatch
from gateway.dispatch.coordination.base import Coordination
from gateway.dispatch.coordination.in_process import InProcess
from gateway.dispatch.coordination.on_redis import OnRedis
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.finding_out import Inquiry
from gateway.dispatch.hand_reports import ReportDesk
from gateway.dispatch.hand_rounds import HandRounds
from gateway.dispatch.holds import Holds
from gateway.dispatch.inbox import Inbox
from gateway.dispatch.intake import Intake
from gateway.dispatch.key_ring import KeyRing
from gateway.dispatch.last_check import LastCheck
from gateway.dispatch.library import Library
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.owners import own_name
from gateway.dispatch.page_texts import PageWriter
from gateway.dispatch.pager import Pager
from gateway.dispatch.paging import WAKE_UP as PAGE
from gateway.dispatch.paging import Paging
from gateway.dispatch.planner import Planner
from gateway.dispatch.print_runs import WAKE_UP as PRINT
from gateway.dispatch.print_runs import PrintRuns
from gateway.dispatch.provider_gate import ProviderGate
from gateway.dispatch.providers import ProviderChoice, Providers, adapters
from gateway.dispatch.questions import Questions
from gateway.dispatch.readiness import Readiness
from gateway.dispatch.recalling import WAKE_UP as RECALL
from gateway.dispatch.recalling import Recall
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.recording import Recorder
from gateway.dispatch.relief import Relief
from gateway.dispatch.rendering import Renderer, Sending
from gateway.dispatch.requests import Lane
from gateway.dispatch.restriction_tasks import Reminders
from gateway.dispatch.returned_mail import ReturnedMail
from gateway.dispatch.scripts import ScriptDesk
from gateway.dispatch.sender import Sender
from gateway.dispatch.silence import Silence
from gateway.dispatch.taking_back import TakingBack
from gateway.dispatch.text_answers import TextAnswers
from gateway.dispatch.text_back import TextBack
from gateway.dispatch.tracing import Tracer, make_tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.dispatch.webhooks.addresses import webhook_session
from gateway.dispatch.webhooks.desk import WebhookDesk
from gateway.dispatch.webhooks.poster import WAKE_UP as POST
from gateway.dispatch.webhooks.poster import Poster
from gateway.dispatch.webhooks.rounds import WebhookRounds
from gateway.dispatch.withdrawing import Withdrawer
from gateway.printing import make_printing, print_terms
from gateway.providers import make_providers
from gateway.rules.policy import Policy
from gateway.services import Services
from gateway.settings import Settings
from gateway.store.database import Database
from gateway.store.installation import keep_secret
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
    providers: Providers
    planner: Planner
    sender: Sender
    pager: Pager
    poster: Poster
    print_runs: PrintRuns
    recall: Recall
    clock: Clock
    services: Services
    catalogue_languages: frozenset[str]

    async def open_providers(self) -> None:
        """Make all providers ready; raises `ChannelSettingsError`."""
        for adapter in adapters(self.providers):
            await adapter.open()

    async def work(self, lanes: Sequence[Lane]) -> None:
        """Begin to take wake-ups of these lanes in the running loop."""
        self.wakeups.serve("plan", self.planner.plan)
        self.wakeups.serve("send", self.sender.send)
        self.wakeups.serve(PAGE, self.pager.send)
        self.wakeups.serve(POST, self.poster.post)
        self.wakeups.serve(PRINT, self.print_runs.work)
        self.wakeups.serve(RECALL, self.recall.work)
        await self.open_providers()
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
    catalogues = Catalogues.from_files(await asyncio.to_thread(locales.catalogue_files))
    database = Database(settings.database_url)
    if settings.sqlite:
        await migrate(database)
    metrics, tracer = Metrics(), tracer or make_tracer(settings.traces_endpoint)
    wakeups = WakeUps(settings.redis_url, tracer=tracer)
    providers = make_providers(settings, now=now, failures=failures)
    coordination: Coordination = OnRedis(settings.redis_url, now=now) if settings.redis_url else InProcess(now=now)
    gate = ProviderGate(
        coordination,
        {each.key: each.channel.limits for of_channel in providers.values() for each in of_channel},
        now=now,
        chance=random.random,
    )
    choice = ProviderChoice(providers, gate, now=now, chance=random.random)
    intake = Intake(database, wakeups, library, now=now, metrics=metrics, tracer=tracer)
    named = {adapter.name: adapter for adapter in adapters(providers)}
    questions = Questions([name for name, adapter in named.items() if isinstance(adapter, Askable)])
    receipts = ReceiptDesk(database, wakeups, now=now, chance=random.random, metrics=metrics, questions=questions)
    silence = Silence(database, receipts, named, now=now)
    session = webhook_session(allow_private=settings.webhooks_allow_private)
    reached_at = settings.texts.sms_help or settings.email.email_from
    countries = settings.texts.sms_countries
    text_back = TextBack(providers, catalogues.phrases, reached_at=reached_at, countries=countries, now=now)
    readiness, backlog = Readiness(database, settings.redis_url, gate, choice), Backlog(database, now=now)
    try:
        secret = settings.secret_key or await keep_secret(database, "link_key", secrets.token_hex(32))
        owner = own_name()
        renderer = Renderer(
            catalogues, _sending(settings, secret), now=now, policy=policy, real_postcodes=real_postcodes
        )
        recorder = Recorder(questions)
        inbox = Inbox(database, now=now, metrics=metrics)
        snapshots = DenySnapshots(database, now=now, policy=policy, secret_key=secret)
        taking_back = TakingBack(policy=policy, snapshots=snapshots)
        printing = make_printing(
            settings,
            providers,
            database,
            wakeups,
            receipts,
            renderer,
            policy=policy,
            snapshots=snapshots,
            phrases=catalogues.phrases,
            owner=owner,
            now=now,
        )
        pages = PageWriter(
            renderer.phrases, mail_from=settings.email.email_from, public_url=settings.public_url, now=now
        )
        services = Services(
            database=database,
            wakeups=wakeups,
            keys=KeyRing(database, clock=time.monotonic),
            intake=intake,
            library=library,
            snapshots=snapshots,
            receipts=receipts,
            calls=CallDesk(database, renderer, pages, now=now, policy=policy, snapshots=snapshots),
            inbox=inbox,
            returned_mail=ReturnedMail(database, receipts, inbox, now=now, policy=policy, metrics=metrics),
            text_answers=TextAnswers(database, inbox, receipts, text_back, now=now, policy=policy),
            webhooks=WebhookDesk(
                database,
                wakeups,
                now=now,
                secret_key=secret,
                allow_private=settings.webhooks_allow_private,
            ),
            renderer=renderer,
            scripts=ScriptDesk(database, renderer, taking_back, wakeups, now=now, typeset=typeset),
            reports=ReportDesk(database, receipts, now=now),
            printing=printing.desk,
            providers=named,
            gate=gate,
            choice=choice,
            policy=policy,
            now=now,
            public_url=settings.public_url,
            text_price=settings.texts.sms_price,
            sign_link=lambda link, subject: sign_link(secret, link, subject),
            link_is_genuine=lambda link, delivery, signature: link_is_genuine(secret, link, delivery, signature),
            bounced_delivery=lambda address: bounced_delivery(secret, address),
            replied_delivery=lambda address: replied_delivery(secret, address),
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
            providers=providers,
            planner=Planner(
                database, wakeups, owner=owner, now=now, policy=policy, metrics=metrics, snapshots=snapshots
            ),
            sender=Sender(
                database,
                wakeups,
                choice,
                gate,
                LastCheck(database, renderer, recorder, now=now, policy=policy, snapshots=snapshots),
                recorder,
                Inquiry(database, choice, renderer, recorder, now=now),
                owner=owner,
                now=now,
                chance=random.random,
                metrics=metrics,
                tracer=tracer,
            ),
            pager=Pager(
                database,
                providers,
                pages,
                owner=owner,
                now=now,
            ),
            poster=Poster(database, wakeups, session, owner=owner, now=now, chance=random.random, secret_key=secret),
            print_runs=printing.runs,
            recall=printing.recall,
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
                    silence.round,
                    HandRounds(database, taking_back, receipts, wakeups, now=now).round,
                    printing.rounds.round,
                ),
            ),
            services=services,
            catalogue_languages=catalogues.languages,
        )
    finally:
        await intake.finish(patience=_LAST_WORDS_SECONDS)
        await silence.stop()
        await receipts.finish(patience=_LAST_WORDS_SECONDS)
        await wakeups.stop(patience=GRACE_SECONDS)
        await session.close()
        await text_back.finish()
        for adapter in adapters(providers):
            await adapter.close()
        await readiness.close()
        await backlog.close()
        await coordination.close()
        await database.close()
        await asyncio.to_thread(tracer.close)


def _sending(settings: Settings, secret: str) -> Sending:
    """Say how the installation presents itself; `secret` signs what leads back to it."""
    return Sending(
        mail_from=settings.email.email_from,
        public_url=settings.public_url,
        sign=lambda link, delivery: sign_link(secret, link, delivery),
        reply_address=_signed_address(reply_address, settings.email.reply_domain, secret),
        bounce_address=_signed_address(bounce_address, settings.email.bounce_domain, secret),
        text_countries=settings.texts.sms_countries,
        return_address=settings.letters.letter_return_address,
        postbag=print_terms(settings).postbag,
    )


def _signed_address(
    make: Callable[[str, str, str], str], domain: str | None, secret: str
) -> Callable[[str], str] | None:
    """Say how deliveries get addresses of their own, if the installation takes mail in this domain."""
    return None if domain is None else lambda delivery: make(secret, delivery, domain)


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
