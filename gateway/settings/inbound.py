"""How mail comes back: where the gateway listens for bounces, complaints and answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gateway.settings.readers import Readers, whole_number


@dataclass(frozen=True, kw_only=True)
class InboundSettings:
    """Everything about returning mail that an operator can choose."""

    inbound_smtp_port: int | None = None
    """None means that this process takes no mail; `gateway receive --port` takes some all the same."""
    inbound_smtp_host: str = "127.0.0.1"
    inbound_max_bytes: int = 10_000_000
    """The largest mail that is taken; a larger one is refused before it is read, where the sender tells its size."""
    inbound_tls_certificate: Path | None = None
    """PEM, with the chain; with its key the listener offers STARTTLS."""
    inbound_tls_key: Path | None = None

    READERS: ClassVar[Readers] = {
        "inbound_smtp_port": whole_number(1, 65535),
        "inbound_smtp_host": str,
        "inbound_max_bytes": whole_number(10_000, 100_000_000),
        "inbound_tls_certificate": Path,
        "inbound_tls_key": Path,
    }
