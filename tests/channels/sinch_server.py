"""A stand-in for Sinch's SMS API on loopback: strict about requests, stateful, and able to misbehave."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from channels.base import CallbackRequest
from tests.channels.web_stand_in import Misbehaviour, StandIn, hyphenated, responds, running

PLAN_ID = "f00d4711invented"
API_TOKEN = "an-invented-token-for-tests"
CALLBACK_SECRET = "an invented callback secret"
SENDER = "+441632960000"

MOST_CHARACTERS = 2000
LARGEST_PAGE = 100
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9._-]{1,16})\}")
_FIELDS = frozenset(
    {"from", "to", "body", "type", "delivery_report", "expire_at", "callback_url", "client_reference", "parameters"}
)


@dataclass
class SinchServer(StandIn):
    """Sinch as its callers see it: the batches it keeps, what it will do wrong next."""

    now: Callable[[], dt.datetime]
    filters: bool = True
    """Whether it lists by our reference, as documented, or leaves that to the caller."""
    batches: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By batch: Sinch's status and code."""

    def routes(self) -> list[web.RouteDef]:
        """Answer what the adapter asks."""
        prefix = "/xms/v1/{plan}/batches"
        return [
            web.post(prefix, self.create),
            web.get(prefix, self.listing),
            web.get(prefix + "/{batch}/delivery_report", self.report),
        ]

    def texts(self) -> list[str]:
        """Give what the recipients read: placeholders filled in, as Sinch does it."""
        return [_filled(batch) for batch in self.batches]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /batches`."""
        with self.counted():
            if request.content_type != "application/json":
                return web.Response(status=415)
            batch = await request.json()
            self.posts.append(batch)
            if problem := await self._problem(request) or self._batch_problem(batch):
                return problem
            return web.json_response(self.store(batch), status=201)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /batches`, newest first, in pages; without a start it lists one day."""
        if problem := await self._problem(request):
            return problem
        since = request.query.get("start_date")
        start = dt.datetime.fromisoformat(since) if since else self.now() - dt.timedelta(days=1)
        reference = request.query.get("client_reference") if self.filters else None
        matching = [
            batch
            for batch in reversed(self.batches)
            if reference in (None, batch.get("client_reference"))
            and dt.datetime.fromisoformat(batch["created_at"]) >= start
        ]
        page, size = int(request.query.get("page", "0")), int(request.query.get("page_size", "30"))
        if page < 0 or not 1 <= size <= LARGEST_PAGE:
            return refusal(400, "syntax_constraint_violation")
        shown = matching[page * size : (page + 1) * size]
        return web.json_response({"page": page, "page_size": len(shown), "count": len(matching), "batches": shown})

    async def report(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /batches/{batch}/delivery_report`."""
        if problem := await self._problem(request):
            return problem
        found = next((batch for batch in self.batches if batch["id"] == request.match_info["batch"]), None)
        if found is None:
            return web.Response(status=404)
        status, code = self.statuses.get(found["id"], ("Queued", 400))
        return web.json_response(
            {
                "type": "delivery_report_sms",
                "batch_id": found["id"],
                "total_message_count": 1,
                "statuses": [{"code": code, "status": status, "count": 1}],
                "client_reference": found.get("client_reference"),
            }
        )

    def store(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Keep a batch as Sinch would, and return its resource; numbers lose their plus."""
        at = self.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        kept = {
            "type": "mt_text",
            **batch,
            "id": f"01INVENTED{next(self._numbers):016d}",
            "to": [number.removeprefix("+") for number in batch["to"]],
            "from": batch["from"].removeprefix("+"),
            "canceled": False,
            "created_at": at,
            "modified_at": at,
        }
        self.batches.append(kept)
        return kept

    def _batch_problem(self, batch: dict[str, Any]) -> web.Response | None:
        """Check a batch as Sinch does; returns its refusal, or None."""
        numbers = batch.get("to") or [""]
        checks = {
            "syntax_constraint_violation": not batch.get("body") or len(batch["body"]) > MOST_CHARACTERS,
            "syntax_invalid_json": bool(batch.keys() - _FIELDS) or not isinstance(numbers, list),
            "syntax_invalid_parameter_format": (
                not all(re.fullmatch(r"\+?[1-9]\d{6,14}", number) for number in numbers)
                or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", batch.get("expire_at", ""))
            ),
        }
        if wrong := next((code for code, wrong in checks.items() if wrong), None):
            return refusal(400, wrong)
        if batch.get("delivery_report", "none") != "none" and not batch.get("callback_url"):
            return refusal(403, "missing_callback_url")
        return None

    async def _problem(self, request: web.Request) -> web.StreamResponse | None:
        if request.headers.get("Authorization") != f"Bearer {API_TOKEN}" or request.match_info["plan"] != PLAN_ID:
            return web.Response(status=401)
        return await self.misbehaved(request)


def _filled(batch: dict[str, Any]) -> str:
    """Fill the placeholders of a body once; one without a value would make Sinch fail the text."""
    parameters = batch.get("parameters", {})
    return _PLACEHOLDER.sub(lambda found: parameters[found[1]]["default"], batch["body"])


def delivery_report(status: str, code: int, *, at: dt.datetime, **more: Any) -> dict[str, Any]:
    """Write what Sinch posts about one recipient of a batch."""
    return {
        "type": "recipient_delivery_report_sms",
        "batch_id": "01INVENTED",
        "recipient": "447700900123",
        "status": status,
        "code": code,
        "at": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "client_reference": "d1",
        **more,
    }


def callback(report: Any, *, url: str, at: dt.datetime, secret: str = CALLBACK_SECRET) -> CallbackRequest:
    """Post a report to a URL, signed at this instant."""
    body = report if isinstance(report, bytes) else json.dumps(report).encode()
    nonce, timestamp = "01INVENTEDNONCE", str(int(at.timestamp()))
    made = hmac.new(secret.encode(), body + f".{nonce}.{timestamp}".encode(), hashlib.sha256).digest()
    return CallbackRequest(
        url=url,
        headers={
            "content-type": "application/json",
            "x-sinch-webhook-signature": base64.b64encode(made).decode(),
            "x-sinch-webhook-signature-nonce": nonce,
            "x-sinch-webhook-signature-timestamp": timestamp,
            "x-sinch-webhook-signature-algorithm": "HmacSHA256",
        },
        body=body,
    )


def refusal(status: int, code: str, **headers: str) -> web.Response:
    """Write an error as Sinch does; its words repeat what must not be passed on."""
    return web.json_response(
        {"code": code, "text": f"The parameter 'to' with {SENDER} was refused"},
        status=status,
        headers=hyphenated(headers),
    )


def refuses(status: int, code: str, **headers: str) -> Misbehaviour:
    """Refuse the next request with an error code."""
    return responds(lambda: refusal(status, code, **headers))


def running_sinch(now: Callable[[], dt.datetime]) -> AbstractAsyncContextManager[SinchServer]:
    """Serve the stand-in on a free port of loopback."""
    return running(SinchServer(now))
