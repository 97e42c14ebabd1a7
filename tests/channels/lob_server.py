"""A stand-in for Lob's letters API on loopback: strict about requests, stateful, and able to misbehave."""

import base64
import datetime as dt
import io
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from pypdf import PdfReader

from channels.base import CallbackRequest
from channels.letter_lob import LobSettings
from channels.letter_lob_news import signature
from tests.channels.web_stand_in import Misbehaviour, StandIn, hyphenated, responds, running

API_KEY = "test_an_invented_key"
WEBHOOK_SECRET = "an invented webhook secret"
RECEIPTS_URL = "https://gateway.example.org/v1/receipts/lob"
LETTER_POINTS = (612, 792)
"""US Letter."""

_KNOWN = re.compile(
    r"(to|from)\[(name|address_line1|address_line2|address_city|address_state|address_zip|address_country)\]"
    r"|file|color|double_sided|address_placement|mail_type|use_type|metadata\[\w+\]"
)


@dataclass
class LobServer(StandIn):
    """Lob as its callers see it: what it has, what it will do wrong next."""

    now: Callable[[], dt.datetime]
    letters: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)
    """Form and answer of each idempotency key."""
    printed: set[str] = field(default_factory=set)
    """Letters that cannot be deleted any more."""

    def routes(self) -> list[web.RouteDef]:
        """Answer what the adapter asks."""
        return [
            web.post("/v1/letters", self.create),
            web.get("/v1/letters", self.listing),
            web.get("/v1/letters/{id}", self.one),
            web.delete("/v1/letters/{id}", self.delete),
        ]

    def living(self) -> list[dict[str, Any]]:
        """List the letters that are not deleted."""
        return [letter for letter in self.letters.values() if not letter["deleted"]]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /v1/letters`."""
        form = await request.post()
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        self.posts.append(texts)
        upload = form.get("file")
        pdf = b""
        if isinstance(upload, web.FileField):
            with upload.file:
                pdf = upload.file.read()
        if problem := self._refusal(request) or _form_problem(texts, pdf):
            return problem
        key = request.headers.get("Idempotency-Key", "")
        if not 1 <= len(key) <= 256:
            return refusal(422, "invalid")
        if key in self.keys:
            known, answer = self.keys[key]
            same = {name for name in texts if not name.startswith("file")}
            if {name: known[name] for name in known if name in same} != texts:
                return refusal(422, "invalid")
            return web.Response(body=answer, content_type="application/json")
        if answered := await self.misbehaved(request):
            return answered
        return web.Response(body=self.store(texts, key, pdf), content_type="application/json")

    def keep(self, request: web.Request) -> None:
        """Keep the letter under its key."""
        self.store(self.posts[-1], request.headers["Idempotency-Key"])

    def store(self, form: dict[str, str], key: str = "", pdf: bytes = b"%PDF") -> bytes:
        """Keep a letter as Lob would, and return its resource."""
        letter = {
            "id": f"ltr_{next(self._numbers):016x}",
            "object": "letter",
            "deleted": False,
            "date_created": self.now().isoformat(),
            "to": {name: value for name, value in form.items() if name.startswith("to[")},
            "metadata": {"delivery": form["metadata[delivery]"]},
            "tracking_events": [],
        }
        self.letters[letter["id"]] = letter
        self.files[letter["id"]] = pdf
        answer = msgspec.json.encode(letter)
        self.keys[key] = (form, answer)
        return answer

    async def listing(self, request: web.Request) -> web.Response:
        """Answer `GET /v1/letters`."""
        if problem := self._refusal(request):
            return problem
        wanted = request.query.get("metadata[delivery]")
        found = [one for one in self.letters.values() if wanted in (None, one["metadata"]["delivery"])]
        limit = int(request.query.get("limit", "10"))
        return web.json_response({"data": found[::-1][:limit], "object": "list", "count": len(found)})

    async def one(self, request: web.Request) -> web.Response:
        """Answer `GET /v1/letters/{id}`."""
        if problem := self._refusal(request):
            return problem
        letter = self.letters.get(request.match_info["id"])
        return web.json_response(letter) if letter else refusal(404, "not_found")

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Answer `DELETE /v1/letters/{id}`."""
        if problem := self._refusal(request):
            return problem
        if answered := await self.misbehaved(request):
            return answered
        letter = self.letters.get(request.match_info["id"])
        if letter is None or letter["deleted"]:
            return refusal(404, "not_found")
        if letter["id"] in self.printed:
            return refusal(422, "invalid")
        letter["deleted"] = True
        return web.json_response({"id": letter["id"], "deleted": True})

    def webhook(
        self, kind: str, letter: str, *, event: str = "evt_1", at: dt.datetime | None = None
    ) -> CallbackRequest:
        """Make the signed webhook that Lob would post about a letter."""
        known = self.letters.get(letter, {"id": letter, "metadata": {"delivery": "d1"}, "to": {"name": "private"}})
        document = {
            "id": event,
            "object": "event",
            "event_type": {"id": kind, "resource": "letters"},
            "reference_id": letter,
            "date_created": self.now().isoformat(),
            "body": known,
        }
        return signed(msgspec.json.encode(document), at or self.now())

    def _refusal(self, request: web.Request) -> web.Response | None:
        credentials = base64.b64encode(f"{API_KEY}:".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {credentials}":
            return refusal(401, "invalid_api_key")
        return None


def signed(body: bytes, at: dt.datetime, secret: str = WEBHOOK_SECRET) -> CallbackRequest:
    """Post a body as Lob does."""
    timestamp = str(int(at.timestamp() * 1000))
    headers = {"lob-signature": signature(secret, timestamp, body), "lob-signature-timestamp": timestamp}
    return CallbackRequest(url=RECEIPTS_URL, headers=headers, body=body)


def refusal(status: int, code: str, **headers: str) -> web.Response:
    """Write an error as Lob does; its words repeat what must not be passed on."""
    return web.json_response(
        {"error": {"message": "The address of Amina Example was refused", "status_code": status, "code": code}},
        status=status,
        headers=hyphenated(headers),
    )


def refuses(status: int, code: str, **headers: str) -> Misbehaviour:
    """Refuse the next request with an error code."""
    return responds(lambda: refusal(status, code, **headers))


def running_lob(now: Callable[[], dt.datetime]) -> AbstractAsyncContextManager[LobServer]:
    """Serve the stand-in on a free port of loopback."""
    return running(LobServer(now))


def settings_for(server: LobServer, **changes: Any) -> LobSettings:
    """Give the settings of an account there."""
    fields = {
        "api_key": API_KEY,
        "return_address": ("1 School Lane", "Springfield, IL", "62701"),
        "webhook_secret": WEBHOOK_SECRET,
        "api_base_url": server.base_url,
        "timeout": 3,
    }
    return LobSettings(**{**fields, **changes})


def _form_problem(form: dict[str, str], pdf: bytes) -> web.Response | None:
    """Check a create request as Lob does; returns its refusal, or None."""
    checks = {
        "unknown field": any(not _KNOWN.fullmatch(name) for name in form),
        "use_type": form.get("use_type") not in {"marketing", "operational"},
        "color": form.get("color") not in {"true", "false"},
        "mail_type": form.get("mail_type") not in {"usps_first_class", "usps_standard"},
    }
    if any(checks.values()):
        return refusal(422, "invalid")
    if code := _address_problem("to", form) or _address_problem("from", form) or _file_problem(pdf):
        return refusal(422, code)
    return None


def _file_problem(pdf: bytes) -> str | None:
    if not pdf.startswith(b"%PDF"):
        return "invalid_file"
    pages = PdfReader(io.BytesIO(pdf)).pages
    fit = all((round(page.mediabox.width), round(page.mediabox.height)) == LETTER_POINTS for page in pages)
    return None if fit else "invalid_file_dimensions"


def _address_problem(party: str, form: dict[str, str]) -> str | None:
    start = f"{party}["
    fields = {name.removeprefix(start)[:-1]: value for name, value in form.items() if name.startswith(start)}
    if not fields.get("name") or len(fields["name"]) > 40 or not fields.get("address_line1"):
        return "invalid"
    if fields.get("address_country") != "US":
        return "foreign_return_address" if party == "from" else None
    if not all(fields.get(f"address_{name}") for name in ("city", "state", "zip")):
        return "invalid"
    too_long = len(fields["address_line1"]) + len(fields.get("address_line2", "")) > 50
    return "address_length_exceeds_limit" if too_long else None
