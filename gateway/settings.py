"""The settings of one process, read once from `GATEWAY_*` environment variables."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "GATEWAY_"


class SettingsError(Exception):
    """A setting is missing or bad: one sentence that names it and never shows a secret's value."""


class EmailProvider(StrEnum):
    """Who takes mails."""

    OUTBOX = "outbox"
    SMTP = "smtp"


class SmsProvider(StrEnum):
    """Who takes text messages."""

    OUTBOX = "outbox"
    TWILIO = "twilio"


class VoiceProvider(StrEnum):
    """Who makes calls."""

    OUTBOX = "outbox"


class LetterProvider(StrEnum):
    """Who prints letters."""

    OUTBOX = "outbox"


class SmtpTls(StrEnum):
    """How the SMTP connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


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
    email_provider: EmailProvider = EmailProvider.OUTBOX
    email_from: str = "school@gateway.example.org"
    reply_domain: str | None = None
    """Where answers to mails arrive, each at an address of its own (R40); None means that `From` takes them."""
    smtp_host: str = "localhost"
    smtp_port: int = 25
    smtp_username: str | None = None
    smtp_password: str | None = field(default=None, repr=False)
    smtp_tls: SmtpTls | None = None
    """None means: STARTTLS, except to a server on this machine."""
    smtp_connections: int = 8
    smtp_rate: float | None = None
    """Mails a second, all processes together; None means unlimited. The other channels' rates alike."""
    sms_provider: SmsProvider = SmsProvider.OUTBOX
    sms_rate: float | None = None
    twilio_account_sid: str | None = None
    twilio_auth_token: str | None = field(default=None, repr=False)
    twilio_from: str | None = None
    twilio_messaging_service_sid: str | None = None
    twilio_api_base_url: str | None = None
    voice_provider: VoiceProvider = VoiceProvider.OUTBOX
    voice_rate: float | None = None
    letter_provider: LetterProvider = LetterProvider.OUTBOX
    letter_rate: float | None = None
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

    @property
    def embedded(self) -> bool:
        """Whether the actors run inside `serve` instead of in worker processes."""
        return self.redis_url is None

    @property
    def sqlite(self) -> bool:
        """Whether the database is a file of this machine."""
        return self.database_url.startswith("sqlite")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises `SettingsError` for the first one that is missing or bad."""
    readers = _readers()
    values: dict[str, object] = {}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        key = variable.removeprefix(PREFIX).lower()
        if key not in readers:
            continue
        text = environment[variable].strip()
        if text:
            try:
                values[key] = readers[key](text)
            except ValueError as error:
                raise SettingsError(f"{variable} {error}") from None
    values["traces_endpoint"] = _traces_endpoint(environment)
    settings = Settings(**values)  # type: ignore[arg-type]  # each reader gives its field's type
    _check_together(settings)
    return settings


def _readers() -> dict[str, Callable[[str], object]]:
    plain: dict[str, Callable[[str], object]] = dict.fromkeys(
        (
            "smtp_host", "smtp_username", "smtp_password", "twilio_account_sid", "twilio_auth_token",
            "twilio_from", "twilio_messaging_service_sid",
        ),
        str,
    )  # fmt: skip
    return plain | {
        "database_url": _database_url,
        "redis_url": _url("redis", "rediss", "unix"),
        "outbox_dir": Path,
        "public_url": _public_url,
        "secret_key": _secret_key,
        "email_provider": _choice(EmailProvider),
        "email_from": _mail_address,
        "reply_domain": _domain,
        "smtp_port": _whole_number(1, 65535),
        "smtp_tls": _choice(SmtpTls),
        "smtp_connections": _whole_number(1, 200),
        "smtp_rate": _rate,
        "sms_provider": _choice(SmsProvider),
        "sms_rate": _rate,
        "twilio_api_base_url": _url("http", "https"),
        "voice_provider": _choice(VoiceProvider),
        "voice_rate": _rate,
        "letter_provider": _choice(LetterProvider),
        "letter_rate": _rate,
        "max_body_bytes": _whole_number(1_000, 100_000_000),
        "webhooks_allow_private": _yes_or_no,
        "log_level": _log_level,
        "metrics_port": _whole_number(1, 65535),
        "metrics_host": str,
    }


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Name the `GATEWAY_*` variables that no setting reads: most likely misspelt (`gateway doctor` tells)."""
    known = {PREFIX + name.upper() for name in _readers()}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _check_together(settings: Settings) -> None:
    """Refuse combinations that a send would trip over."""
    if settings.sms_provider is SmsProvider.TWILIO:
        for name in ("twilio_account_sid", "twilio_auth_token"):
            if getattr(settings, name) is None:
                raise SettingsError(
                    f"{PREFIX}{name.upper()} is missing: Twilio needs it (GATEWAY_SMS_PROVIDER=twilio)."
                )
        if settings.twilio_from is None and settings.twilio_messaging_service_sid is None:
            raise SettingsError(
                "GATEWAY_TWILIO_FROM or GATEWAY_TWILIO_MESSAGING_SERVICE_SID is missing: set one of them."
            )
    if (settings.smtp_username is None) != (settings.smtp_password is None):
        raise SettingsError("GATEWAY_SMTP_USERNAME and GATEWAY_SMTP_PASSWORD go together: set both or neither.")
    if not settings.embedded and settings.sqlite:
        raise SettingsError(
            "GATEWAY_REDIS_URL needs a PostgreSQL database: set GATEWAY_DATABASE_URL=postgresql+asyncpg://…"
        )


def _choice(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(text: str) -> StrEnum:
        try:
            return choices(text.lower())
        except ValueError:
            raise ValueError(f"must be one of {', '.join(choices)}.") from None

    return read


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}.")
        return int(text)

    return read


def _traces_endpoint(environment: Mapping[str, str]) -> str | None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    text = environment.get(name, "").strip()
    try:
        return _url("http", "https")(text) if text else None
    except ValueError as error:
        raise SettingsError(f"{name} {error}") from None


def _rate(text: str) -> float:
    # Digits and a point only: float() would also take nan, inf and 1e9.
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text, re.ASCII) or not 0.01 <= float(text) <= 100_000:
        raise ValueError("must be a number a second from 0.01 to 100000, such as 12.5; leave it out for no limit.")
    return float(text)


def _url(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        scheme, place = _parts(text)
        if scheme not in schemes or not place:
            beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ValueError(f"must be a URL that starts with {beginnings} and names a host and a valid port.")
        return text.rstrip("/")

    return read


def _parts(text: str) -> tuple[str, str]:
    """Give a URL's scheme and its host or path; both empty when host or port are malformed."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is no port
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or (parts.path if parts.scheme in {"unix", "sqlite+aiosqlite"} else "")


def _public_url(text: str) -> str:
    if not all(_parts(text)):
        raise ValueError("must be the address parents and providers reach, such as https://messages.example.org.")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be the address parents and providers reach, such as https://messages.example.org.")
    return text.rstrip("/")


def _database_url(text: str) -> str:
    for short, full in (("postgresql://", "postgresql+asyncpg://"), ("sqlite:///", "sqlite+aiosqlite:///")):
        if text.startswith(short):
            text = full + text.removeprefix(short)
    if not text.startswith(("postgresql+asyncpg://", "sqlite+aiosqlite:///")):
        raise ValueError("must start with postgresql+asyncpg:// or sqlite+aiosqlite:///.")
    if text.startswith("sqlite") and text.partition(":///")[2] in {"", ":memory:"}:
        raise ValueError("must name a file after sqlite+aiosqlite:///: all processes of the gateway share it.")
    if text.startswith("postgresql") and not all(_parts(text)):
        raise ValueError(
            "must have a host, a valid port and a database, such as postgresql+asyncpg://user@host:5432/name."
        )
    return text


def _secret_key(text: str) -> str:
    if len(text) < 32:
        raise ValueError("must have 32 characters or more.")
    return text


def _mail_address(text: str) -> str:
    name, at, host = text.partition("@")
    if not (name and at and host) or any(character.isspace() or ord(character) < 32 for character in text):
        raise ValueError("must be a mail address such as school@example.org.")
    return text


def _domain(text: str) -> str:
    if len(text) > 253 or not re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})+", text.lower(), re.ASCII):
        raise ValueError("must be a domain that receives mail, such as replies.example.org.")
    return text.lower()


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("must be true or false.")
    return text.lower() == "true"


def _log_level(text: str) -> str:
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR.")
    return text.upper()
