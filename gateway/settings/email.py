"""How mails leave and come back: providers, relays, addresses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from gateway.settings import readers
from gateway.settings.readers import Readers, Share

MOST_KEYS = 2
"""One for all receivers (RSA) and one for those that know better (Ed25519)."""


class EmailProvider(StrEnum):
    """Who takes mails."""

    OUTBOX = "outbox"
    SMTP = "smtp"
    SMTP2 = "smtp2"
    """A second relay, with settings of its own (`SMTP2_HOST` and so on)."""


class SmtpTls(StrEnum):
    """How the SMTP connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


def signing_domain(text: str) -> str:
    """Read the domain that mails are signed for, in lower case."""
    try:
        return readers.domain(text)
    except ValueError:
        raise ValueError("must be the domain of GATEWAY_EMAIL_FROM or one above it, such as example.org.") from None


def selectors(text: str) -> tuple[str, ...]:
    """Read the names under which public keys are published, such as `2026a,2026b`."""
    found = tuple(part.strip().lower() for part in text.split(","))
    label = "(?!-)[a-z0-9-]{1,63}(?<!-)"
    if not all(len(part) <= 100 and re.fullmatch(rf"{label}(\.{label})*", part, re.ASCII) for part in found):
        raise ValueError("must be names of letters, digits and hyphens, such as 2026a; of two keys two, with a comma.")
    if len(set(found)) < len(found) or len(found) > MOST_KEYS:
        raise ValueError("must be one name, or two different ones: receivers look at few signatures.")
    return found


def files(text: str) -> tuple[Path, ...]:
    """Read paths of files, such as `/run/secrets/rsa.pem,/run/secrets/ed25519.pem`."""
    return tuple(Path(part.strip()) for part in text.split(","))


@dataclass(frozen=True, kw_only=True)
class Relay:
    """One mail server that takes our mails."""

    host: str = "localhost"
    port: int = 25
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: SmtpTls | None = None
    """None means: STARTTLS, except to a server on this machine."""
    connections: int = 8
    rate: float | None = None
    """Mails a second, all processes together; None means unlimited. The other channels' rates alike."""
    ca_file: Path | None = None
    """Certificates to trust beside the system's, for a server with a private authority."""
    dkim_domain: str | None = None
    """For which domain to sign mails; None means that the server does it, or nobody."""
    dkim_selector: tuple[str, ...] = ()
    dkim_key_file: tuple[Path, ...] = ()
    """Private keys in PEM form, in the order of the selectors: RSA, Ed25519, or one of each, which signs twice."""

    READERS: ClassVar[Readers] = {
        "host": str,
        "port": readers.whole_number(1, 65535),
        "username": str,
        "password": str,
        "tls": readers.choice(SmtpTls),
        "connections": readers.whole_number(1, 200),
        "rate": readers.rate,
        "ca_file": Path,
        "dkim_domain": signing_domain,
        "dkim_selector": selectors,
        "dkim_key_file": files,
    }


@dataclass(frozen=True, kw_only=True)
class EmailSettings:
    """Everything about mail that an operator can choose."""

    email_provider: tuple[Share, ...] = (Share("outbox", 1),)
    email_from: str = "school@gateway.example.org"
    reply_domain: str | None = None
    """Where answers to mails arrive, each at an address of its own (R40); None means that `From` takes them."""
    bounce_domain: str | None = None
    """Where mails come back to, each at a return path of its own; None means that `From` takes them."""
    relays: Mapping[str, Relay] = field(default_factory=lambda: {"smtp": Relay(), "smtp2": Relay()})

    READERS: ClassVar[Readers] = {
        "email_provider": readers.shares(EmailProvider),
        "email_from": readers.mail_address,
        "reply_domain": readers.domain,
        "bounce_domain": readers.domain,
    }

    def dkim_fault(self) -> str | None:
        """Say in one sentence why some relay cannot sign as it should."""
        sender = self.email_from.rpartition("@")[2].lower()
        for name, relay in self.relays.items():
            start = f"GATEWAY_{name.upper()}_DKIM"
            given = (relay.dkim_domain, relay.dkim_selector, relay.dkim_key_file)
            if any(given) and not all(given):
                missing = ("DOMAIN", "SELECTOR", "KEY_FILE")[[bool(value) for value in given].index(False)]
                return f"{start}_{missing} is missing: domain, selector and key file go together."
            if len(relay.dkim_selector) != len(relay.dkim_key_file):
                return f"{start}_SELECTOR must name one selector for each file in {start}_KEY_FILE."
            if relay.dkim_domain and not f".{sender}".endswith(f".{relay.dkim_domain}"):
                return (
                    f"{start}_DOMAIN must be the domain of GATEWAY_EMAIL_FROM or one above it: "
                    "receivers would not count the signature as the sender's (DMARC)."
                )
        return None
