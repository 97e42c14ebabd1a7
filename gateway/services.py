"""What the handlers work with, put together by the assembly and found under one application key."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from channels.base import Channel
from gateway.access import Link
from gateway.dispatch.backlog import Backlog
from gateway.dispatch.calls import CallDesk
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.hand_reports import ReportDesk
from gateway.dispatch.inbox import Inbox
from gateway.dispatch.intake import Intake
from gateway.dispatch.key_ring import KeyRing
from gateway.dispatch.library import Library
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.print_desk import PrintDesk
from gateway.dispatch.provider_gate import ProviderGate
from gateway.dispatch.providers import ProviderChoice
from gateway.dispatch.readiness import Readiness
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.rendering import Renderer
from gateway.dispatch.returned_mail import ReturnedMail
from gateway.dispatch.scripts import ScriptDesk
from gateway.dispatch.text_answers import TextAnswers
from gateway.dispatch.tracing import Tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.dispatch.webhooks.desk import WebhookDesk
from gateway.rules.policy import Policy
from gateway.settings.readers import Price
from gateway.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a request may need."""

    database: Database
    wakeups: WakeUps
    keys: KeyRing
    intake: Intake
    library: Library
    snapshots: DenySnapshots
    receipts: ReceiptDesk
    calls: CallDesk
    inbox: Inbox
    returned_mail: ReturnedMail
    text_answers: TextAnswers
    webhooks: WebhookDesk
    renderer: Renderer
    scripts: ScriptDesk
    reports: ReportDesk
    printing: PrintDesk
    providers: Mapping[str, Channel]
    """By provider name, as in `/v1/receipts/{provider}`."""
    gate: ProviderGate
    """What providers bear at present, as all workers share it."""
    choice: ProviderChoice
    """Which of a channel's providers is given what, and which may not be used."""
    policy: Policy
    now: Callable[[], dt.datetime]
    public_url: str
    text_price: Price | None
    """What one part of a text message costs."""
    sign_link: Callable[[Link, str], str]
    """Signs what a link, or a form behind one, is about."""
    link_is_genuine: Callable[[Link, str, str], bool]
    """Checks a document link: what it is for, delivery id and signature."""
    bounced_delivery: Callable[[str], str | None]
    """Tells which delivery's mail had this return path, if it is one of ours."""
    replied_delivery: Callable[[str], str | None]
    """Tells which delivery an address for answers belongs to, if it is one of ours."""
    max_body_bytes: int
    readiness: Readiness
    backlog: Backlog
    metrics: Metrics
    tracer: Tracer


SERVICES = web.AppKey("services", Services)
