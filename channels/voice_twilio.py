"""Voice calls through Twilio: settings, placing calls, looking up unanswered ones, their conversation, their news."""

import asyncio
import datetime as dt
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from channels.api_http import NEVER_LEFT, RefusalError, is_url
from channels.base import Answer, Apology, Call, CallbackRequest, Envelope, Handover, Limits, Receipt, Recovery
from channels.callback_urls import delivery_named
from channels.errors import ChannelSettingsError, ReceiptRefusedError, SendError
from channels.handing_over import WRONG_PAYLOAD, answer_each, answered
from channels.twilio_account import CLOCKS_DIFFER, LEFT_WITHOUT_ANSWER, TwilioAccount
from channels.twilio_signature import believed_form
from channels.voice_conversation import asking_at, heard, held, next_words, turn_of
from channels.voice_errors import EXPIRED, NO_VOICE, NOT_CONNECTED, TOO_LONG, UNANSWERED, refusal_error
from channels.voice_languages import voice_for
from channels.voice_receipts import call_receipt
from channels.voice_twiml import sayable

CALLS_A_SECOND = 1.0
"""What a new Twilio account places; `VOICE_RATE` says when it may be more."""

LONGEST_CALL = 600
"""Seconds after which Twilio ends a call, whatever is being said."""

PROGRESS = ("initiated", "ringing", "answered", "completed")
"""What Twilio is to report; an end of any kind comes as `completed`."""

LOOK_UP_WINDOW = dt.timedelta(hours=24)
"""How far back a call counts as perhaps ours when nobody says since when there is the message."""

LOOK_UP_LIMIT = 50
"""Calls to one number read when looking one up, newest first."""

TWIML = "text/xml"


@dataclass(frozen=True, kw_only=True, slots=True)
class TwilioCallSettings:
    """One Twilio account, the number that is seen by who is called, and where Twilio finds the gateway."""

    account_sid: str
    auth_token: str = field(repr=False)
    from_number: str
    call_url: str
    """Public URL at which Twilio asks what to say."""
    status_callback_url: str
    """Public URL of the receipts."""
    api_base_url: str = "https://api.twilio.com"
    ring_seconds: int = 40
    """How long it rings: most mailboxes take a call after 20 to 30 s."""
    connections: int = 8
    timeout: float = 15.0
    """Seconds for one request."""

    def fault(self) -> str | None:
        """Say in one sentence which setting is missing or wrong."""
        faults = {
            "GATEWAY_TWILIO_ACCOUNT_SID must begin with AC.": not self.account_sid.startswith("AC"),
            "GATEWAY_TWILIO_AUTH_TOKEN is missing.": not self.auth_token,
            "GATEWAY_TWILIO_VOICE_FROM must be a number such as +441632960000: calls need it.": (
                re.fullmatch(r"\+[1-9]\d{6,14}", self.from_number) is None
            ),
            "GATEWAY_TWILIO_API_BASE_URL must begin with https:// or http://.": not is_url(self.api_base_url),
            "GATEWAY_PUBLIC_URL must begin with https:// or http://.": not (
                is_url(self.call_url) and is_url(self.status_callback_url)
            ),
            "GATEWAY_VOICE_RING_SECONDS must be from 5 to 600.": not 5 <= self.ring_seconds <= 600,
            "Twilio's connections and timeout must be above zero.": self.connections < 1 or self.timeout <= 0,
        }
        return next((sentence for sentence, wrong in faults.items() if wrong), None)


class TwilioCalls:
    """Places calls, which speak what the gateway says when they are taken: until then Twilio knows no word of it.

    Twilio knows no idempotency key: an unanswered request is looked up, never repeated.
    """

    name = "twilio_voice"
    recovery = Recovery.LOOK_UP

    def __init__(self, settings: TwilioCallSettings, *, now: Callable[[], dt.datetime]) -> None:
        # An account begins with a call a second and queues the rest, where no alert can overtake it.
        self.limits = Limits(concurrency=settings.connections, timeout=settings.timeout, rate=CALLS_A_SECOND)
        self._settings = settings
        self._now = now
        self._account = TwilioAccount(
            settings.account_sid,
            settings.auth_token,
            base_url=settings.api_base_url,
            connections=settings.connections,
            timeout=settings.timeout,
        )

    @staticmethod
    def speaks(language: str) -> bool:
        """Tell whether there is a voice for a language; calls in others are refused with `no_voice`."""
        return voice_for(language) is not None

    async def open(self) -> None:
        """Make the session in the running loop; raises `ChannelSettingsError` when a setting is missing or wrong."""
        if fault := self._settings.fault():
            raise ChannelSettingsError(fault)
        await self._account.open()

    async def close(self) -> None:
        """Close the session; idempotent."""
        await self._account.close()

    def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Place every call, as many at once as there are connections."""
        return answer_each(envelopes, self._hand_over, concurrency=self._settings.connections)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Find unanswered calls among those Twilio has for the number, by the delivery in the addresses it asked at.

        Those of a call can be read 15 minutes after its end; as long as a call may be ours, the answer stays unknown.
        """
        return await self._account.look_up(envelopes, Call, self._found)

    def read_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """Read a signed status callback or question; raises `ReceiptRefusedError` for any other request."""
        form = believed_form(request, self._settings.auth_token)
        if not form.get("CallSid"):
            raise ReceiptRefusedError(400, "CallSid is missing.")
        if urlsplit(request.url).path == urlsplit(self._settings.call_url).path:
            return self._told(request, form)
        if not form.get("CallStatus"):
            raise ReceiptRefusedError(400, "CallStatus is missing.")
        return [call_receipt(self.name, form, delivery=delivery_named(request.url), at=self._now())]

    def asked_about(self, request: CallbackRequest) -> str:
        """Name the delivery that a signed question is about; raises `ReceiptRefusedError`."""
        return turn_of(request.url, believed_form(request, self._settings.auth_token)).delivery

    def instruct(self, request: CallbackRequest, words: Call | Apology) -> Answer:
        """Say what happens next in a call, or apologise and end it."""
        turn = turn_of(request.url, believed_form(request, self._settings.auth_token))
        return Answer(content_type=TWIML, body=next_words(turn, words, self._settings.call_url))

    def wait(self, request: CallbackRequest) -> Answer:
        """Hold the line for a moment, and apologise once that was done too often."""
        turn = turn_of(request.url, believed_form(request, self._settings.auth_token))
        return Answer(content_type=TWIML, body=held(turn, self._settings.call_url))

    async def news_of(self, provider_ids: Sequence[str]) -> list[Receipt]:
        """Ask what became of calls; those Twilio does not know, or cannot tell of now, are left out."""
        told = answer_each(list(provider_ids), self._asked, concurrency=self._settings.connections)
        return [receipt async for receipt in told if receipt is not None]

    async def check(self) -> str | None:
        """Ask Twilio for the account, and say what is wrong with it."""
        if fault := self._settings.fault():
            return fault
        return await self._account.check() if self._account.is_open else "The voice channel is not open."

    async def _hand_over(self, envelope: Envelope) -> Handover:
        return answered(envelope, self.name, await self._outcome(envelope))

    async def _outcome(self, envelope: Envelope) -> str | SendError:
        """Give Twilio's id for a call, or what went wrong."""
        call = envelope.payload
        if not isinstance(call, Call):
            return WRONG_PAYLOAD
        voice = voice_for(call.language)
        if voice is None:
            return NO_VOICE
        if not sayable(call.speech, voice):
            return TOO_LONG
        if envelope.expires_at is not None and envelope.expires_at <= self._now():
            return EXPIRED
        return await self._create(call.recipient, envelope.delivery)

    async def _create(self, number: str, delivery: str) -> str | SendError:
        """Place one call, never twice; give Twilio's id for it or what went wrong."""
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout):
                call = await self._account.client.calls.create_async(
                    to=number,
                    from_=settings.from_number,
                    url=asking_at(settings.call_url, delivery),
                    status_callback=asking_at(settings.status_callback_url, delivery),
                    status_callback_event=list(PROGRESS),
                    machine_detection="DetectMessageEnd",
                    timeout=settings.ring_seconds,
                    time_limit=LONGEST_CALL,
                )
        except RefusalError as refusal:
            return refusal_error(refusal.status, refusal.code, refusal.retry_after)
        except NEVER_LEFT:
            return NOT_CONNECTED
        except LEFT_WITHOUT_ANSWER:
            return UNANSWERED
        return call.sid if isinstance(call.sid, str) else UNANSWERED

    async def _found(self, number: str, waiting: Sequence[Envelope]) -> dict[str, Handover]:
        """Match the calls Twilio has for one number with the envelopes that wait for an answer."""
        try:
            calls, complete = await self._calls_to(number, min(map(self._earliest, waiting)))
            owners = {call.sid: await self._owner(call.sid) for call in calls}
        except (RefusalError, *LEFT_WITHOUT_ANSWER):
            return {envelope.delivery: answered(envelope, self.name, UNANSWERED) for envelope in waiting}
        by_delivery = {delivery: sid for sid, delivery in owners.items() if delivery is not None}
        unclear = None in owners.values() or not complete
        found: dict[str, Handover] = {}
        for envelope in waiting:
            if sid := by_delivery.get(envelope.delivery):
                found[envelope.delivery] = answered(envelope, self.name, sid)
            elif unclear:
                found[envelope.delivery] = answered(envelope, self.name, UNANSWERED)
        return found

    def _earliest(self, envelope: Envelope) -> dt.datetime:
        """Say from when on a call may be this one."""
        return self._now() - LOOK_UP_WINDOW if envelope.since is None else envelope.since - CLOCKS_DIFFER

    async def _calls_to(self, number: str, since: dt.datetime) -> tuple[list[Any], bool]:
        """List our calls to a number since some instant, and say whether these are all."""
        async with asyncio.timeout(self._settings.timeout):
            # Not filtered by StartTime: a call still queued at Twilio has none and would be missed.
            calls = await self._account.client.calls.list_async(to=number, limit=LOOK_UP_LIMIT, page_size=LOOK_UP_LIMIT)
        ours = self._settings.from_number
        young = [call for call in calls if call.date_created >= since]
        return [call for call in young if call._from == ours], len(young) < LOOK_UP_LIMIT  # noqa: SLF001  # its name

    async def _owner(self, sid: str) -> str | None:
        """Name the delivery in the addresses that Twilio asked at during a call; None as long as it tells none."""
        async with asyncio.timeout(self._settings.timeout):
            events = await self._account.client.calls(sid).events.list_async(limit=20)
        named = (delivery_named(str((event.request or {}).get("url", ""))) for event in events)
        return next(filter(None, named), None)

    async def _asked(self, sid: str) -> Receipt | None:
        """Ask Twilio for one call."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                call = await self._account.client.calls(sid).fetch_async()
            form = {"CallSid": sid, "CallStatus": str(call.status), "AnsweredBy": call.answered_by or ""}
        except (RefusalError, *LEFT_WITHOUT_ANSWER):
            return None
        return call_receipt(self.name, form, delivery=None, at=self._now())

    def _told(self, request: CallbackRequest, form: dict[str, str]) -> list[Receipt]:
        """Read what a question tells."""
        turn, sid = turn_of(request.url, form), form["CallSid"]
        news = heard(turn)
        if news is None:
            return []
        return [
            Receipt(
                provider=self.name,
                event_id=f"{sid}:{news.event}",
                status=news.status,
                at=self._now(),
                delivery=turn.delivery,
                provider_id=sid,
                code=news.code,
                reason=news.reason,
                explanation=news.explanation,
                again=news.again,
                raw=form,
            )
        ]
