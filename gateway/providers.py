"""Who carries each channel, made from the settings: the one place that knows every provider by name."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from channels.base import Call, Channel, Limits, Sheet
from channels.by_hand import ByHand, OrByHand
from channels.dkim_signing import DkimKey, DkimSettings
from channels.email_smtp import SmtpChannel
from channels.letter_lob import LobLetters, LobSettings
from channels.letter_sheet import US_WINDOW, typeset
from channels.letter_spool import SpoolLetters
from channels.outbox import Failures, OutboxCalls, OutboxLetters, OutboxMail, OutboxTexts, never_fails
from channels.sms_sinch import SinchSettings, SinchTexts
from channels.smtp_settings import SmtpSettings, is_loopback
from channels.smtp_settings import SmtpTls as ChannelTls
from gateway.directory.model import ChannelName
from gateway.dispatch.providers import Provider
from gateway.settings import (
    PREFIX,
    EmailProvider,
    LetterProvider,
    Relay,
    Settings,
    Share,
    SmsProvider,
    SmtpTls,
    VoiceProvider,
)
from gateway.settings.letters import LetterSides


class Limited(Channel, Protocol):
    """A channel whose limits the operator can tighten."""

    limits: Limits


@dataclass(frozen=True, kw_only=True)
class Making:
    """What providers are made with."""

    settings: Settings
    now: Callable[[], dt.datetime]
    failures: Failures = never_fails
    """Tells the outbox what to refuse, for demonstrations and tests."""


Maker = Callable[[Making], Limited]


def _outbox_mail(making: Making) -> Limited:
    return OutboxMail(making.settings.outbox_dir, failures=making.failures)


def _outbox_texts(making: Making) -> Limited:
    return OutboxTexts(making.settings.outbox_dir, now=making.now, failures=making.failures)


def _outbox_calls(making: Making) -> Limited:
    return OutboxCalls(making.settings.outbox_dir, now=making.now, failures=making.failures)


def _outbox_letters(making: Making) -> Limited:
    return OutboxLetters(making.settings.outbox_dir, typeset, failures=making.failures)


def _relay(name: str) -> Maker:
    def make(making: Making) -> Limited:
        return SmtpChannel(_smtp_settings(name, making.settings.email.relays[name]), name=name, now=making.now)

    return make


def _smtp_settings(name: str, relay: Relay) -> SmtpSettings:
    tls = relay.tls or (SmtpTls.NONE if is_loopback(relay.host) else SmtpTls.STARTTLS)
    keys = [
        DkimKey(selector=selector, file=file)
        for selector, file in zip(relay.dkim_selector, relay.dkim_key_file, strict=True)
    ]
    return SmtpSettings(
        host=relay.host,
        port=relay.port,
        username=relay.username,
        password=relay.password,
        tls=ChannelTls(tls.value),
        connections=relay.connections,
        ca_file=relay.ca_file,
        dkim=DkimSettings(domain=relay.dkim_domain, keys=tuple(keys)) if relay.dkim_domain else None,
        prefix=f"{PREFIX}{name.upper()}",
    )


def _twilio_texts(making: Making) -> Limited:
    """Make the Twilio channel; its client takes 0.3 s to load, which only its users should pay."""
    from channels.sms_twilio import TwilioSettings, TwilioTexts  # noqa: PLC0415  # see above

    texts = making.settings.texts
    twilio = TwilioSettings(
        account_sid=texts.twilio_account_sid or "",
        auth_token=texts.twilio_auth_token or "",
        from_number=texts.twilio_from,
        messaging_service_sid=texts.twilio_messaging_service_sid,
        emergency_from=texts.twilio_emergency_from,
        emergency_messaging_service_sid=texts.twilio_emergency_messaging_service_sid,
        answers_stop=texts.twilio_answers_stop,
        status_callback_url=f"{making.settings.public_url}/v1/receipts/twilio",
    )
    if texts.twilio_api_base_url:
        twilio = replace(twilio, api_base_url=texts.twilio_api_base_url)
    return TwilioTexts(twilio, now=making.now)


def _twilio_calls(making: Making) -> Limited:
    """Make the Twilio channel for calls, and let staff make those it cannot speak; it loads as slowly."""
    from channels.voice_twilio import TwilioCalls, TwilioCallSettings  # noqa: PLC0415  # see above

    texts, voice, public_url = making.settings.texts, making.settings.voice, making.settings.public_url
    twilio = TwilioCallSettings(
        account_sid=texts.twilio_account_sid or "",
        auth_token=texts.twilio_auth_token or "",
        from_number=voice.twilio_voice_from or texts.twilio_from or "",
        call_url=f"{public_url}/v1/calls/{TwilioCalls.name}",
        status_callback_url=f"{public_url}/v1/receipts/{TwilioCalls.name}",
        ring_seconds=voice.voice_ring_seconds,
    )
    if texts.twilio_api_base_url:
        twilio = replace(twilio, api_base_url=texts.twilio_api_base_url)
    return OrByHand(TwilioCalls(twilio, now=making.now), TwilioCalls.speaks)


def _sinch_texts(making: Making) -> Limited:
    texts = making.settings.texts
    sinch = SinchSettings(
        service_plan_id=texts.sinch_service_plan_id or "",
        api_token=texts.sinch_api_token or "",
        sender=texts.sinch_from or "",
        emergency_sender=texts.sinch_emergency_from,
        callback_secret=texts.sinch_callback_secret or "",
        callback_url=f"{making.settings.public_url}/v1/receipts/{SmsProvider.SINCH}",
    )
    if texts.sinch_api_base_url:
        sinch = replace(sinch, api_base_url=texts.sinch_api_base_url)
    return SinchTexts(sinch, now=making.now)


def _lob_letters(making: Making) -> Limited:
    letters = making.settings.letters
    lob = LobSettings(
        api_key=letters.lob_api_key or "",
        return_address=letters.letter_return_address,
        webhook_secret=letters.lob_webhook_secret,
        double_sided=letters.letter_sides is LetterSides.DUPLEX,
    )
    if letters.lob_api_base_url:
        lob = replace(lob, api_base_url=letters.lob_api_base_url)
    return LobLetters(lob, lambda sheet: typeset(sheet, US_WINDOW), now=making.now)


MAKERS: Mapping[ChannelName, Mapping[str, Maker]] = {
    ChannelName.EMAIL: {
        EmailProvider.OUTBOX: _outbox_mail,
        EmailProvider.SMTP: _relay("smtp"),
        EmailProvider.SMTP2: _relay("smtp2"),
    },
    ChannelName.SMS: {
        SmsProvider.OUTBOX: _outbox_texts,
        SmsProvider.TWILIO: _twilio_texts,
        SmsProvider.SINCH: _sinch_texts,
    },
    ChannelName.VOICE: {
        VoiceProvider.OUTBOX: _outbox_calls,
        VoiceProvider.TWILIO: _twilio_calls,
        VoiceProvider.STAFF: lambda _making: ByHand(Call),
    },
    ChannelName.LETTER: {
        LetterProvider.OUTBOX: _outbox_letters,
        LetterProvider.SPOOL: lambda making: SpoolLetters(making.settings.letters.letter_spool_dir),
        LetterProvider.LOB: _lob_letters,
        LetterProvider.STAFF: lambda _making: ByHand(Sheet),
    },
}
"""By channel and by the name in `GATEWAY_*_PROVIDER`."""


def make_providers(
    settings: Settings, *, now: Callable[[], dt.datetime], failures: Failures = never_fails
) -> dict[ChannelName, list[Provider]]:
    """Make the providers of each channel, in the order in which the settings name them."""
    making = Making(settings=settings, now=now, failures=failures)
    rates = {
        ChannelName.SMS: settings.texts.sms_rate,
        ChannelName.VOICE: settings.voice.voice_rate,
        ChannelName.LETTER: settings.letters.letter_rate,
    }
    return {
        channel: [_provider(making, channel, share, rates.get(channel)) for share in settings.providers[channel]]
        for channel in ChannelName
    }


def _provider(making: Making, channel: ChannelName, share: Share, rate: float | None) -> Provider:
    """Make one provider and bind it to what the operator allows."""
    adapter, key = MAKERS[channel][share.provider](making), f"{channel}/{share.provider}"
    if channel is ChannelName.EMAIL:
        # SMTP_RATE slows the outbox, too: to try a rate out.
        relays = making.settings.email.relays
        rate = relays.get(share.provider, relays["smtp"]).rate
    if rate is not None:
        adapter.limits = replace(adapter.limits, rate=rate)
    return Provider(
        key=key,
        channel=adapter,
        weight=share.weight,
        approved_until=making.settings.approved_until.get(key),
        budget=making.settings.budgets.get(key),
    )
