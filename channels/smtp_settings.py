"""How to reach the school's mail server, and what is wrong with such settings."""

import socket
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

from channels.dkim_signing import DkimSettings


class SmtpTls(StrEnum):
    """How the connection is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpSettings:
    """One mail server and one account on it; times in seconds."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: SmtpTls = SmtpTls.STARTTLS
    ca_file: Path | None = None
    """Certificates to trust beside the system's, for a server with a private authority."""
    hello_name: str = field(default_factory=socket.gethostname)
    """The name given in EHLO."""
    connections: int = 8
    mails_per_connection: int = 100
    """Servers dislike endless connections; a fresh one also finds a changed server."""
    timeout: float = 30.0
    """For opening a connection, and again for each mail."""
    idle: float = 15.0
    """A connection unused for longer is not trusted any more."""
    pause_after_failure: float = 5.0
    """After a failed opening, nobody tries again so long: a wrong password must not lock the account."""
    dkim: DkimSettings | None = None
    """How mails are signed here; None means that the mail server does it, or nobody."""
    prefix: str = "GATEWAY_SMTP"
    """What the names of this server's settings begin with, for whoever has to correct them."""

    def fault(self) -> str | None:
        """Say in one sentence which setting is missing or wrong."""
        prefix = self.prefix
        faults = {
            f"{prefix}_HOST is missing: name the mail server.": not self.host.strip(),
            f"{prefix}_PORT must be a number between 1 and 65535.": not 0 < self.port < 65536,
            f"{prefix}_USERNAME is missing although {prefix}_PASSWORD is set.": (
                self.password is not None and not self.username
            ),
            f"{prefix}_PASSWORD is missing although {prefix}_USERNAME is set.": (
                bool(self.username) and self.password is None
            ),
            f"{prefix}_TLS must be none, starttls or tls.": self.tls not in set(SmtpTls),
            f"{prefix}_TLS=none would send the password in clear: set it to starttls or tls.": (
                self.tls is SmtpTls.NONE and bool(self.username) and not is_loopback(self.host)
            ),
            f"{prefix}_CA_FILE names {self.ca_file}, which does not exist.": (
                self.ca_file is not None and not self.ca_file.is_file()
            ),
            "The mail server's connections, mails per connection and timeout must be above zero.": (
                min(self.connections, self.mails_per_connection) < 1 or self.timeout <= 0
            ),
        }
        return next((sentence for sentence, wrong in faults.items() if wrong), None)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine by its name, so that nothing sent there passes a network."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
