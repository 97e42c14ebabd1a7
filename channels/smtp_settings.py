"""How to reach the school's mail server, and what is wrong with such settings."""

import socket
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


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

    def fault(self) -> str | None:
        """Say in one sentence which setting is missing or wrong."""
        faults = {
            "GATEWAY_SMTP_HOST is missing: name the mail server.": not self.host.strip(),
            "GATEWAY_SMTP_PORT must be a number between 1 and 65535.": not 0 < self.port < 65536,
            "GATEWAY_SMTP_USERNAME is missing although GATEWAY_SMTP_PASSWORD is set.": (
                self.password is not None and not self.username
            ),
            "GATEWAY_SMTP_PASSWORD is missing although GATEWAY_SMTP_USERNAME is set.": (
                bool(self.username) and self.password is None
            ),
            "GATEWAY_SMTP_TLS must be none, starttls or tls.": self.tls not in set(SmtpTls),
            f"The file of certificates {self.ca_file} does not exist.": (
                self.ca_file is not None and not self.ca_file.is_file()
            ),
            "The mail server's connections, mails per connection and timeout must be above zero.": (
                min(self.connections, self.mails_per_connection) < 1 or self.timeout <= 0
            ),
        }
        return next((sentence for sentence, wrong in faults.items() if wrong), None)
