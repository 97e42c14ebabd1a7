"""How calls are made."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.settings import readers
from gateway.settings.readers import Readers, Share


class VoiceProvider(StrEnum):
    """Who makes calls."""

    OUTBOX = "outbox"
    TWILIO = "twilio"
    """Languages that it has no voice for are called by staff."""
    STAFF = "staff"
    """Every call is a task for staff."""


@dataclass(frozen=True, kw_only=True)
class VoiceSettings:
    """Everything about calls that an operator can choose, but the Twilio account, which texts use, too."""

    voice_provider: tuple[Share, ...] = (Share("outbox", 1),)
    voice_rate: float | None = None
    voice_ring_seconds: int = 40
    twilio_voice_from: str | None = None
    """The number that is called from; None means that of texts."""

    READERS: ClassVar[Readers] = {
        "voice_provider": readers.shares(VoiceProvider),
        "voice_rate": readers.rate,
        "voice_ring_seconds": readers.whole_number(5, 600),
        "twilio_voice_from": str,
    }
