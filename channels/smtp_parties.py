"""Who takes part in a dialogue with a mail server: where its mails come from, and what it is held over."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from channels.smtp_queue import Parcel


class Way(Enum):
    """How much is written before the server has answered."""

    STEPWISE = "stepwise"
    """One command."""
    PIPELINED = "pipelined"
    """A mail's content and the next one's envelope."""
    CHUNKED = "chunked"
    """Several whole mails."""


class Work(Protocol):
    """Where a dialogue gets its mails from, and whom it tells what it learns."""

    def take(self) -> Parcel | None:
        """Give the next mail."""

    def put_back(self, parcels: Sequence[Parcel]) -> None:
        """Take mails that certainly were not handed over."""

    def flowing(self, *, behind: bool) -> None:
        """Hear that a mail went through; `behind` another, so that its envelope was written ahead."""

    def doubt(self, *, certain: bool) -> None:
        """Hear that the server seems not to understand commands written ahead."""

    def order_no_notices(self) -> None:
        """Hear that a mail went through without orders for notices which had been refused with them."""


class Wire(Protocol):
    """What a dialogue is held over."""

    @property
    def writable(self) -> bool:
        """Whether more may be written now."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def write_slowly(self, data: bytes | memoryview) -> None:
        """Send many bytes, then call `Dialogue.left`."""

    def cut(self) -> None:
        """End the connection at once, after settling what is under way."""

    def close(self) -> None:
        """End the connection when all has left."""
