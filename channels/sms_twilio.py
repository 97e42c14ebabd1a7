"""Text messages through Twilio: settings, hand-over, looking up unanswered texts, receipts."""

import asyncio
import datetime as dt
import math
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]  # twilio ships no type marker
from twilio.rest import Client  # type: ignore[import-untyped]  # the same

from channels.base import CallbackRequest, Envelope, Handover, Limits, Receipt, ReceiptStatus, Recovery, Text
from channels.errors import ChannelSettingsError, ReceiptRefusedError, SendError
from channels.handing_over import WRONG_PAYLOAD, answer_each
from channels.twilio_errors import expired_error, not_connected_error, policy_of, refusal_error, unanswered_error
from channels.twilio_http import TwilioHttp, TwilioRefusalError
from channels.twilio_signature import believed_form

LONGEST_VALIDITY = 36_000
"""Seconds, Twilio's limit and default."""

URGENT_VALIDITY = 3_600
"""Seconds: an alert that arrives hours late misleads."""

CONNECT_SECONDS = 5.0
"""Shorter than a call may take, so that a connection that never came about is known as such."""

LOOK_UP_WINDOW = dt.timedelta(hours=12)
"""How far back a text with the same words counts as ours: yesterday's absence reads like today's."""

LOOK_UP_LIMIT = 200
"""Texts of one number read when looking one up, newest first."""

STATUSES: Mapping[str, ReceiptStatus] = MappingProxyType(
    {
        "accepted": ReceiptStatus.QUEUED,
        "scheduled": ReceiptStatus.QUEUED,
        "queued": ReceiptStatus.QUEUED,
        "sending": ReceiptStatus.QUEUED,
        "sent": ReceiptStatus.SENT,
        # Some segments are missing: less than delivered, and final news may follow.
        "partially_delivered": ReceiptStatus.SENT,
        "delivered": ReceiptStatus.DELIVERED,
        "undelivered": ReceiptStatus.BOUNCED,
        "failed": ReceiptStatus.FAILED,
        "read": ReceiptStatus.READ,
        "canceled": ReceiptStatus.CANCELED,
    }
)
"""Twilio's message statuses; what is not here is UNKNOWN."""

_LEFT_WITHOUT_ANSWER = (TwilioException, aiohttp.ClientError, OSError, ValueError, TypeError, AttributeError, KeyError)
"""Broken connections and timeouts, and answers that are not what Twilio documents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TwilioSettings:
    """One Twilio account and the sender its texts come from: a number or a messaging service."""

    account_sid: str
    auth_token: str = field(repr=False)
    from_number: str | None = None
    messaging_service_sid: str | None = None
    api_base_url: str = "https://api.twilio.com"
    status_callback_url: str | None = None
    """Public URL of the receipts; None asks for none."""
    connections: int = 20
    timeout: float = 15.0
    """Seconds for one call."""

    def fault(self) -> str | None:
        """Say in one sentence which setting is missing or wrong."""
        faults = {
            "GATEWAY_TWILIO_ACCOUNT_SID must begin with AC.": not self.account_sid.startswith("AC"),
            "GATEWAY_TWILIO_AUTH_TOKEN is missing.": not self.auth_token,
            "Set one of GATEWAY_TWILIO_FROM and GATEWAY_TWILIO_MESSAGING_SERVICE_SID, and only one.": (
                bool(self.from_number) == bool(self.messaging_service_sid)
            ),
            "GATEWAY_TWILIO_API_BASE_URL must begin with https:// or http://.": not _is_url(self.api_base_url),
            "GATEWAY_PUBLIC_URL must begin with https:// or http://.": (
                self.status_callback_url is not None and not _is_url(self.status_callback_url)
            ),
            "Twilio's connections and timeout must be above zero.": self.connections < 1 or self.timeout <= 0,
        }
        return next((sentence for sentence, wrong in faults.items() if wrong), None)


class TwilioTexts:
    """Hands texts to Twilio, which knows no idempotency key: an unanswered one is looked up, never repeated."""

    name = "twilio"
    recovery = Recovery.LOOK_UP

    def __init__(self, settings: TwilioSettings, *, now: Callable[[], dt.datetime]) -> None:
        self.limits = Limits(concurrency=settings.connections, timeout=settings.timeout)
        self._settings = settings
        self._now = now
        self._http: TwilioHttp | None = None
        self._client: Any = None

    async def open(self) -> None:
        """Make the session in the running loop; raises `ChannelSettingsError` when a setting is missing or wrong."""
        settings = self._settings
        if fault := settings.fault():
            raise ChannelSettingsError(fault)
        if self._http is not None:
            return
        self._http = TwilioHttp(settings.connections, min(CONNECT_SECONDS, settings.timeout / 2))
        self._client = Client(
            settings.account_sid,
            settings.auth_token,
            http_client=self._http,
            # Without it the client reads regions and edges from the process's environment.
            environment={"TWILIO_ACCOUNT_SID": settings.account_sid},
        )
        self._client.api.base_url = settings.api_base_url

    async def close(self) -> None:
        """Close the session; idempotent."""
        http, self._http, self._client = self._http, None, None
        if http is not None:
            await http.close()

    def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Hand over every text, as many at once as there are connections."""
        return answer_each(envelopes, self._hand_over, concurrency=self._settings.connections)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Find unanswered texts among those Twilio has for the number: same words, same sender, not too old.

        Two envelopes never share one text. When Twilio cannot be asked, the answer stays unknown.
        """
        by_number: dict[str, list[Envelope]] = defaultdict(list)
        for envelope in envelopes:
            if isinstance(envelope.payload, Text):
                by_number[envelope.payload.recipient].append(envelope)
        found: dict[str, Handover] = {}
        async for answer in answer_each(list(by_number.items()), self._found, concurrency=self._settings.connections):
            found |= answer
        return [found.get(envelope.delivery) for envelope in envelopes]

    def read_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """Read one signed status callback; raises `ReceiptRefusedError` for any other request."""
        form = believed_form(request, self._settings.auth_token)
        sid = form.get("MessageSid") or form.get("SmsSid")
        status = form.get("MessageStatus") or form.get("SmsStatus")
        if not sid or not status:
            raise ReceiptRefusedError(400, "MessageSid or MessageStatus is missing.")
        code = form.get("ErrorCode", "")
        policy = policy_of(int(code)) if code.isdecimal() and code.isascii() and int(code) else None
        return [
            Receipt(
                provider=self.name,
                event_id=f"{sid}:{status}",
                status=STATUSES.get(status, ReceiptStatus.UNKNOWN),
                at=self._now(),
                delivery=parse_qs(urlsplit(request.url).query).get("delivery", [None])[0],
                provider_id=sid,
                reason=policy.reason if policy else None,
                code=code or None,
                explanation=policy.explanation if policy else None,
                address_dead=policy.address_dead if policy else False,
                raw=form,
            )
        ]

    async def check(self) -> str | None:
        """Ask Twilio for the account, and say what is wrong with it."""
        if fault := self._settings.fault():
            return fault
        if self._client is None:
            return "The text channel is not open."
        try:
            async with asyncio.timeout(self._settings.timeout):
                account = await self._client.api.v2010.accounts(self._settings.account_sid).fetch_async()
        except TwilioRefusalError as refusal:
            return (
                f"Twilio refuses the account (HTTP {refusal.status}): "
                "check GATEWAY_TWILIO_ACCOUNT_SID and GATEWAY_TWILIO_AUTH_TOKEN."
            )
        except _LEFT_WITHOUT_ANSWER:
            return "Twilio cannot be reached: check the network and GATEWAY_TWILIO_API_BASE_URL."
        return None if account.status == "active" else "Twilio reports that the school's account is not active."

    async def _hand_over(self, envelope: Envelope) -> Handover:
        text = envelope.payload
        if not isinstance(text, Text):
            return self._answer(envelope, error=WRONG_PAYLOAD)
        validity = self._validity(envelope)
        if validity < 1:
            return self._answer(envelope, error=expired_error())
        outcome = await self._create(text, validity, envelope.delivery)
        if isinstance(outcome, SendError):
            return self._answer(envelope, error=outcome)
        return self._answer(envelope, sid=outcome)

    async def _create(self, text: Text, validity: int, delivery: str) -> str | SendError:
        """Post one text, never twice; give Twilio's id for it or what went wrong."""
        if self._client is None:
            raise RuntimeError("Open the text channel before sending.")
        try:
            async with asyncio.timeout(self._settings.timeout):
                message = await self._client.messages.create_async(
                    to=text.recipient, body=text.body, validity_period=validity, **self._sender(delivery)
                )
        except TwilioRefusalError as refusal:
            return refusal_error(refusal.status, refusal.code, refusal.retry_after)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return not_connected_error()
        except _LEFT_WITHOUT_ANSWER:
            return unanswered_error()
        return message.sid if isinstance(message.sid, str) else unanswered_error()

    def _validity(self, envelope: Envelope) -> int:
        """Seconds Twilio may keep the text waiting; below one means that its time is over."""
        longest = URGENT_VALIDITY if envelope.urgent else LONGEST_VALIDITY
        if envelope.expires_at is None:
            return longest
        return min(longest, math.floor((envelope.expires_at - self._now()).total_seconds()))

    def _sender(self, delivery: str) -> dict[str, str]:
        """Say from whom, and where to report what became of it, with our id in the URL."""
        sender: dict[str, str] = {}
        if self._settings.messaging_service_sid:
            sender["messaging_service_sid"] = self._settings.messaging_service_sid
        elif self._settings.from_number:
            sender["from_"] = self._settings.from_number
        if url := self._settings.status_callback_url:
            joint = "&" if urlsplit(url).query else "?"
            sender["status_callback"] = f"{url}{joint}{urlencode({'delivery': delivery})}"
        return sender

    async def _found(self, asked: tuple[str, list[Envelope]]) -> dict[str, Handover]:
        """Match the texts Twilio has for one number with the envelopes that wait for an answer."""
        number, waiting = asked
        if self._client is None:
            raise RuntimeError("Open the text channel before looking up.")
        try:
            async with asyncio.timeout(self._settings.timeout):
                # Not filtered by DateSent: a text still queued at Twilio has none and would be missed.
                messages = await self._client.messages.list_async(to=number, limit=LOOK_UP_LIMIT, page_size=100)
            ours = [message for message in messages if self._is_ours(message)]
        except (TwilioRefusalError, *_LEFT_WITHOUT_ANSWER):
            return {envelope.delivery: self._answer(envelope, error=unanswered_error()) for envelope in waiting}
        found: dict[str, Handover] = {}
        for envelope in waiting:
            body = envelope.payload.body if isinstance(envelope.payload, Text) else None
            match = next((message for message in ours if message.body == body), None)
            if match is not None:
                ours.remove(match)
                found[envelope.delivery] = self._answer(envelope, sid=match.sid)
        return found

    def _is_ours(self, message: Any) -> bool:
        sender = (
            message.messaging_service_sid == self._settings.messaging_service_sid
            if self._settings.messaging_service_sid
            else message.from_ == self._settings.from_number
        )
        return sender and message.date_created is not None and message.date_created >= self._now() - LOOK_UP_WINDOW

    def _answer(self, envelope: Envelope, sid: str | None = None, error: SendError | None = None) -> Handover:
        return Handover(delivery=envelope.delivery, provider=self.name, provider_id=sid, error=error)


def _is_url(text: str) -> bool:
    return re.match(r"https?://[^/\s]", text) is not None
