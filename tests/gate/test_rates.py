"""The operator's rates: read from the environment, carried by the channels, watched by the gate."""

from pathlib import Path

import pytest

from gateway.directory.model import ChannelName
from gateway.dispatch.providers import Provider
from gateway.providers import make_providers
from gateway.settings import SettingsError, read_settings
from tests.gate.workers import Clock

VARIABLES = {
    ChannelName.EMAIL: "GATEWAY_SMTP_RATE",
    ChannelName.SMS: "GATEWAY_SMS_RATE",
    ChannelName.VOICE: "GATEWAY_VOICE_RATE",
    ChannelName.LETTER: "GATEWAY_LETTER_RATE",
}


def providers(environment: dict[str, str], folder: Path) -> dict[ChannelName, Provider]:
    """Make the only provider of each channel as a process with this environment does."""
    made = make_providers(read_settings({"GATEWAY_OUTBOX_DIR": str(folder), **environment}), now=Clock())
    return {name: only for name, (only,) in made.items()}


@pytest.mark.parametrize("limited", VARIABLES)
def test_each_channel_has_its_own_rate(limited: ChannelName, tmp_path: Path) -> None:
    """One variable limits one channel; the others stay unlimited."""
    chosen = providers({VARIABLES[limited]: "12.5"}, tmp_path)
    assert {name: provider.channel.limits.rate for name, provider in chosen.items()} == {
        name: 12.5 if name is limited else None for name in chosen
    }


@pytest.mark.parametrize("provider", ["smtp", "twilio"])
def test_real_providers_are_limited_too(provider: str, tmp_path: Path) -> None:
    """Rate beside what the provider's own settings say of it."""
    environment = {
        "GATEWAY_EMAIL_PROVIDER": "smtp", "GATEWAY_SMTP_RATE": "50", "GATEWAY_SMTP_CONNECTIONS": "3",
        "GATEWAY_SMS_PROVIDER": "twilio", "GATEWAY_SMS_RATE": "1", "GATEWAY_TWILIO_ACCOUNT_SID": "AC1",
        "GATEWAY_TWILIO_AUTH_TOKEN": "invented", "GATEWAY_TWILIO_FROM": "+447700900001",
    }  # fmt: skip
    chosen = providers(environment, tmp_path)
    name = {"smtp": ChannelName.EMAIL, "twilio": ChannelName.SMS}[provider]
    channel = chosen[name].channel
    assert channel.name == provider
    assert channel.limits.rate == {"smtp": 50, "twilio": 1}[provider]
    assert channel.limits.concurrency == {"smtp": 3, "twilio": 20}[provider]
    assert chosen[name].key == f"{name.value}/{provider}"


@pytest.mark.parametrize("text", ["0", "0.001", "-1", "nan", "inf", "1e3", "many", "100001", "1,5", "٣"])
def test_a_bad_rate_is_named(text: str) -> None:
    """One sentence with the variable and what it takes; a limit of zero would stop everything unsaid."""
    with pytest.raises(SettingsError, match=r"^GATEWAY_SMS_RATE must be a number a second from 0\.01 to 100000"):
        read_settings({"GATEWAY_SMS_RATE": text})


def test_an_empty_rate_is_no_limit() -> None:
    """As every empty setting, it counts as not given."""
    assert read_settings({"GATEWAY_SMS_RATE": " "}).texts.sms_rate is None
