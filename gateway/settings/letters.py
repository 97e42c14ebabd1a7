"""How letters are printed and posted."""

import datetime as dt
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from gateway.settings import readers
from gateway.settings.readers import Readers, Share


class LetterProvider(StrEnum):
    """Who prints letters."""

    OUTBOX = "outbox"
    SPOOL = "spool"
    """Print runs for a printer of the school's, or for a print house over SFTP."""
    LOB = "lob"
    """Print and post over HTTP, on paper of the size US Letter."""
    STAFF = "staff"
    """Every letter is a task for staff: handed over, or printed and posted."""


class LetterSides(StrEnum):
    """How many sides of a sheet are printed."""

    DUPLEX = "duplex"
    SINGLE = "single"


class UsualPostage(StrEnum):
    """The class of a letter at home that is in no hurry."""

    FIRST = "first"
    SECOND = "second"
    ECONOMY = "economy"


def clock_time(text: str) -> dt.time:
    """Read a time of day."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise ValueError("must be a time of day such as 17:30.")
    return dt.time.fromisoformat(text)


def days(text: str) -> frozenset[dt.date]:
    """Read days, such as `2026-12-25,2026-12-28`."""
    return frozenset(readers.day(part.strip()) for part in text.split(","))


def address_lines(text: str) -> tuple[str, ...]:
    """Read the lines of an address, such as `1 School Lane; Sampleton; ZZ9 9ZZ`."""
    lines = tuple(line.strip() for line in text.split(";"))
    if not 2 <= len(lines) <= 6 or not all(lines) or not text.isprintable():
        raise ValueError("must have two to six lines with a semicolon between them, the postcode last.")
    return lines


def sftp_url(text: str) -> str:
    """Read where print runs go, such as `sftp://school@print.example.org:22/incoming`."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is no port
    except ValueError:
        raise ValueError("must be sftp://USER@HOST:PORT/PATH.") from None
    if parts.scheme != "sftp" or not parts.hostname or not parts.username or parts.query or parts.fragment:
        raise ValueError("must be sftp://USER@HOST:PORT/PATH.")
    if parts.password is not None:
        raise ValueError("must have no password: set GATEWAY_LETTER_SFTP_KEY_FILE to a private key.")
    return text.rstrip("/")


def host_key(text: str) -> str:
    """Read a server's public key, as in `known_hosts`, without the host's name."""
    if not re.fullmatch(r"(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+( .*)?", text):
        raise ValueError("must be the server's public key, such as ssh-ed25519 AAAA….")
    return text


@dataclass(frozen=True, kw_only=True)
class LetterSettings:
    """Everything about letters that an operator can choose."""

    letter_provider: tuple[Share, ...] = (Share("outbox", 1),)
    letter_rate: float | None = None
    letter_postage: UsualPostage = UsualPostage.SECOND
    letter_return_address: tuple[str, ...] = ()
    """Printed below the school's name, and where the post brings back what it cannot deliver."""
    letter_spool_dir: Path = Path("var/spool")
    letter_cutoff: dt.time = dt.time(17, 30)
    """When a working day's print run is closed, in the school's local time."""
    letter_holidays: frozenset[dt.date] = frozenset()
    """Days of the week on which nothing is printed or posted."""
    letter_run_size: int = 5_000
    """A run is closed before the cut-off when so many letters wait; no run has more."""
    letter_sides: LetterSides = LetterSides.DUPLEX
    letter_sftp_url: str | None = None
    letter_sftp_key_file: Path | None = None
    letter_sftp_host_key: str | None = None
    lob_api_key: str | None = field(default=None, repr=False)
    lob_webhook_secret: str | None = field(default=None, repr=False)
    lob_api_base_url: str | None = None

    READERS: ClassVar[Readers] = {
        "letter_provider": readers.shares(LetterProvider),
        "letter_rate": readers.rate,
        "letter_postage": readers.choice(UsualPostage),
        "letter_return_address": address_lines,
        "letter_spool_dir": Path,
        "letter_cutoff": clock_time,
        "letter_holidays": days,
        "letter_run_size": readers.whole_number(1, 20_000),
        "letter_sides": readers.choice(LetterSides),
        "letter_sftp_url": sftp_url,
        "letter_sftp_key_file": Path,
        "letter_sftp_host_key": host_key,
        "lob_api_key": str,
        "lob_webhook_secret": str,
        "lob_api_base_url": readers.url("https", "http"),
    }

    def fault(self) -> str | None:
        """Say in one sentence what does not fit together."""
        providers = {share.provider for share in self.letter_provider}
        if LetterProvider.LOB in providers and self.lob_api_key is None:
            return "GATEWAY_LOB_API_KEY is missing: Lob needs it (GATEWAY_LETTER_PROVIDER=lob)."
        if LetterProvider.LOB in providers and not self.letter_return_address:
            return "GATEWAY_LETTER_RETURN_ADDRESS is missing: Lob prints it on every letter."
        if self.letter_sftp_url is None:
            return None
        if LetterProvider.SPOOL not in providers:
            return "GATEWAY_LETTER_SFTP_URL takes print runs, which only GATEWAY_LETTER_PROVIDER=spool makes."
        for name in ("letter_sftp_key_file", "letter_sftp_host_key"):
            if getattr(self, name) is None:
                return f"GATEWAY_{name.upper()} is missing: GATEWAY_LETTER_SFTP_URL needs it."
        return None
