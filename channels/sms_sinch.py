"""Text messages through Sinch's SMS API (XMS batches): settings, hand-over, looking up unanswered texts, receipts."""

import asyncio
import datetime as dt
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from channels.api_http import CONNECT_SECONDS, LEFT_WITHOUT_ANSWER, NEVER_LEFT, RefusalError, is_url
from channels.base import CallbackRequest, Envelope, Handover, Inbound, Incoming, Limits, Receipt, Recovery, Text
from channels.errors import ChannelSettingsError, SendError
from channels.handing_over import WRONG_PAYLOAD, answer_each, answered
from channels.sinch_errors import EXPIRED, NOT_CONNECTED, UNANSWERED, refusal_error
from channels.sinch_http import SinchHttp
from channels.sinch_reports import PROVIDER, UNDER_WAY, e164, news_in, news_in_summary, text_of
from channels.sinch_signature import believed_report

LONGEST_VALIDITY = dt.timedelta(hours=10)
"""Sinch would keep trying for three days: long enough for today's absence to be read as tomorrow's."""

URGENT_VALIDITY = dt.timedelta(hours=1)
"""An alert that arrives hours late misleads."""

SHORTEST_VALIDITY = dt.timedelta(seconds=1)

LOOK_UP_WINDOW = dt.timedelta(days=13)
"""How far back a text is looked for; Sinch lists the batches of 14 days."""

LOOK_UP_PAGES = 5
"""Pages read when looking one up: one is enough as long as Sinch lists by our id only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SinchSettings:
    """One Sinch service plan and the sender its texts come from: a number, a short code or a name."""

    service_plan_id: str
    api_token: str = field(repr=False)
    sender: str
    emergency_sender: str | None = None
    """For alerts, so that people come to know it; None means the same as for everything else."""
    callback_secret: str = field(repr=False)
    """Signs callbacks; Sinch sets it up on request."""
    api_base_url: str = "https://eu.sms.api.sinch.com"
    callback_url: str | None = None
    """Public URL of the receipts; None asks for none."""
    connections: int = 20
    timeout: float = 15.0
    """Seconds for one call."""

    def fault(self) -> str | None:
        """Say in one sentence which setting is missing or wrong."""
        faults = {
            "GATEWAY_SINCH_SERVICE_PLAN_ID must be the id of the service plan: letters and digits.": (
                not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", self.service_plan_id)
            ),
            "GATEWAY_SINCH_API_TOKEN must be a token without blanks.": not _is_token(self.api_token),
            "GATEWAY_SINCH_FROM must be a number such as +441632960000, a short code or a name of up to 11 letters.": (
                not _is_sender(self.sender)
            ),
            "GATEWAY_SINCH_EMERGENCY_FROM must be as GATEWAY_SINCH_FROM, or left out.": (
                self.emergency_sender is not None and not _is_sender(self.emergency_sender)
            ),
            "GATEWAY_SINCH_CALLBACK_SECRET is missing.": not self.callback_secret,
            "GATEWAY_SINCH_API_BASE_URL must begin with https:// or http://.": not is_url(self.api_base_url),
            "GATEWAY_PUBLIC_URL must begin with https:// or http://.": (
                self.callback_url is not None and not is_url(self.callback_url)
            ),
            "Sinch's connections and timeout must be above zero.": self.connections < 1 or self.timeout <= 0,
        }
        return next((sentence for sentence, wrong in faults.items() if wrong), None)


class SinchTexts:
    """Hands texts to Sinch, one batch each under our id; an unanswered one is looked up by it, never repeated."""

    name = PROVIDER
    recovery = Recovery.LOOK_UP

    def __init__(self, settings: SinchSettings, *, now: Callable[[], dt.datetime]) -> None:
        self.limits = Limits(concurrency=settings.connections, timeout=settings.timeout)
        self._settings = settings
        self._now = now
        self._http: SinchHttp | None = None

    async def open(self) -> None:
        """Make the session in the running loop; raises `ChannelSettingsError` when a setting is missing or wrong."""
        settings = self._settings
        if fault := settings.fault():
            raise ChannelSettingsError(fault)
        if self._http is None:
            self._http = SinchHttp(
                f"{settings.api_base_url.rstrip('/')}/xms/v1/{settings.service_plan_id}",
                settings.api_token,
                connections=settings.connections,
                connect_seconds=min(CONNECT_SECONDS, settings.timeout / 2),
            )

    async def close(self) -> None:
        """Close the session; idempotent."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Hand over every text, as many at once as there are connections."""
        return answer_each(envelopes, self._hand_over, concurrency=self._settings.connections)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Find unanswered texts by our delivery id. When Sinch cannot be asked, the answer stays unknown."""
        found: dict[str, Handover | None] = {}
        async for answer in answer_each(envelopes, self._found, concurrency=self._settings.connections):
            found |= answer
        return [found[envelope.delivery] for envelope in envelopes]

    async def news_of(self, provider_ids: Sequence[str]) -> list[Receipt]:
        """Ask for the delivery reports of texts; those Sinch does not know, or cannot tell of now, are left out."""
        receipts: list[Receipt] = []
        async for news in answer_each(provider_ids, self._told_news, concurrency=self._settings.connections):
            receipts += news
        return receipts

    def read_receipts(self, request: CallbackRequest) -> list[Incoming]:
        """Read one signed callback: a delivery report or somebody's answer; raises `ReceiptRefusedError` otherwise."""
        now = self._now()
        news = news_in(believed_report(request, self._settings.callback_secret, now), now)
        return [
            replace(each, urgent=self._urgent_answer(each.recipient)) if isinstance(each, Inbound) else each
            for each in news
        ]

    async def check(self) -> str | None:
        """Ask Sinch for a batch, and say what is wrong with the account."""
        if fault := self._settings.fault():
            return fault
        if self._http is None:
            return "The text channel is not open."
        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._http.get("/batches", page_size="1")
        except RefusalError as refusal:
            return (
                f"Sinch refuses the account (HTTP {refusal.status}): check GATEWAY_SINCH_SERVICE_PLAN_ID, "
                "GATEWAY_SINCH_API_TOKEN and the region in GATEWAY_SINCH_API_BASE_URL."
            )
        except LEFT_WITHOUT_ANSWER:
            return "Sinch cannot be reached: check the network and GATEWAY_SINCH_API_BASE_URL."
        return None

    async def _hand_over(self, envelope: Envelope) -> Handover:
        return answered(envelope, self.name, await self._outcome(envelope))

    async def _outcome(self, envelope: Envelope) -> str | SendError:
        """Give Sinch's id for a text, or what went wrong."""
        text = envelope.payload
        if not isinstance(text, Text):
            return WRONG_PAYLOAD
        expires_at = self._expiry(envelope)
        if expires_at - self._now() < SHORTEST_VALIDITY:
            return EXPIRED
        return await self._create(self._batch(envelope, text, expires_at))

    def _expiry(self, envelope: Envelope) -> dt.datetime:
        """Give the instant up to which Sinch may keep the text waiting."""
        latest = self._now() + (URGENT_VALIDITY if envelope.urgent else LONGEST_VALIDITY)
        return latest if envelope.expires_at is None else min(latest, envelope.expires_at)

    def _batch(self, envelope: Envelope, text: Text, expires_at: dt.datetime) -> dict[str, Any]:
        """Write the request for one text; our id comes back with every report and finds the text again."""
        batch: dict[str, Any] = {
            "from": (envelope.urgent and self._settings.emergency_sender) or self._settings.sender,
            "to": [text.recipient],
            "body": text.body,
            "delivery_report": "none",
            "expire_at": expires_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "client_reference": envelope.delivery,
        }
        if self._settings.callback_url is not None:
            batch |= {"delivery_report": "per_recipient", "callback_url": self._settings.callback_url}
        if "${" in text.body:
            # Sinch would take it for a placeholder and refuse the text: so it becomes one that stands for itself.
            batch |= {"body": text.body.replace("${", "${dollar}{"), "parameters": {"dollar": {"default": "$"}}}
        return batch

    async def _create(self, batch: Mapping[str, Any]) -> str | SendError:
        """Post one text, never twice; give Sinch's id for it or what went wrong."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                answer = await self._opened().post("/batches", batch)
        except RefusalError as refusal:
            return refusal_error(refusal.status, refusal.code, refusal.retry_after)
        except NEVER_LEFT:
            return NOT_CONNECTED
        except LEFT_WITHOUT_ANSWER:
            return UNANSWERED
        identity = answer.get("id")
        return identity if isinstance(identity, str) and identity else UNANSWERED

    async def _found(self, envelope: Envelope) -> dict[str, Handover | None]:
        """Look for one text among Sinch's batches; one that failed since is as good as none."""
        if not isinstance(envelope.payload, Text):
            return {envelope.delivery: None}
        try:
            for identity in await self._batches_of(envelope.delivery):
                news = await self._asked_news(identity)
                if all(receipt.status in UNDER_WAY for receipt in news):
                    return {envelope.delivery: answered(envelope, self.name, identity)}
        except (RefusalError, *LEFT_WITHOUT_ANSWER):
            return {envelope.delivery: answered(envelope, self.name, UNANSWERED)}
        return {envelope.delivery: None}

    async def _batches_of(self, delivery: str) -> list[str]:
        """Name the batches that carry our id, the newest first; raises when they cannot all be seen."""
        since = (self._now() - LOOK_UP_WINDOW).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        identities: list[str] = []
        seen = 0
        for page in range(LOOK_UP_PAGES):
            async with asyncio.timeout(self._settings.timeout):
                listed = await self._opened().get(
                    "/batches", client_reference=delivery, start_date=since, page=str(page), page_size="100"
                )
            batches, count = listed.get("batches"), listed.get("count")
            if not isinstance(batches, list) or not isinstance(count, int):
                raise ValueError("Not a list of batches.")  # noqa: TRY004  # an answer like any other nonsense
            identities += [text_of(batch, "id") for batch in batches if text_of(batch, "client_reference") == delivery]
            seen += len(batches)
            if seen >= count:
                return identities
        raise ValueError("Too many batches.")

    async def _told_news(self, identity: str) -> list[Receipt]:
        try:
            return await self._asked_news(identity)
        except (RefusalError, *LEFT_WITHOUT_ANSWER):
            return []

    async def _asked_news(self, identity: str) -> list[Receipt]:
        async with asyncio.timeout(self._settings.timeout):
            report = await self._opened().get(f"/batches/{quote(identity, safe='')}/delivery_report", type="summary")
        return news_in_summary(report, identity, self._now())

    def _urgent_answer(self, recipient: str) -> bool | None:
        """Tell whether a text answers the sender of alerts, where that is another one."""
        usual, urgent = e164(self._settings.sender), e164(self._settings.emergency_sender or self._settings.sender)
        return {usual: False, urgent: True}.get(recipient) if urgent != usual else None

    def _opened(self) -> SinchHttp:
        if self._http is None:
            raise RuntimeError("Open the text channel first.")
        return self._http


def _is_sender(text: str) -> bool:
    return re.fullmatch(r"\+?\d{3,15}|[A-Za-z0-9 ]{1,11}", text, re.ASCII) is not None


def _is_token(text: str) -> bool:
    return re.fullmatch(r"[!-~]+", text) is not None
