"""What the handlers work with, put together by the assembly and found under one application key."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from channels.base import Channel
from gateway.access import Link
from gateway.dispatch.intake import Intake
from gateway.dispatch.library import Library
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.rendering import Renderer
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.policy import Policy
from gateway.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a request may need."""

    database: Database
    wakeups: WakeUps
    intake: Intake
    library: Library
    receipts: ReceiptDesk
    renderer: Renderer
    providers: Mapping[str, Channel]
    """By provider name, as in `/v1/receipts/{provider}`."""
    policy: Policy
    now: Callable[[], dt.datetime]
    public_url: str
    link_is_genuine: Callable[[Link, str, str], bool]
    """Checks a document link: what it is for, delivery id and signature."""
    max_body_bytes: int
    ready: Callable[[], Awaitable[list[str]]]
    """Says in sentences what a send still lacks."""


SERVICES = web.AppKey("services", Services)
