"""How text messages leave: providers and their accounts."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from gateway.settings import readers
from gateway.settings.readers import Price, Readers, Share


class SmsProvider(StrEnum):
    """Who takes text messages."""

    OUTBOX = "outbox"
    TWILIO = "twilio"
    SINCH = "sinch"


@dataclass(frozen=True, kw_only=True)
class TextSettings:
    """Everything about text messages that an operator can choose, and the Twilio account that calls use, too."""

    sms_provider: tuple[Share, ...] = (Share("outbox", 1),)
    sms_rate: float | None = None
    sms_countries: frozenset[str] = frozenset()
    """Where texts may go, by ISO 3166 code; empty means everywhere."""
    sms_price: Price | None = None
    """What one part of a text costs, so that forecasts tell the sum."""
    sms_help: str | None = None
    """How the school can be reached, told to who texts HELP; the address that mails come from unless given."""
    twilio_account_sid: str | None = None
    twilio_auth_token: str | None = field(default=None, repr=False)
    twilio_from: str | None = None
    twilio_messaging_service_sid: str | None = None
    twilio_emergency_from: str | None = None
    twilio_emergency_messaging_service_sid: str | None = None
    """A sender for alerts alone: people come to know its number, and it queues behind nothing else."""
    twilio_answers_stop: bool = True
    """Whether Twilio itself confirms STOP, START and HELP, as it does unless that was turned off there."""
    twilio_api_base_url: str | None = None
    sinch_service_plan_id: str | None = None
    sinch_api_token: str | None = field(default=None, repr=False)
    sinch_from: str | None = None
    sinch_emergency_from: str | None = None
    sinch_callback_secret: str | None = field(default=None, repr=False)
    sinch_api_base_url: str | None = None

    READERS: ClassVar[Readers] = {
        "sms_provider": readers.shares(SmsProvider),
        "sms_rate": readers.rate,
        "sms_countries": readers.country_codes,
        "sms_price": readers.price,
        "sms_help": readers.short_text,
        "twilio_account_sid": str,
        "twilio_auth_token": str,
        "twilio_from": str,
        "twilio_messaging_service_sid": str,
        "twilio_emergency_from": str,
        "twilio_emergency_messaging_service_sid": str,
        "twilio_answers_stop": readers.yes_or_no,
        "twilio_api_base_url": readers.url("http", "https"),
        "sinch_service_plan_id": str,
        "sinch_api_token": str,
        "sinch_from": str,
        "sinch_emergency_from": str,
        "sinch_callback_secret": str,
        "sinch_api_base_url": readers.url("http", "https"),
    }
