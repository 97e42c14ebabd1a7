"""What went wrong with a hand-over: may it be tried again, whose fault is it, what do staff need to know."""

from dataclasses import dataclass
from enum import StrEnum


class Retry(StrEnum):
    """Whether the same envelope may be handed over again."""

    NEVER = "never"
    """The provider refused it for good: use the next contact point."""
    LATER = "later"
    """Not accepted this time; nothing was taken."""
    UNKNOWN = "unknown"
    """The provider may have taken it: never repeat blindly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SendError:
    """One envelope was not accepted, or nobody knows whether it was.

    Adapters return it inside a `Handover`; only the dispatcher turns it into a state and a next step.
    """

    retry: Retry
    code: str
    """A short constant such as `mailbox_unavailable`; never holds an address or a text."""
    explanation: str
    """One sentence for school staff; names no person, address or message text."""
    retry_after: float | None = None
    """Seconds the provider asked us to wait, when it said so."""
    throttled: bool = False
    """True when the provider wants us to slow down, with all we have for it and not only this envelope."""
    provider_code: str | None = None
    """The provider's own code, for instance `550 5.1.1` or `21610`."""
    ours: bool = False
    """True when the operator must act: wrong password, suspended account, missing font."""
    address_dead: bool = False
    """True when the provider says that the address itself cannot receive anything."""
    opted_out: bool = False
    """True when the carrier blocks the address because its owner asked for it (STOP)."""

    def __str__(self) -> str:
        """Say what happened in the words staff see."""
        return f"{self.code}: {self.explanation}"


class ChannelSettingsError(Exception):
    """A provider's settings are missing or wrong; raised at start, one sentence that names the setting."""


class ReceiptRefusedError(Exception):
    """A callback was not believed: bad signature, wrong form. Nothing was changed."""

    def __init__(self, status: int, sentence: str) -> None:
        """Keep the HTTP status to answer with and one sentence that says why."""
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
