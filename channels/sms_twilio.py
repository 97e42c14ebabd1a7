"""Text messages through Twilio: settings, hand-over, looking up unanswered texts, news of texts."""

import asyncio
import datetime as dt
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from channels.api_http import NEVER_LEFT, RefusalError, is_url
from channels.base import CallbackRequest, Envelope, Handover, Incoming, Limits, Receipt, Recovery, Text
from channels.callback_urls import delivery_named
from channels.errors import ChannelSettingsError, SendError
from channels.handing_over import WRONG_PAYLOAD, answer_each, answered
from channels.twilio_account import CLOCKS_DIFFER, LEFT_WITHOUT_ANSWER, TwilioAccount
from channels.twilio_errors import EXPIRED, NOT_CONNECTED, UNANSWERED, refusal_error
from channels.twilio_news import PROVIDER, asked_receipt, inbound_text, is_inbound, told_receipt
from channels.twilio_signature import believed_form

LONGEST_VALIDITY = 36_000
"""Seconds, Twilio's limit and default."""

URGENT_VALIDITY = 3_600
"""Seconds: an alert that arrives hours late misleads."""

LOOK_UP_WINDOW = dt.timedelta(hours=12)
"""How far back a text with the same words counts as ours: yesterday's absence reads like today's."""

LOOK_UP_LIMIT = 200
"""Texts of one number read when looking one up, newest first."""

_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class _NoNews(Enum):
    """Why there is no news of a text."""

    OF_THIS = "of_this"
    AT_ALL = "at_all"
    """Twilio cannot be reached, or wants to be left alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TwilioSender:
    """Whom texts come from: a number, or a messaging service that picks one of its numbers."""

    number: str | None = None
    service: str | None = None

    def sent(self, message: Any) -> bool:
        """Tell whether a message resource is a text of this sender's."""
        return bool(message.messaging_service_sid == self.service if self.service else message.from_ == self.number)

    def was_answered(self, form: Mapping[str, str]) -> bool:
        """Tell whether an inbound text was sent to this sender."""
        return form.get("MessagingServiceSid") == self.service if self.service else form.get("To") == self.number


@dataclass(frozen=True, kw_only=True, slots=True)
class TwilioSettings:
    """One Twilio account and the senders its texts come from."""

    account_sid: str
    auth_token: str = field(repr=False)
    from_number: str | None = None
    messaging_service_sid: str | None = None
    emergency_from: str | None = None
    """The number of urgent texts; the other sender sends them, too, when there is none."""
    emergency_messaging_service_sid: str | None = None
    """Their messaging service."""
    answers_stop: bool = True
    """Whether Twilio confirms STOP and the like itself."""
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
            "Set only one of GATEWAY_TWILIO_EMERGENCY_FROM and GATEWAY_TWILIO_EMERGENCY_MESSAGING_SERVICE_SID.": (
                bool(self.emergency_from) and bool(self.emergency_messaging_service_sid)
            ),
            "GATEWAY_TWILIO_API_BASE_URL must begin with https:// or http://.": not is_url(self.api_base_url),
            "GATEWAY_PUBLIC_URL must begin with https:// or http://.": (
                self.status_callback_url is not None and not is_url(self.status_callback_url)
            ),
            "Twilio's connections and timeout must be above zero.": self.connections < 1 or self.timeout <= 0,
        }
        return next((sentence for sentence, wrong in faults.items() if wrong), None)

    def sender(self, *, urgent: bool) -> TwilioSender:
        """Say from whom a text comes."""
        if urgent and (self.emergency_from or self.emergency_messaging_service_sid):
            return TwilioSender(number=self.emergency_from, service=self.emergency_messaging_service_sid)
        return TwilioSender(number=self.from_number, service=self.messaging_service_sid)


class TwilioTexts:
    """Hands texts to Twilio, which knows no idempotency key: an unanswered one is looked up, never repeated."""

    name = PROVIDER
    recovery = Recovery.LOOK_UP

    def __init__(self, settings: TwilioSettings, *, now: Callable[[], dt.datetime]) -> None:
        self.limits = Limits(concurrency=settings.connections, timeout=settings.timeout)
        self._settings = settings
        self._now = now
        self._account = TwilioAccount(
            settings.account_sid,
            settings.auth_token,
            base_url=settings.api_base_url,
            connections=settings.connections,
            timeout=settings.timeout,
        )

    async def open(self) -> None:
        """Make the session in the running loop; raises `ChannelSettingsError` when a setting is missing or wrong."""
        if fault := self._settings.fault():
            raise ChannelSettingsError(fault)
        await self._account.open()

    async def close(self) -> None:
        """Close the session; idempotent."""
        await self._account.close()

    def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Hand over every text, as many at once as there are connections."""
        return answer_each(envelopes, self._hand_over, concurrency=self._settings.connections)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Find unanswered texts among those Twilio has for the number: same words, same sender, not older than ours.

        Two envelopes never share one text. When Twilio cannot be asked, the answer stays unknown.
        """
        return await self._account.look_up(envelopes, Text, self._found)

    async def news_of(self, provider_ids: Sequence[str]) -> list[Receipt]:
        """Ask Twilio for texts whose callbacks never came; stops asking where going on would do no good."""
        waiting = list(dict.fromkeys(provider_ids))
        found: list[Receipt] = []
        async with aclosing(answer_each(waiting, self._news_of, concurrency=self._settings.connections)) as answers:
            async for news in answers:
                if news is _NoNews.AT_ALL:
                    break
                if isinstance(news, Receipt):
                    found.append(news)
        return found

    def read_receipts(self, request: CallbackRequest) -> list[Incoming]:
        """Read one signed status callback or inbound text; raises `ReceiptRefusedError` for any other request."""
        settings = self._settings
        form = believed_form(request, settings.auth_token)
        if is_inbound(form):
            urgent = self._urgent_answer(form)
            return [inbound_text(form, at=self._now(), urgent=urgent, answers_stop=settings.answers_stop)]
        return [told_receipt(form, delivery_named(request.url), at=self._now())]

    async def check(self) -> str | None:
        """Ask Twilio for the account, and say what is wrong with it."""
        if fault := self._settings.fault():
            return fault
        return await self._account.check() if self._account.is_open else "The text channel is not open."

    async def _hand_over(self, envelope: Envelope) -> Handover:
        return answered(envelope, self.name, await self._outcome(envelope))

    async def _outcome(self, envelope: Envelope) -> str | SendError:
        """Give Twilio's id for a text, or what went wrong."""
        text = envelope.payload
        if not isinstance(text, Text):
            return WRONG_PAYLOAD
        validity = self._validity(envelope)
        if validity < 1:
            return EXPIRED
        return await self._create(envelope, text, validity)

    async def _create(self, envelope: Envelope, text: Text, validity: int) -> str | SendError:
        """Post one text, never twice; give Twilio's id for it or what went wrong."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                message = await self._account.client.messages.create_async(
                    to=text.recipient, body=text.body, validity_period=validity, **self._sender(envelope)
                )
        except RefusalError as refusal:
            return refusal_error(refusal.status, refusal.code, refusal.retry_after)
        except NEVER_LEFT:
            return NOT_CONNECTED
        except LEFT_WITHOUT_ANSWER:
            return UNANSWERED
        return message.sid if isinstance(message.sid, str) else UNANSWERED

    def _validity(self, envelope: Envelope) -> int:
        """Seconds Twilio may keep the text waiting; below one means that its time is over."""
        longest = URGENT_VALIDITY if envelope.urgent else LONGEST_VALIDITY
        if envelope.expires_at is None:
            return longest
        return min(longest, math.floor((envelope.expires_at - self._now()).total_seconds()))

    def _sender(self, envelope: Envelope) -> dict[str, str]:
        """Say from whom, and where to report what became of it, with our id in the URL."""
        sender, options = self._settings.sender(urgent=envelope.urgent), dict[str, str]()
        if sender.service:
            options["messaging_service_sid"] = sender.service
        elif sender.number:
            options["from_"] = sender.number
        if url := self._settings.status_callback_url:
            joint = "&" if urlsplit(url).query else "?"
            options["status_callback"] = f"{url}{joint}{urlencode({'delivery': envelope.delivery})}"
        return options

    def _urgent_answer(self, form: Mapping[str, str]) -> bool | None:
        """Tell whether a text answers the sender of alerts, where that is another one."""
        urgent, usual = self._settings.sender(urgent=True), self._settings.sender(urgent=False)
        if urgent == usual:
            return None
        return True if urgent.was_answered(form) else False if usual.was_answered(form) else None

    async def _news_of(self, sid: str) -> Receipt | _NoNews:
        """Ask for one text."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                message = await self._account.client.messages(sid).fetch_async()
        except RefusalError as refusal:
            return _NoNews.OF_THIS if refusal.status == 404 else _NoNews.AT_ALL
        except (aiohttp.ClientError, OSError):
            return _NoNews.AT_ALL
        except LEFT_WITHOUT_ANSWER:
            return _NoNews.OF_THIS
        return asked_receipt(message, sid, at=self._now()) or _NoNews.OF_THIS

    async def _found(self, number: str, waiting: Sequence[Envelope]) -> dict[str, Handover]:
        """Match the texts Twilio has for one number with the envelopes that wait for an answer."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                # Not filtered by DateSent: a text still queued at Twilio has none and would be missed.
                messages = await self._account.client.messages.list_async(to=number, limit=LOOK_UP_LIMIT, page_size=100)
            recent = [message for message in messages if self._is_recent(message)]
        except (RefusalError, *LEFT_WITHOUT_ANSWER):
            return {envelope.delivery: answered(envelope, self.name, UNANSWERED) for envelope in waiting}
        found: dict[str, Handover] = {}
        # The newest first, as Twilio lists them: so none takes a text that only a later one can have been.
        for envelope in sorted(waiting, key=_earliest, reverse=True):
            match = next((message for message in recent if self._may_be(message, envelope)), None)
            if match is not None:
                recent.remove(match)
                found[envelope.delivery] = answered(envelope, self.name, match.sid)
        return found

    def _is_recent(self, message: Any) -> bool:
        return message.date_created is not None and message.date_created >= self._now() - LOOK_UP_WINDOW

    def _may_be(self, message: Any, envelope: Envelope) -> bool:
        """Tell whether a message may be an envelope's: not one from before there was the envelope."""
        body = envelope.payload.body if isinstance(envelope.payload, Text) else None
        sender = self._settings.sender(urgent=envelope.urgent)
        return bool(
            message.body == body
            and message.date_created >= _earliest(envelope) - CLOCKS_DIFFER
            and sender.sent(message)
        )


def _earliest(envelope: Envelope) -> dt.datetime:
    return envelope.since or _LONG_AGO
