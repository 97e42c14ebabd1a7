"""Readers of single settings: from the text of an environment variable to a value.

Each raises `ValueError` with the rest of a sentence that begins with the variable's name.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS

Reader = Callable[[str], object]
Readers = Mapping[str, Reader]
"""By the setting's name in lower case, without prefix."""

Value = TypeVar("Value")


class Share(NamedTuple):
    """One of a channel's providers and how much of the work it gets."""

    provider: str
    weight: int
    """Against the others' weights, while all of them are well; 0 stands by."""


class Price(NamedTuple):
    """An amount of money."""

    amount: Decimal
    currency: str
    """ISO 4217."""


def choice(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    """Read one of a few words."""

    def read(text: str) -> StrEnum:
        try:
            return choices(text.lower())
        except ValueError:
            raise ValueError(f"must be one of {', '.join(choices)}.") from None

    return read


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Read a whole number between two bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}.")
        return int(text)

    return read


def rate(text: str) -> float:
    """Read a number a second."""
    # Digits and a point only: float() would also take nan, inf and 1e9.
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text, re.ASCII) or not 0.01 <= float(text) <= 100_000:
        raise ValueError("must be a number a second from 0.01 to 100000, such as 12.5; leave it out for no limit.")
    return float(text)


def url(*schemes: str) -> Callable[[str], str]:
    """Read a URL of one of these schemes, without the slash at its end."""

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


def public_url(text: str) -> str:
    """Read the address under which the world reaches the gateway."""
    if not all(_parts(text)):
        raise ValueError("must be the address parents and providers reach, such as https://messages.example.org.")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be the address parents and providers reach, such as https://messages.example.org.")
    return text.rstrip("/")


def database_url(text: str) -> str:
    """Read the database, in short or full spelling."""
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


def secret_key(text: str) -> str:
    """Read a secret that signs."""
    if len(text) < 32:
        raise ValueError("must have 32 characters or more.")
    return text


def mail_address(text: str) -> str:
    """Read a mail address."""
    name, at, host = text.partition("@")
    if not (name and at and host) or any(character.isspace() or ord(character) < 32 for character in text):
        raise ValueError("must be a mail address such as school@example.org.")
    return text


def domain(text: str) -> str:
    """Read a domain, in lower case."""
    if len(text) > 253 or not re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})+", text.lower(), re.ASCII):
        raise ValueError("must be a domain that receives mail, such as replies.example.org.")
    return text.lower()


def yes_or_no(text: str) -> bool:
    """Read true or false."""
    if text.lower() not in {"true", "false"}:
        raise ValueError("must be true or false.")
    return text.lower() == "true"


def log_level(text: str) -> str:
    """Read a level of the log."""
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR.")
    return text.upper()


def shares(choices: type[StrEnum]) -> Callable[[str], tuple[Share, ...]]:
    """Read providers with their weights, such as `twilio=3,sinch=1`; a weight left out is 1."""

    def read(text: str) -> tuple[Share, ...]:
        found = tuple(_share(part, choices) for part in text.split(","))
        if len({share.provider for share in found}) < len(found):
            raise ValueError("names a provider twice.")
        return found

    return read


def _share(text: str, choices: type[StrEnum]) -> Share:
    name, _, weight = text.partition("=")
    provider = choice(choices)(name.strip())
    if not weight:
        return Share(provider.value, 1)
    if not re.fullmatch(r"\d{1,4}", weight.strip(), re.ASCII):
        raise ValueError("must give weights as whole numbers from 0 to 9999, such as twilio=3,sinch=1.")
    return Share(provider.value, int(weight))


def by_provider(reader: Callable[[str], Value], example: str) -> Callable[[str], Mapping[str, Value]]:
    """Read a value for each of several providers, such as `sms/twilio=VALUE,email/smtp=VALUE`."""

    def read(text: str) -> Mapping[str, Value]:
        values: dict[str, Value] = {}
        for part in text.split(","):
            name, equals, value = part.strip().partition("=")
            if not equals or not re.fullmatch(r"(email|sms|voice|letter)/[a-z0-9_]+", name) or name in values:
                raise ValueError(f"must name each provider with its channel and once, such as {example}.")
            values[name] = reader(value.strip())
        return values

    return read


def day(text: str) -> dt.date:
    """Read a day."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError("must give days as 2027-03-31.") from None


def country_codes(text: str) -> frozenset[str]:
    """Read ISO 3166 codes, such as `GB,IE`."""
    codes = frozenset(part.strip().upper() for part in text.split(","))
    if not codes <= SUPPORTED_REGIONS:
        raise ValueError("must be two-letter country codes such as GB,IE; the United Kingdom is GB.")
    return codes


def price(text: str) -> Price:
    """Read an amount of money, such as `0.04 GBP`."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) ([A-Z]{3})", text, re.ASCII)
    if found is None:
        raise ValueError("must be an amount and its currency, such as 0.04 GBP.")
    return Price(Decimal(found[1]), found[2])


def short_text(text: str) -> str:
    """Read a few words that people are shown."""
    if len(text) > 100 or not text.isprintable():
        raise ValueError("must be one line of 100 characters at most.")
    return text
