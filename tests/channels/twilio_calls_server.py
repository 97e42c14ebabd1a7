"""A stand-in for Twilio's calls API on loopback: it places calls, and asks us what to say to whoever takes them."""

import datetime as dt
import email.utils
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from xml.etree import ElementTree as ET

import aiohttp
from aiohttp import web

from channels.base import CallbackRequest
from tests.channels.twilio_server import ACCOUNT_SID, PREFIX, TwilioAccountServer, refusal, signed_form
from tests.channels.web_stand_in import running

VOICE_FROM = "+441632960000"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_KNOWN_FIELDS = {
    "To",
    "From",
    "Url",
    "StatusCallback",
    "StatusCallbackEvent",
    "MachineDetection",
    "Timeout",
    "TimeLimit",
}
_ATTRIBUTES = {
    "Response": set(),
    "Say": {"voice", "language"},
    "Gather": {"input", "numDigits", "timeout", "finishOnKey", "action", "method", "actionOnEmptyResult"},
    "Pause": {"length"},
    "Redirect": {"method"},
    "Hangup": set(),
}
_CHILDREN = {"Response": {"Say", "Gather", "Pause", "Redirect", "Hangup"}, "Gather": {"Say"}}


@dataclass
class Talk:
    """One call as the person at the other end knows it."""

    sid: str
    said: list[str] = field(default_factory=list)
    """What was said, one `<Say>` an entry."""
    voices: list[tuple[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """HTTP status of each answer to a question."""
    pauses: int = 0
    hung_up: bool = False
    """True when we ended it."""

    @property
    def words(self) -> str:
        """All that was said."""
        return "\n".join(self.said)


@dataclass
class TwilioCallsServer(TwilioAccountServer):
    """Twilio as its callers and the called see it."""

    gateway: tuple[str, str] = ("", "")
    """The gateway's public address, and where it really listens."""
    ends_at_once: bool = False
    """Whether every call is over as soon as it is placed, and what was asked during it can be read."""
    calls: list[dict[str, Any]] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        """Answer what the adapter asks."""
        return [
            *super().routes(),
            web.post(PREFIX + "/Calls.json", self.create),
            web.get(PREFIX + "/Calls.json", self.listing),
            web.get(PREFIX + "/Calls/{sid}.json", self.one),
            web.get(PREFIX + "/Calls/{sid}/Events.json", self.events),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /Calls.json`."""
        posted = await request.post()
        form = {name: " ".join(map(str, posted.getall(name))) for name in posted}
        self.posts.append(form)
        with self.counted():
            if problem := await self._problem(request) or _form_problem(form):
                return problem
            return web.json_response(_shown(self.store(form)), status=201)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /Calls.json`, newest first."""
        if problem := await self._problem(request):
            return problem
        matching = [call for call in reversed(self.calls) if request.query.get("To") in (None, call["to"])]
        page = matching[: int(request.query.get("PageSize", "50"))]
        return web.json_response({"calls": [_shown(call) for call in page], "next_page_uri": None, "page": 0})

    async def one(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /Calls/{sid}.json`."""
        if problem := await self._problem(request):
            return problem
        call = self._call(request.match_info["sid"])
        return refusal(404, 20404) if call is None else web.json_response(_shown(call))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /Calls/{sid}/Events.json`: the questions asked, once the call has ended for 15 minutes."""
        if problem := await self._problem(request):
            return problem
        call = self._call(request.match_info["sid"])
        if call is None:
            return refusal(404, 20404)
        asked = [{"request": {"method": "POST", "url": url, "parameters": {}}, "response": {}} for url in call["asked"]]
        return web.json_response({"events": asked if call["over"] else [], "next_page_uri": None, "page": 0})

    def store(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Keep a call as Twilio would."""
        call = {
            "sid": f"CA{next(self._numbers):032x}",
            "account_sid": ACCOUNT_SID,
            "to": form["To"],
            "from": form["From"],
            "status": "queued",
            "direction": "outbound-api",
            "answered_by": None,
            "date_created": email.utils.format_datetime(self.now()),
            "start_time": None,
            "form": dict(form),
            "asked": [form["Url"]] if self.ends_at_once else [],
            "over": self.ends_at_once,
        }
        self.calls.append(call)
        return call

    async def taken(
        self,
        call: dict[str, Any],
        by: str | None = "human",
        keys: Sequence[str] = (),
        *,
        stays_for: int | None = None,
        called: str | None = None,
    ) -> Talk:
        """Let somebody take a call, press these keys in turn (empty: none) and hang up after so many sentences.

        `called` is the number that was really reached. Twilio asks and plays as its documents say.
        """
        keys_left = list(keys)
        call |= {"status": "in-progress", "answered_by": by}
        talk, more = Talk(call["sid"]), {"AnsweredBy": by} if by else {}
        url: str | None = call["form"]["Url"]
        async with aiohttp.ClientSession() as session:
            while url is not None:
                document = await self._asked(session, call, url, {"To": called or call["to"], **more}, talk)
                url, more = self._played(document, talk, keys_left, stays_for)
        call |= {"status": "completed", "over": True}
        return talk

    def report(self, call: dict[str, Any], status: str, **more: str) -> CallbackRequest:
        """Make the signed status callback about a call."""
        form = {
            "AccountSid": ACCOUNT_SID,
            "CallSid": call["sid"],
            "CallStatus": status,
            "CallbackSource": "call-progress-events",
            "From": call["from"],
            "To": call["to"],
            **more,
        }
        return signed_form(form, url=call["form"]["StatusCallback"])

    async def tell(self, *reports: CallbackRequest) -> list[int]:
        """Post status callbacks, in this order; gives the HTTP status of each."""
        async with aiohttp.ClientSession() as session:
            return [await self._posted(session, report) for report in reports]

    async def _posted(self, session: aiohttp.ClientSession, request: CallbackRequest) -> int:
        headers = {**request.headers, "Content-Type": "application/x-www-form-urlencoded"}
        async with session.post(self._really(request.url), data=request.body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def _asked(
        self, session: aiohttp.ClientSession, call: dict[str, Any], url: str, more: Mapping[str, str], talk: Talk
    ) -> ET.Element:
        form = {
            "AccountSid": ACCOUNT_SID,
            "CallSid": call["sid"],
            "CallStatus": "in-progress",
            "Direction": "outbound-api",
            "From": call["from"],
            **more,
        }
        request = signed_form(form, url=url)
        headers = {**request.headers, "Content-Type": "application/x-www-form-urlencoded"}
        call["asked"].append(url)
        async with session.post(self._really(url), data=request.body, headers=headers) as answer:
            talk.answers.append(answer.status)
            assert answer.status == 200, await answer.text()
            assert answer.content_type in {"text/xml", "application/xml"}
            return checked(await answer.text())

    def _played(
        self, document: ET.Element, talk: Talk, keys: list[str], stays_for: int | None
    ) -> tuple[str | None, dict[str, str]]:
        """Play a document; gives where to ask next and with what, or None when the call is over."""
        for verb in document:
            for said in [verb] if verb.tag == "Say" else verb.findall("Say"):
                if stays_for is not None and len(talk.said) >= stays_for:
                    return None, {}
                talk.said.append(said.text or "")
                talk.voices.append((said.attrib["voice"], said.attrib["language"]))
            if verb.tag == "Pause":
                talk.pauses += 1
            if verb.tag == "Redirect":
                return verb.text, {}
            if verb.tag == "Gather":
                key = keys.pop(0) if keys else ""
                if key or verb.attrib["actionOnEmptyResult"] == "true":
                    return verb.attrib["action"], {"Digits": key}
            if verb.tag == "Hangup":
                break
        talk.hung_up = True
        return None, {}

    def _really(self, url: str) -> str:
        public, real = self.gateway
        assert url.startswith(public)
        return real + url.removeprefix(public)

    def _call(self, sid: str) -> dict[str, Any] | None:
        return next((call for call in self.calls if call["sid"] == sid), None)


def checked(twiml: str) -> ET.Element:
    """Read TwiML as strictly as Twilio: known verbs in their places, and nothing too long for its voice."""
    document = ET.fromstring(twiml)  # noqa: S314  # our own answer
    assert document.tag == "Response"
    assert len(twiml.encode()) <= 65_536
    for element in document.iter():
        assert set(element.attrib) <= _ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= _CHILDREN.get(element.tag, set())
        if element.tag == "Say":
            text, voice = element.text or "", element.attrib["voice"]
            assert text.strip()
            assert len(text.encode()) <= (3_000 if voice.startswith("Polly.") else 5_000)
            assert len(quote(text)) <= 4_500
    return document


def running_calls(now: Callable[[], dt.datetime]) -> AbstractAsyncContextManager[TwilioCallsServer]:
    """Serve the stand-in on a free port of loopback."""
    return running(TwilioCallsServer(now))


def delivery_in(url: str) -> str | None:
    """Read the delivery out of an address of ours."""
    return parse_qs(urlsplit(url).query).get("delivery", [None])[0]


def _shown(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name not in {"form", "asked", "over"}}


def _form_problem(form: dict[str, str]) -> web.Response | None:
    """Check a create request as Twilio does; returns its refusal, or None."""
    events = set(form.get("StatusCallbackEvent", "").split())
    strange = (
        form.keys() - _KNOWN_FIELDS,
        events - {"initiated", "ringing", "answered", "completed"},
        not re.match(r"https?://[^/\s]+/", form.get("StatusCallback", "http://a/")),
        form.get("MachineDetection", "Enable") not in {"Enable", "DetectMessageEnd"},
        not 5 <= int(form.get("Timeout", "60")) <= 600,
        not 1 <= int(form.get("TimeLimit", "14400")) <= 14_400,
    )
    checks = {
        20001: any(strange),
        21201: not form.get("To"),
        21211: not _E164.fullmatch(form.get("To", "")),
        21213: not form.get("From"),
        21212: not _E164.fullmatch(form.get("From", "")),
        21205: not re.match(r"https?://[^/\s]+/", form.get("Url", "")),
    }
    return next((refusal(400, code) for code, wrong in checks.items() if wrong), None)
