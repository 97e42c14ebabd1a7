"""A stand-in for Twilio's message API on loopback: strict about requests, stateful, and able to misbehave."""

import asyncio
import base64
import datetime as dt
import email.utils
import itertools
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from twilio.request_validator import RequestValidator

from channels.base import CallbackRequest

ACCOUNT_SID = "AC" + "1" * 32
AUTH_TOKEN = "an invented token for tests"
FROM_NUMBER = "+447700900000"
EMERGENCY_NUMBER = "+447700900001"
SERVICE_SID = "MG" + "2" * 32

_E164 = re.compile(r"\+[1-9]\d{6,14}")

Misbehaviour = Callable[[web.Request], Any]
"""Answers a POST in Twilio's place; None lets the request through."""


@dataclass
class TwilioServer:
    """Twilio as its callers see it: what it stored, what it will do wrong next."""

    now: Callable[[], dt.datetime]
    page_size: int = 50
    account_status: str = "active"
    base_url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    posts: list[dict[str, str]] = field(default_factory=list)
    """Every POST that was read, also those that were refused or never answered."""
    fetches: list[str] = field(default_factory=list)
    """The ids of the messages that were asked for."""
    misbehaviours: deque[Misbehaviour] = field(default_factory=deque)
    """One for each of the next requests."""
    on_the_wire: int = 0
    most_on_the_wire: int = 0
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def next_requests(self, *misbehaviours: Misbehaviour) -> None:
        """Say what the next requests meet with."""
        self.misbehaviours.extend(misbehaviours)

    def callback(
        self, sid: str, status: str, *, url: str, signed_url: str | None = None, **more: str
    ) -> CallbackRequest:
        """Make the signed status callback Twilio would post to a URL; Twilio's own library signs."""
        form = {"AccountSid": ACCOUNT_SID, "From": FROM_NUMBER, "MessageSid": sid, "MessageStatus": status, **more}
        return signed_form(form, url=url, signed_url=signed_url)

    def inbound(self, sid: str, body: str, *, url: str, sender: str, **more: str) -> CallbackRequest:
        """Make the signed request by which Twilio passes on a text that somebody sent to one of its numbers."""
        form = {
            "ToCountry": "GB",
            "MessageSid": sid,
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "AccountSid": ACCOUNT_SID,
            "SmsStatus": "received",
            "NumMedia": "0",
            "NumSegments": "1",
            "From": sender,
            "To": FROM_NUMBER,
            "Body": body,
            "ApiVersion": "2010-04-01",
            **more,
        }
        return signed_form(form, url=url)

    async def account(self, request: web.Request) -> web.Response:
        """Answer `GET /Accounts/{sid}.json`."""
        if problem := await self._problem(request):
            return problem
        return web.json_response({"sid": ACCOUNT_SID, "status": self.account_status})

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /Messages.json`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.posts.append(form)
        self.on_the_wire += 1
        self.most_on_the_wire = max(self.most_on_the_wire, self.on_the_wire)
        try:
            if problem := await self._problem(request) or _form_problem(form):
                return problem
            return web.json_response(self.store(form), status=201)
        finally:
            self.on_the_wire -= 1

    async def listing(self, request: web.Request) -> web.Response:
        """Answer `GET /Messages.json`, newest first, in pages."""
        if problem := await self._problem(request):
            return problem
        wanted = request.query.get("To")
        matching = [message for message in reversed(self.messages) if wanted in (None, message["to"])]
        size = min(int(request.query.get("PageSize", "50")), self.page_size)
        page = int(request.query.get("Page", "0"))
        rest = matching[page * size :]
        following = None
        if len(rest) > size:
            query = urlencode({**request.query, "Page": str(page + 1)})
            following = f"{request.path}?{query}"
        return web.json_response({"messages": rest[:size], "next_page_uri": following, "page": page, "page_size": size})

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /Messages/{sid}.json`."""
        self.fetches.append(request.match_info["sid"])
        self.on_the_wire += 1
        self.most_on_the_wire = max(self.most_on_the_wire, self.on_the_wire)
        try:
            if problem := await self._problem(request):
                return problem
            found = [message for message in self.messages if message["sid"] == request.match_info["sid"]]
            return web.json_response(found[0]) if found else refusal(404, 20404)
        finally:
            self.on_the_wire -= 1

    def store(self, form: dict[str, str]) -> dict[str, Any]:
        """Keep a message as Twilio would, and return its resource."""
        message = {
            "sid": f"SM{next(self._numbers):032x}",
            "account_sid": ACCOUNT_SID,
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": form["Body"],
            "status": "queued",
            "direction": "outbound-api",
            "date_created": email.utils.format_datetime(self.now()),
            "date_sent": None,
            "error_code": None,
        }
        self.messages.append(message)
        return message

    async def _problem(self, request: web.Request) -> web.StreamResponse | None:
        credentials = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {credentials}":
            return refusal(401, 20003)
        if request.match_info["account"] != ACCOUNT_SID:
            return refusal(404, 20404)
        return await self.misbehaviours.popleft()(request) if self.misbehaviours else None


def signed_form(form: dict[str, str], *, url: str, signed_url: str | None = None) -> CallbackRequest:
    """Post a form to a URL with the signature Twilio's own library gives it."""
    signature = RequestValidator(AUTH_TOKEN).compute_signature(signed_url or url, form)
    return CallbackRequest(url=url, headers={"x-twilio-signature": signature}, body=urlencode(form).encode())


def refusal(status: int, code: int, **headers: str) -> web.Response:
    """Write an error as Twilio does; its words repeat what must not be passed on."""
    return web.json_response(
        {"code": code, "message": f"The 'To' number {FROM_NUMBER} was refused", "status": status},
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def refuses(status: int, code: int, **headers: str) -> Misbehaviour:
    """Refuse the next request with an error code."""

    async def answer(_request: web.Request) -> web.Response:
        return refusal(status, code, **headers)

    return answer


def answers(status: int, body: str) -> Misbehaviour:
    """Answer the next request with any status and body."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/json")

    return answer


def cuts(server: Any, *, stored: bool) -> Misbehaviour:
    """Take the next request, keep the message or not, and cut the connection without an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if stored:
            server.store(server.posts[-1])
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def hangs() -> Misbehaviour:
    """Take the next request and never answer."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return answer


@asynccontextmanager
async def running_twilio(now: Callable[[], dt.datetime]) -> AsyncIterator[TwilioServer]:
    """Serve the stand-in on a free port of loopback."""
    server = TwilioServer(now)
    app = web.Application()
    prefix = "/2010-04-01/Accounts/{account}"
    app.router.add_get(prefix + ".json", server.account)
    app.router.add_post(prefix + "/Messages.json", server.create)
    app.router.add_get(prefix + "/Messages.json", server.listing)
    app.router.add_get(prefix + "/Messages/{sid}.json", server.fetch)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def _form_problem(form: dict[str, str]) -> web.Response | None:
    """Check a create request as Twilio does; returns its refusal, or None."""
    checks = {
        21604: not form.get("To"),
        21211: not _E164.fullmatch(form.get("To", "")),
        21603: not (form.get("From") or form.get("MessagingServiceSid")),
        21602: not form.get("Body"),
        21617: len(form.get("Body", "")) > 1600,
        30035: not 1 <= int(form.get("ValidityPeriod", "36000")) <= 36000,
    }
    return next((refusal(400, code) for code, wrong in checks.items() if wrong), None)
