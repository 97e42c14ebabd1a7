"""What `gateway doctor` advises on the channels: choice of providers, their terms, the addresses that lead to us."""

from typing import Any

import pytest

from channels.dkim_signing import PublicRecord
from gateway.cli.channel_advice import address_finding, alert_findings, channel_findings, term_findings, txt_record
from gateway.dispatch.providers import Terms
from gateway.settings import Settings, read_settings

TWILIO = {
    "GATEWAY_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "GATEWAY_TWILIO_AUTH_TOKEN": "invented",
    "GATEWAY_TWILIO_FROM": "+447700900001",
}


def settings(**given: str) -> Settings:
    """Read settings, with Twilio's account at hand."""
    return read_settings({**TWILIO, **{f"GATEWAY_{name.upper()}": value for name, value in given.items()}})


def bound(**terms: Any) -> Terms:
    """Bind a provider."""
    return Terms(provider="sms/twilio", **{"budget": None, "used": None, "approved_days": None, **terms})


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (bound(), None),
        (bound(approved_days=61), None),
        (bound(approved_days=60), "60 days are left: renew it"),
        (bound(approved_days=0), "today is the last day"),
        (bound(approved_days=-1), None),
        (bound(budget=1000, used=799), None),
        (bound(budget=1000, used=800), "800 of 1,000 used this month"),
        (bound(budget=1000, used=1000), None),
        (bound(budget=1000), None),
        (bound(budget=0, used=0), None),
    ],
)
def test_terms_are_told_of_in_time(terms: Terms, words: str | None) -> None:
    """What is over by now is no advice: the provider is not used, which the doctor says of itself."""
    advice = [finding.advice for finding in term_findings([terms])]
    assert len(advice) == (words is not None)
    assert words is None or words in str(advice[0])


def test_both_terms_of_a_provider_are_told() -> None:
    """Each is advice of its own, by the provider's name."""
    found = list(term_findings([bound(approved_days=5, budget=10, used=9)]))
    assert [finding.what for finding in found] == ["approval of sms/twilio", "budget of sms/twilio"]


ALL_TWICE = {"email": ["smtp", "smtp2"], "sms": ["twilio", "sinch"], "voice": ["twilio", "staff"]}


@pytest.mark.parametrize(
    ("chosen", "unusable", "unsent", "alone"),
    [
        ({}, set(), None, None),
        ({"sms": ["outbox"]}, set(), "sms is only written to files: set GATEWAY_SMS_PROVIDER", None),
        ({"sms": ["outbox"], "voice": ["outbox"]}, set(), "sms and voice are only written", None),
        (
            {"email": ["smtp"]},
            set(),
            None,
            "email is carried by one provider alone: name a second one in GATEWAY_EMAIL",
        ),
        ({}, {"sms/sinch"}, None, "sms is carried"),
        ({"voice": ["staff"]}, set(), None, None),
        ({"letter": ["lob"]}, set(), None, None),
        (
            {"email": ["smtp"], "sms": ["sinch"], "voice": ["twilio"]},
            set(),
            None,
            "in GATEWAY_EMAIL_PROVIDER, GATEWAY_SMS_PROVIDER and GATEWAY_VOICE_PROVIDER.",
        ),
    ],
)
def test_alerts_need_somebody_else(
    chosen: dict[str, list[str]], unusable: set[str], unsent: str | None, alone: str | None
) -> None:
    """No alert goes by letter, staff can always be asked; whose approval is over stands in for nobody."""
    leaves, goes_on = alert_findings({**ALL_TWICE, **chosen}, unusable)
    for finding, words in ((leaves, unsent), (goes_on, alone)):
        assert finding.advice is None if words is None else words in str(finding.advice)


SMTP = {"email_provider": "smtp", "smtp_host": "mail.example.org"}
TEXTS = {"sms_provider": "twilio"}
HERE = {"public_url": "http://127.0.0.1:8080"}
PLAIN = {"public_url": "http://messages.example.org"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (HERE, None),
        (HERE | {"email_provider": "smtp", "smtp_host": "localhost"}, None),
        (HERE | TEXTS | {"twilio_api_base_url": "http://127.0.0.1:9999"}, None),
        (HERE | SMTP, "this machine alone"),
        (HERE | TEXTS, "this machine alone"),
        (PLAIN, None),
        (PLAIN | SMTP, "one-click unsubscribe (RFC 8058) need https"),
        (PLAIN | TEXTS, "news from sms/twilio need https"),
        (PLAIN | {"voice_provider": "staff", "letter_provider": "spool"}, None),
        (PLAIN | SMTP | TEXTS | {"voice_provider": "twilio"}, "and news from sms/twilio, voice/twilio need https"),
        (SMTP | TEXTS | {"public_url": "https://messages.example.org"}, None),
    ],
)
def test_parents_and_providers_must_reach_us(given: dict[str, str], words: str | None) -> None:
    """Over https, except where everything stays on this machine."""
    advice = address_finding(settings(**given)).advice
    assert advice is None if words is None else words in str(advice)


def test_a_listener_that_is_missing_is_told_of() -> None:
    """Mails whose answers come back to us need somebody who takes them."""
    advice = [finding.advice for finding in channel_findings(settings(reply_domain="replies.example.org"), [])]
    assert any("GATEWAY_INBOUND_SMTP_PORT" in str(each) for each in advice)


@pytest.mark.parametrize(
    ("length", "strings"),
    [(1, ["x"]), (255, ["x" * 255]), (256, ["x" * 255, "x"]), (600, ["x" * 255] * 2 + ["x" * 90])],
)
def test_a_record_is_split_as_name_servers_need_it(length: int, strings: list[str]) -> None:
    """No string is longer than 255 bytes, and joined they are the value."""
    record = txt_record(PublicRecord("a._domainkey.example.org", "x" * length))
    assert record == "a._domainkey.example.org TXT " + " ".join(f'"{string}"' for string in strings)
