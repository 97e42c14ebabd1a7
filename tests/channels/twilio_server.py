"""A stand-in for Twilio's message API on loopback: strict about requests, stateful, and able to misbehave."""

import base64
import datetime as dt
import email.utils
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from twilio.request_validator import RequestValidator

from channels.base import CallbackRequest
from tests.channels.web_stand_in import Misbehaviour, StandIn, hyphenated, responds, running

ACCOUNT_SID = "AC" + "1" * 32
AUTH_TOKEN = "an invented token for tests"
FROM_NUMBER = "+447700900000"
EMERGENCY_NUMBER = "+447700900001"
SERVICE_SID = "MG" + "2" * 32

_E164 = re.compile(r"\+[1-9]\d{6,14}")

PREFIX = "/2010-04-01/Accounts/{account}"


@dataclass
class TwilioAccountServer(StandIn):
    """One account at Twilio, whatever is sent with it."""

    now: Callable[[], dt.datetime]
    account_status: str = "active"

    def routes(self) -> list[web.RouteDef]:
        """Answer what the adapters ask."""
        return [web.get(PREFIX + ".json", self.account)]

    async def account(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /Accounts/{sid}.json`."""
        if problem := await self._problem(request):
            return problem
        return web.json_response({"sid": ACCOUNT_SID, "status": self.account_status})

    async def _problem(self, request: web.Request) -> web.StreamResponse | None:
        credentials = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {credentials}":
            return refusal(401, 20003)
        if request.match_info["account"] != ACCOUNT_SID:
            return refusal(404, 20404)
        return await self.misbehaved(request)


@dataclass
class TwilioServer(TwilioAccountServer):
    """Twilio as its callers see it: what it stored, what it will do wrong next."""

    page_size: int = 50
    messages: list[dict[str, Any]] = field(default_factory=list)
    fetches: list[str] = field(default_factory=list)
    """The ids of the messages that were asked for."""

    def routes(self) -> list[web.RouteDef]:
        """Answer what the adapter asks."""
        return [
            *super().routes(),
            web.post(PREFIX + "/Messages.json", self.create),
            web.get(PREFIX + "/Messages.json", self.listing),
            web.get(PREFIX + "/Messages/{sid}.json", self.fetch),
        ]

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

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /Messages.json`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.posts.append(form)
        with self.counted():
            if problem := await self._problem(request) or _form_problem(form):
                return problem
            return web.json_response(self.store(form), status=201)

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
        with self.counted():
            if problem := await self._problem(request):
                return problem
            found = [message for message in self.messages if message["sid"] == request.match_info["sid"]]
            return web.json_response(found[0]) if found else refusal(404, 20404)

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


def signed_form(form: dict[str, str], *, url: str, signed_url: str | None = None) -> CallbackRequest:
    """Post a form to a URL with the signature Twilio's own library gives it."""
    signature = RequestValidator(AUTH_TOKEN).compute_signature(signed_url or url, form)
    return CallbackRequest(url=url, headers={"x-twilio-signature": signature}, body=urlencode(form).encode())


def refusal(status: int, code: int, **headers: str) -> web.Response:
    """Write an error as Twilio does; its words repeat what must not be passed on."""
    return web.json_response(
        {"code": code, "message": f"The 'To' number {FROM_NUMBER} was refused", "status": status},
        status=status,
        headers=hyphenated(headers),
    )


def refuses(status: int, code: int, **headers: str) -> Misbehaviour:
    """Refuse the next request with an error code."""
    return responds(lambda: refusal(status, code, **headers))


def running_twilio(now: Callable[[], dt.datetime]) -> AbstractAsyncContextManager[TwilioServer]:
    """Serve the stand-in on a free port of loopback."""
    return running(TwilioServer(now))


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
