"""`gateway test-send`: one harmless message through one provider, to see that it takes what we hand it."""

import datetime as dt
import secrets
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import phonenumbers
from babel.dates import format_date

import locales
from channels.base import STAFF, Call, Channel, Envelope, Handover, Mail, Payload, Sheet, Text
from channels.email_mime import PreparedMail, UnsafeHeaderError
from channels.errors import Retry, SendError
from channels.letter_address import check_address
from channels.sms_segments import count, smart
from gateway.assembly import utc_now
from gateway.content.catalogues import Catalogues
from gateway.content.languages import direction, locale_of
from gateway.content.phrases import Phrases
from gateway.directory.contact_details import TextFault, email_address, phone_number, text_fault
from gateway.directory.importing import UnreadableValueError
from gateway.directory.model import ChannelName
from gateway.dispatch.calls import TEST_CALL
from gateway.dispatch.providers import Provider, approved
from gateway.providers import make_providers
from gateway.settings import Settings

SENDER = "School Messaging Gateway"

LASTS = dt.timedelta(minutes=10)
"""A test that comes hours later tells nobody anything."""

_ADVICE = {
    Retry.NEVER: "give another address, or see gateway doctor",
    Retry.LATER: "see gateway doctor, or try again in some minutes",
    Retry.UNKNOWN: "look whether it arrived before you send another",
}


class NotSentError(Exception):
    """The test message was not taken; one sentence that says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestMessage:
    """What a test says, to whom and in which language."""

    channel: ChannelName
    to: str
    phrases: Phrases
    mail_from: str
    countries: frozenset[str]
    """Where texts may go; empty means everywhere."""
    at: dt.datetime

    def envelope(self) -> Envelope:
        """Write it for its channel; raises `NotSentError` when the address cannot be used there."""
        # A call's words are asked for by this id, when it is taken, of a gateway that knows nothing else of it.
        identity = f"{TEST_CALL}{secrets.token_hex(8)}-{self.phrases.language}"
        try:
            payload = self._payload(identity)
        except UnreadableValueError as error:
            raise NotSentError(f"--to cannot be used: {error}") from None
        except UnsafeHeaderError:
            raise NotSentError(
                "--to or GATEWAY_EMAIL_FROM holds signs that mail servers do not take: write it in plain ASCII."
            ) from None
        lasting = self.channel in {ChannelName.SMS, ChannelName.VOICE}
        return Envelope(delivery=identity, payload=payload, expires_at=self.at + LASTS if lasting else None)

    def _payload(self, identity: str) -> Payload:
        match self.channel:
            case ChannelName.EMAIL:
                return self._mail(email_address(self.to), f"<{identity}@{self.mail_from.rpartition('@')[2]}>")
            case ChannelName.SMS:
                body = smart(self.phrases.test_text())
                return Text(
                    recipient=_mobile(self.to, self.countries),
                    body=body,
                    segments=count(body).segments,
                    language=self.phrases.language,
                )
            case ChannelName.VOICE:
                speech = self.phrases.test_text()
                return Call(recipient=_number(self.to), speech=speech, language=self.phrases.language, voicemail=speech)
            case ChannelName.LETTER:
                return self._sheet(_address(self.to))

    def _mail(self, recipient: str, message_id: str) -> Mail:
        mail = PreparedMail.prepare(
            sender=(SENDER, self.mail_from),
            language=self.phrases.language,
            subject=(self.phrases.test_subject(),),
            plain=(self.phrases.test_text() + "\n",),
        )
        content = mail.build(to_name="", to_address=recipient, message_id=message_id, date=self.at)
        return Mail(sender=self.mail_from, recipient=recipient, message_id=message_id, content=content)

    def _sheet(self, address: tuple[str, ...]) -> Sheet:
        language = self.phrases.language
        return Sheet(
            address=address,
            sender=(SENDER,),
            date=format_date(self.at, "long", locale=locale_of(language)),
            subject=self.phrases.test_subject(),
            blocks=({"kind": "paragraph", "text": [{"text": self.phrases.test_text(), "link": None}]},),
            language=language,
            right_to_left=direction(language) == "rtl",
            size=11,
            sealed=False,
        )


async def send_test(settings: Settings, channel: ChannelName, to: str, *, provider: str | None, language: str) -> str:
    """Hand one test message to a provider, past queue and database; gives a line with its answer.

    Raises `NotSentError` or `ChannelSettingsError`, each with one sentence.
    """
    now = utc_now()
    chosen = _chosen(settings, channel, provider, now)
    message = TestMessage(
        channel=channel,
        to=to,
        phrases=_phrases(language),
        mail_from=settings.email.email_from,
        countries=settings.texts.sms_countries,
        at=now,
    )
    handover = await _handed_over(chosen.channel, message.envelope())
    who = f"{channel} by {_name(chosen)}"
    if handover.provider == STAFF:
        raise NotSentError(f"{who} in {language} is for staff to do: choose what a machine does, to test it.")
    if handover.error is not None:
        raise NotSentError(f"{who}: {_sentence(handover.error)}")
    return f"{who}: accepted as {handover.provider_id}"


def _chosen(settings: Settings, channel: ChannelName, name: str | None, now: dt.datetime) -> Provider:
    """Make the provider of this name, or the first of the channel."""
    providers = make_providers(settings, now=utc_now)[channel]
    chosen = next((each for each in providers if name in (None, _name(each))), None)
    if chosen is None:
        names, setting = ", ".join(map(_name, providers)), f"GATEWAY_{channel.upper()}_PROVIDER"
        raise NotSentError(f"--provider {name} does not carry {channel}: name one of {names}, or set {setting}.")
    if not approved([chosen], now):
        raise NotSentError(f"The approval of {chosen.key} is over: renew it and GATEWAY_APPROVED_UNTIL.")
    return chosen


def _name(provider: Provider) -> str:
    """Name a provider as the settings do: its adapter's own name differs from channel to channel."""
    return provider.key.partition("/")[2]


def _phrases(language: str) -> Phrases:
    catalogues = Catalogues.from_files(locales.catalogue_files())
    phrases = catalogues.phrases(language)
    if phrases.language.lower() != language.lower():
        known = ", ".join(sorted({"en", *catalogues.languages}))
        raise NotSentError(f"--language {language} is not one of the gateway's languages: {known}.")
    return phrases


async def _handed_over(adapter: Channel, envelope: Envelope) -> Handover:
    try:
        await adapter.open()
        async with aclosing(adapter.send([envelope])) as answers:
            return await anext(answers)
    finally:
        await adapter.close()


def _sentence(error: SendError) -> str:
    code = error.code if error.provider_code is None else f"{error.code}, {error.provider_code}"
    advice = "see gateway doctor" if error.ours else _ADVICE[error.retry]
    return f"{error.explanation.rstrip('.')} ({code}): {advice}."


def _mobile(text: str, countries: frozenset[str]) -> str:
    number = _number(text)
    match text_fault(number, countries):
        case None:
            return number
        case TextFault.COUNTRY_NOT_ALLOWED:
            raise UnreadableValueError("GATEWAY_SMS_COUNTRIES does not allow texts to the country of this number.")
        case _:
            raise UnreadableValueError("This number is no mobile, so it takes no texts; use --channel voice for it.")


def _number(text: str) -> str:
    if not text.strip().startswith("+"):
        raise UnreadableValueError("Write the number with + and its country code, such as +447700900999.")
    return phone_number(text, country="GB")


def _address(text: str) -> tuple[str, ...]:
    """Read the lines of an address, or the file that holds them."""
    given = text.split("|") if "|" in text else _lines_of(Path(text))
    lines = tuple(line.strip() for line in given if line.strip())
    problems = check_address(lines, "GB", real_postcodes=False)
    if problems and all(check_address(lines, country) for country in phonenumbers.SUPPORTED_REGIONS):
        raise UnreadableValueError(
            "Write 3 to 7 lines with | between them, the name first and a UK postcode or the country last "
            f"({', '.join(problems)})."
        )
    return lines


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UnreadableValueError(
            "Name a text file in UTF-8 that holds the address, or write its lines with | between them."
        ) from None
