"""The settings of text messages: read into what they mean, or refused in a sentence that names them."""

from decimal import Decimal

import pytest

from gateway.settings import SettingsError, read_settings
from gateway.settings.readers import Price
from tests.channels.twilio_server import ACCOUNT_SID, AUTH_TOKEN, EMERGENCY_NUMBER, FROM_NUMBER

TWILIO = {
    "GATEWAY_SMS_PROVIDER": "twilio",
    "GATEWAY_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "GATEWAY_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "GATEWAY_TWILIO_FROM": FROM_NUMBER,
}


def test_everything_can_be_set() -> None:
    """Countries, price, where to ask for help, the sender of alerts."""
    texts = read_settings(
        {
            "GATEWAY_SMS_COUNTRIES": "GB, ie",
            "GATEWAY_SMS_PRICE": "0.04 GBP",
            "GATEWAY_SMS_HELP": "020 7946 0123",
            "GATEWAY_TWILIO_EMERGENCY_FROM": EMERGENCY_NUMBER,
            "GATEWAY_TWILIO_ANSWERS_STOP": "false",
        }
    ).texts
    assert texts.sms_countries == {"GB", "IE"}
    assert texts.sms_price == Price(Decimal("0.04"), "GBP")
    assert (texts.sms_help, texts.twilio_answers_stop) == ("020 7946 0123", False)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GATEWAY_SMS_COUNTRIES", "UK", "must be two-letter country codes such as GB,IE; the United Kingdom is GB."),
        ("GATEWAY_SMS_COUNTRIES", "GB,", "must be two-letter country codes"),
        ("GATEWAY_SMS_PRICE", "0,04 GBP", "must be an amount and its currency, such as 0.04 GBP."),
        ("GATEWAY_SMS_PRICE", "0.04", "must be an amount and its currency"),
        ("GATEWAY_SMS_PRICE", "£0.04", "must be an amount and its currency"),
        ("GATEWAY_SMS_HELP", "x" * 101, "must be one line of 100 characters at most."),
        ("GATEWAY_TWILIO_ANSWERS_STOP", "maybe", "must be true or false."),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str, sentence: str) -> None:
    """With what it has to look like."""
    with pytest.raises(SettingsError) as refused:
        read_settings({name: value})
    assert str(refused.value).startswith(f"{name} {sentence}")


def test_two_senders_of_alerts_are_refused_at_start() -> None:
    """One number or one messaging service."""
    both = {"GATEWAY_TWILIO_EMERGENCY_FROM": EMERGENCY_NUMBER, "GATEWAY_TWILIO_EMERGENCY_MESSAGING_SERVICE_SID": "MG1"}
    with pytest.raises(SettingsError, match="Set only one of GATEWAY_TWILIO_EMERGENCY_FROM"):
        read_settings(TWILIO | both)
