"""The few texts that answer texts by themselves: confirmations of STOP and START, and HELP."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from channels.base import Channel, Envelope, Inbound, Text
from channels.sms_segments import count, smart
from gateway.content.phrases import Phrases
from gateway.directory.contact_details import text_fault
from gateway.directory.model import ChannelName, School
from gateway.dispatch.providers import Provider, approved
from gateway.rules.keywords import Wish
from gateway.store.identity import derived_id

_log = logging.getLogger(__name__)

GOOD_FOR = dt.timedelta(minutes=30)
"""A confirmation that comes later than that confuses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """What is to be texted back, and in whose name."""

    wish: Wish
    one_kind: bool
    """Whether it was about one kind of news only."""
    school: School
    language: str


class TextBack:
    """Sends confirmations through the provider that brought the text, each once at most."""

    def __init__(
        self,
        providers: Mapping[ChannelName, Sequence[Provider]],
        phrases: Callable[[str, str], Phrases],
        *,
        reached_at: str,
        countries: frozenset[str],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._providers = providers.get(ChannelName.SMS, ())
        self._phrases = phrases
        self._reached_at = reached_at
        self._countries = countries
        self._now = now
        self._sending: set[asyncio.Task[None]] = set()

    def may_text(self, number: str) -> bool:
        """Tell whether a sender may be texted: somebody's telephone, no short code, and no name in letters."""
        return number.startswith("+") and text_fault(number, self._countries) is None

    def say(self, inbound: Inbound, confirmation: Confirmation) -> None:
        """Begin to send; nobody waits for it, and nothing depends on it."""
        usable = approved(self._providers, self._now())
        provider = next((each.channel for each in usable if each.channel.name == inbound.provider), None)
        if provider is None:
            return
        sending = asyncio.create_task(self._send(provider, self._envelope(inbound, confirmation)))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def finish(self) -> None:
        """Wait for what is being sent."""
        await asyncio.gather(*self._sending)

    async def _send(self, provider: Channel, envelope: Envelope) -> None:
        try:
            async with asyncio.timeout(provider.limits.timeout):
                await provider.open()
                async with aclosing(provider.send([envelope])) as answers:
                    async for answer in answers:
                        if answer.error is not None:
                            _log.warning("text_back_failed", extra={"code": answer.error.code})
        except Exception:  # noqa: BLE001  # forgotten: what was asked for is done already
            _log.warning("text_back_failed", extra={"code": "not_sent"})

    def _envelope(self, inbound: Inbound, confirmation: Confirmation) -> Envelope:
        phrases = self._phrases(confirmation.language, confirmation.school.language)
        body = smart(self._body(phrases, confirmation))
        return Envelope(
            delivery=derived_id(inbound.event_id, inbound.provider, "text_back"),
            payload=Text(recipient=inbound.sender, body=body, segments=count(body).segments, language=phrases.language),
            expires_at=self._now() + GOOD_FOR,
            # The sender that was answered confirms: STOP names no other.
            urgent=bool(inbound.urgent),
        )

    def _body(self, phrases: Phrases, confirmation: Confirmation) -> str:
        school = confirmation.school.name
        if confirmation.one_kind:
            return f"{school}: {phrases.unsubscribed()}"
        match confirmation.wish:
            case Wish.STOP:
                return phrases.texts_stopped(school)
            case Wish.START:
                return phrases.texts_start_again(school)
            case Wish.HELP:
                return phrases.texts_help(school, self._reached_at)
