"""The settings of one process, read once from `GATEWAY_*` environment variables."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from gateway.settings import readers
from gateway.settings.email import EmailProvider, EmailSettings, Relay, SmtpTls
from gateway.settings.inbound import InboundSettings
from gateway.settings.letters import LetterProvider, LetterSettings
from gateway.settings.readers import Readers, Share
from gateway.settings.texts import SmsProvider, TextSettings
from gateway.settings.voice import VoiceProvider, VoiceSettings

__all__ = [
    "PREFIX",
    "EmailProvider",
    "InboundSettings",
    "LetterProvider",
    "Relay",
    "Settings",
    "SettingsError",
    "Share",
    "SmsProvider",
    "SmtpTls",
    "VoiceProvider",
    "known_settings",
    "read_settings",
    "unknown_settings",
]

PREFIX = "GATEWAY_"

RELAYS = ("smtp", "smtp2")


class SettingsError(Exception):
    """A setting is missing or bad: one sentence that names it and never shows a secret's value."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator can choose. Secrets are left out of `repr`."""

    database_url: str = field(default="sqlite+aiosqlite:///var/gateway.db", repr=False)
    redis_url: str | None = field(default=None, repr=False)
    outbox_dir: Path = Path("var/outbox")
    public_url: str = "http://127.0.0.1:8080"
    secret_key: str | None = field(default=None, repr=False)
    """Signs document links, and webhook secrets are derived from it; 32 characters or more.

    Without it the installation keeps one in its database.
    """
    email: EmailSettings = field(default_factory=EmailSettings)
    inbound: InboundSettings = field(default_factory=InboundSettings)
    texts: TextSettings = field(default_factory=TextSettings)
    voice: VoiceSettings = field(default_factory=VoiceSettings)
    letters: LetterSettings = field(default_factory=LetterSettings)
    approved_until: Mapping[str, dt.date] = field(default_factory=dict)
    """The last day on which a provider, such as `sms/twilio`, may be used (Q09); without a day it may be for ever."""
    budgets: Mapping[str, int] = field(default_factory=dict)
    """What a provider may be given in a calendar month: mails, parts of texts, calls, letters. Alerts go beyond it."""
    max_body_bytes: int = 5_000_000
    """The largest JSON body taken; a directory upload may be ten times that."""
    webhooks_allow_private: bool = False
    """Whether webhooks may go to addresses that are not public, and over plain HTTP: for a network of the operator's
    own, and for trying things out."""
    log_level: str = "INFO"
    metrics_port: int | None = None
    """Where figures are, apart from the API; None means: `serve` gives them at its own port, others nowhere."""
    metrics_host: str = "127.0.0.1"
    traces_endpoint: str | None = None
    """The OTLP collector of `OTEL_EXPORTER_OTLP_ENDPOINT`, the standard's name; None means that nothing is traced."""

    READERS: ClassVar[Readers] = {
        "database_url": readers.database_url,
        "redis_url": readers.url("redis", "rediss", "unix"),
        "outbox_dir": Path,
        "public_url": readers.public_url,
        "secret_key": readers.secret_key,
        "approved_until": readers.by_provider(readers.day, "sms/twilio=2027-03-31"),
        "budgets": readers.by_provider(readers.whole_number(0, 1_000_000_000), "sms/twilio=20000"),
        "max_body_bytes": readers.whole_number(1_000, 100_000_000),
        "webhooks_allow_private": readers.yes_or_no,
        "log_level": readers.log_level,
        "metrics_port": readers.whole_number(1, 65535),
        "metrics_host": str,
    }

    @property
    def embedded(self) -> bool:
        """Whether the actors run inside `serve` instead of in worker processes."""
        return self.redis_url is None

    @property
    def sqlite(self) -> bool:
        """Whether the database is a file of this machine."""
        return self.database_url.startswith("sqlite")

    @property
    def providers(self) -> Mapping[str, tuple[Share, ...]]:
        """Who carries each channel, by the channel's name."""
        return {
            "email": self.email.email_provider,
            "sms": self.texts.sms_provider,
            "voice": self.voice.voice_provider,
            "letter": self.letters.letter_provider,
        }


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises `SettingsError` for the first one that is missing or bad."""
    relays = {name: Relay(**_read(environment, Relay.READERS, f"{PREFIX}{name.upper()}_")) for name in RELAYS}
    settings = Settings(
        **_read(environment, Settings.READERS),
        email=EmailSettings(**_read(environment, EmailSettings.READERS), relays=relays),
        inbound=InboundSettings(**_read(environment, InboundSettings.READERS)),
        texts=TextSettings(**_read(environment, TextSettings.READERS)),
        voice=VoiceSettings(**_read(environment, VoiceSettings.READERS)),
        letters=LetterSettings(**_read(environment, LetterSettings.READERS)),
        traces_endpoint=_traces_endpoint(environment),
    )
    _check_together(settings)
    return settings


def _read(environment: Mapping[str, str], section: Readers, prefix: str = PREFIX) -> dict[str, Any]:
    """Read those of a section's settings that are given, by field."""
    values = {}
    for name in sorted(section):
        variable = prefix + name.upper()
        text = environment.get(variable, "").strip()
        if text:
            try:
                values[name] = section[name](text)
            except ValueError as error:
                raise SettingsError(f"{variable} {error}") from None
    return values


def known_settings() -> frozenset[str]:
    """Name all variables that some setting reads."""
    sections = (Settings, EmailSettings, InboundSettings, TextSettings, VoiceSettings, LetterSettings)
    known = {PREFIX + name.upper() for section in sections for name in section.READERS}
    return frozenset(known | {f"{PREFIX}{relay.upper()}_{name.upper()}" for relay in RELAYS for name in Relay.READERS})


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Name the `GATEWAY_*` variables that no setting reads: most likely misspelt (`gateway doctor` tells)."""
    known = known_settings()
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _check_together(settings: Settings) -> None:
    """Refuse combinations that a send would trip over."""
    for check in (_check_texts, _check_calls, _check_relays, _check_letters, _check_servers, _check_terms):
        check(settings)


def _check_texts(settings: Settings) -> None:
    chosen = {share.provider for share in settings.texts.sms_provider}
    if SmsProvider.TWILIO in chosen:
        _check_twilio(settings.texts)
    if SmsProvider.SINCH in chosen:
        _check_sinch(settings.texts)


def _check_letters(settings: Settings) -> None:
    if fault := settings.letters.fault():
        raise SettingsError(fault)


def _check_calls(settings: Settings) -> None:
    if not any(share.provider == VoiceProvider.TWILIO for share in settings.voice.voice_provider):
        return
    for name in ("twilio_account_sid", "twilio_auth_token"):
        if getattr(settings.texts, name) is None:
            raise SettingsError(f"{PREFIX}{name.upper()} is missing: Twilio needs it (GATEWAY_VOICE_PROVIDER=twilio).")
    if settings.voice.twilio_voice_from is None and settings.texts.twilio_from is None:
        raise SettingsError("GATEWAY_TWILIO_VOICE_FROM is missing: calls need a number to come from.")
    here = urlsplit(settings.public_url).hostname in {"localhost", "127.0.0.1", "::1"}
    if here and settings.texts.twilio_api_base_url is None:
        raise SettingsError(
            "GATEWAY_PUBLIC_URL must be an address that Twilio reaches: there it asks during a call what to say."
        )


def _check_sinch(texts: TextSettings) -> None:
    for name in ("sinch_service_plan_id", "sinch_api_token", "sinch_from", "sinch_callback_secret"):
        if getattr(texts, name) is None:
            raise SettingsError(f"{PREFIX}{name.upper()} is missing: Sinch needs it (GATEWAY_SMS_PROVIDER=sinch).")


def _check_twilio(texts: TextSettings) -> None:
    for name in ("twilio_account_sid", "twilio_auth_token"):
        if getattr(texts, name) is None:
            raise SettingsError(f"{PREFIX}{name.upper()} is missing: Twilio needs it (GATEWAY_SMS_PROVIDER=twilio).")
    if texts.twilio_emergency_from is not None and texts.twilio_emergency_messaging_service_sid is not None:
        raise SettingsError(
            "Set only one of GATEWAY_TWILIO_EMERGENCY_FROM and GATEWAY_TWILIO_EMERGENCY_MESSAGING_SERVICE_SID."
        )
    if texts.twilio_from is None and texts.twilio_messaging_service_sid is None:
        raise SettingsError("GATEWAY_TWILIO_FROM or GATEWAY_TWILIO_MESSAGING_SERVICE_SID is missing: set one of them.")


def _check_relays(settings: Settings) -> None:
    for name, relay in settings.email.relays.items():
        if (relay.username is None) != (relay.password is None):
            start = f"{PREFIX}{name.upper()}"
            raise SettingsError(f"{start}_USERNAME and {start}_PASSWORD go together: set both or neither.")


def _check_servers(settings: Settings) -> None:
    if fault := settings.email.dkim_fault():
        raise SettingsError(fault)
    if (settings.inbound.inbound_tls_certificate is None) != (settings.inbound.inbound_tls_key is None):
        raise SettingsError("GATEWAY_INBOUND_TLS_CERTIFICATE and GATEWAY_INBOUND_TLS_KEY go together: set both.")
    if not settings.embedded and settings.sqlite:
        raise SettingsError(
            "GATEWAY_REDIS_URL needs a PostgreSQL database: set GATEWAY_DATABASE_URL=postgresql+asyncpg://…"
        )


def _check_terms(settings: Settings) -> None:
    """Refuse an approval or a budget of a provider that is not used: it is misspelt, and binds nobody."""
    used = {f"{channel}/{share.provider}" for channel, shares in settings.providers.items() for share in shares}
    for variable, values in (("APPROVED_UNTIL", settings.approved_until), ("BUDGETS", settings.budgets)):
        for name in values:
            if name not in used:
                raise SettingsError(f"{PREFIX}{variable} names {name}, which is not in use: correct or remove it.")


def _traces_endpoint(environment: Mapping[str, str]) -> str | None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    text = environment.get(name, "").strip()
    try:
        return readers.url("http", "https")(text) if text else None
    except ValueError as error:
        raise SettingsError(f"{name} {error}") from None
