"""What an operator says about calls becomes a channel that makes them, and what is missing is said at the start."""

import pytest

from channels.base import Conversing
from gateway.assembly import utc_now
from gateway.directory.model import ChannelName
from gateway.providers import MAKERS, Making
from gateway.settings import SettingsError, read_settings, unknown_settings

TWILIO = {
    "GATEWAY_VOICE_PROVIDER": "twilio",
    "GATEWAY_TWILIO_ACCOUNT_SID": "AC1",
    "GATEWAY_TWILIO_AUTH_TOKEN": "an invented token",
    "GATEWAY_TWILIO_VOICE_FROM": "+441632960000",
    "GATEWAY_VOICE_RING_SECONDS": "25",
    "GATEWAY_VOICE_RATE": "2.5",
    "GATEWAY_PUBLIC_URL": "https://gateway.example.org",
}


def test_calls_through_twilio() -> None:
    """The channel is the one that callbacks name, and it converses."""
    settings = read_settings(TWILIO)
    assert unknown_settings(TWILIO) == []
    assert (settings.voice.voice_ring_seconds, settings.voice.voice_rate) == (25, 2.5)
    made = MAKERS[ChannelName.VOICE]["twilio"](Making(settings=settings, now=utc_now))
    assert made.name == "twilio_voice"
    assert isinstance(made, Conversing)


def test_calls_come_from_the_number_of_texts_unless_told_otherwise() -> None:
    """One number serves for both where it can."""
    settings = {**TWILIO, "GATEWAY_TWILIO_FROM": "+447700900000"}
    del settings["GATEWAY_TWILIO_VOICE_FROM"]
    assert read_settings(settings).texts.twilio_from == "+447700900000"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("GATEWAY_TWILIO_ACCOUNT_SID", "GATEWAY_TWILIO_ACCOUNT_SID is missing: Twilio needs it"),
        ("GATEWAY_TWILIO_AUTH_TOKEN", "GATEWAY_TWILIO_AUTH_TOKEN is missing: Twilio needs it"),
        ("GATEWAY_TWILIO_VOICE_FROM", "GATEWAY_TWILIO_VOICE_FROM is missing: calls need a number"),
        ("GATEWAY_PUBLIC_URL", "GATEWAY_PUBLIC_URL must be an address that Twilio reaches"),
    ],
)
def test_what_is_missing_is_named(missing: str, sentence: str) -> None:
    """One sentence, before anything starts."""
    with pytest.raises(SettingsError, match=sentence):
        read_settings({name: value for name, value in TWILIO.items() if name != missing})


@pytest.mark.parametrize("seconds", ["4", "601", "soon", "-5"])
def test_a_bad_ringing_time_is_named(seconds: str) -> None:
    """Twilio lets it ring for ten minutes at most."""
    with pytest.raises(SettingsError, match="GATEWAY_VOICE_RING_SECONDS must be a whole number from 5 to 600"):
        read_settings({**TWILIO, "GATEWAY_VOICE_RING_SECONDS": seconds})
