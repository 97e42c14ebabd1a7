"""The vocabulary between the gateway and its providers: envelopes out, hand-overs and receipts back.

Everything here is a frozen value or a protocol; nothing knows of schools, HTTP servers or databases.
"""

import datetime as dt
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import msgspec

from channels.errors import SendError


class Recovery(StrEnum):
    """What settles an attempt that got no answer, per provider."""

    REPEAT = "repeat"
    """Repeating is harmless: the receiver or provider recognises the same id."""
    LOOK_UP = "look_up"
    """Ask the provider first (`Channel.look_up`)."""
    PERSON = "person"
    """Only a person can find out."""


class ReceiptStatus(StrEnum):
    """News of an attempt, in one vocabulary for all providers (standards sheet, section 3)."""

    QUEUED = "queued"
    """The provider has accepted it."""
    SENT = "sent"
    """The provider has passed it on."""
    DEFERRED = "deferred"
    """A passing problem; more news will follow."""
    DELIVERED = "delivered"
    """The receiving server, handset or letter box has it."""
    BOUNCED = "bounced"
    """The receiving side refused it."""
    REJECTED = "rejected"
    """The provider refused it."""
    FAILED = "failed"
    """It could not be sent at all."""
    EXPIRED = "expired"
    """Its time ran out."""
    CANCELED = "canceled"
    """It was withdrawn at the provider."""
    READ = "read"
    """Evidence, never proof, that a person saw it."""
    ACKNOWLEDGED = "acknowledged"
    """A person confirmed it."""
    COMPLAINED = "complained"
    """The recipient called it spam."""
    OPTED_OUT = "opted_out"
    """The recipient asked for no more on this address."""
    OPTED_IN = "opted_in"
    """The recipient wants more on this address again."""
    AUTORESPONDED = "autoresponded"
    """A machine answered: somebody is out of office. Says nothing about arrival."""
    ANSWERED = "answered"
    """Somebody took the call; whether they listened is not known yet."""
    BUSY = "busy"
    """The line was engaged."""
    NO_ANSWER = "no_answer"
    """No person took the call."""
    PRINTED = "printed"
    """The letter is on paper."""
    IN_TRANSIT = "in_transit"
    """The letter is in the post."""
    RETURNED = "returned"
    """A letter came back."""
    UNKNOWN = "unknown"
    """A status this adapter does not know."""


class RejectReason(StrEnum):
    """Why something was bounced, rejected or failed."""

    INVALID = "invalid"
    BOUNCED = "bounced"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    SPAM = "spam"
    UNSUBSCRIBED = "unsubscribed"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """One finished mail for one recipient."""

    sender: str
    """Envelope sender (return path)."""
    recipient: str
    """Envelope recipient: a bare address."""
    message_id: str
    """With angle brackets; the same on every repetition."""
    content: bytes
    """The whole message, CRLF line ends, not dot-stuffed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """One text message."""

    recipient: str
    """E.164."""
    body: str
    segments: int
    language: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One voice call that speaks a text."""

    recipient: str
    """E.164. Empty only in the answer to a provider's question: whoever has taken the call may hear it."""
    speech: str
    language: str
    """BCP-47 of the spoken text."""
    voicemail: str = ""
    """What a machine may be told: nothing personal (R41). Empty: it is told nothing."""
    keys: str = ""
    """What is said after the text: which key confirms, which repeats. Empty: no key is asked for."""
    invitation: str = ""
    """What is said after `voicemail` where nobody knows whether a person listens: that any key brings the text."""
    thanks: str = ""
    """What is said to who has confirmed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Apology:
    """What is said in a call whose message may not be told any more: nothing of it, and not who calls."""

    speech: str
    language: str
    """BCP-47 of the spoken text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One printed letter, as data for the typesetter; no markup language in any value."""

    address: tuple[str, ...]
    """What stands in the window: name first, 3 to 7 lines."""
    sender: tuple[str, ...]
    """School name and return address, printed outside the window."""
    date: str
    """The letter's date in the reader's language."""
    subject: str
    blocks: tuple[Mapping[str, Any], ...]
    """Paragraphs, headings, lists: see `channels.letter_sheet`."""
    language: str
    right_to_left: bool
    size: float
    """Body text size in points: 11, 16 or 20."""
    sealed: bool
    """True when it must travel in a closed, named envelope (sensitivity 2, confidential address)."""
    country: str = "GB"
    """ISO 3166 code of where it goes."""
    postage: str = "second"
    """How it travels: `first`, `second`, `economy`, `europe` or `rest-of-world`."""


STAFF = "staff"
"""The provider that people are: whoever records its hand-overs puts them on the list of what staff have to do."""

Payload = Mail | Text | Call | Sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One hand-over: what goes to whom, under an id that stays the same when it is repeated."""

    delivery: str
    """The delivery's id: idempotency key, name of files, correlation of callbacks."""
    payload: Payload
    expires_at: dt.datetime | None = None
    """After this instant (UTC) the provider must not deliver it any more."""
    urgent: bool = False
    """True for the emergency lane."""
    since: dt.datetime | None = None
    """Before this instant (UTC) it cannot have been handed over: for providers that are asked without an id of ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handover:
    """The answer for one envelope: accepted with the provider's id, or an error."""

    delivery: str
    provider: str
    provider_id: str | None = None
    error: SendError | None = None

    @property
    def accepted(self) -> bool:
        """Whether the provider has it."""
        return self.error is None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's later news of one attempt, normalised; the raw payload is kept beside it.

    Made by the thousand a second, and a struct is made six times as fast as a frozen dataclass (measured).
    """

    provider: str
    event_id: str
    """Unique per provider and event: the same event told twice has the same id."""
    status: ReceiptStatus
    at: dt.datetime
    """Aware, UTC."""
    delivery: str | None = None
    """Our id, when the provider carries it back."""
    provider_id: str | None = None
    reason: RejectReason | None = None
    code: str | None = None
    explanation: str | None = None
    """One sentence for staff."""
    address_dead: bool = False
    again: bool = False
    """True when another attempt after a pause is worth it: a busy line, a mailbox, a handset out of reach."""
    raw: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Enclosure:
    """A file that somebody sent along with their answer."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbound:
    """Something a person wrote to the school: an answer to a message, or out of the blue."""

    provider: str
    event_id: str
    """As of a receipt."""
    at: dt.datetime
    sender: str
    """The address or number it came from, which anybody may forge."""
    recipient: str
    """The address or number it was sent to."""
    body: str
    delivery: str | None = None
    """Which delivery it answers, when a signed address or the provider says so."""
    handled: bool = False
    """True when the provider has answered the writer itself, as Twilio does after STOP."""
    keyword: str | None = None
    """What the provider took it for, by words that were agreed with it alone: `stop`, `start` or `help`."""
    urgent: bool | None = None
    """Whether it answers the sender of urgent messages; None where one sender serves for all."""
    enclosures: tuple[Enclosure, ...] = ()
    cut: bool = False
    """True when not all of it was kept: it was too long, or came with pictures that are not fetched."""


Incoming = Receipt | Inbound
"""What a callback or a mail can bring."""


class CallbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's HTTP callback as the adapter needs it, free of any web framework."""

    url: str
    """The public URL the provider called, with scheme, host and query."""
    headers: Mapping[str, str]
    """Looked up by names in lower case."""
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one process may ask of a provider."""

    concurrency: int = 8
    """Hand-overs in flight."""
    batch: int = 100
    """Envelopes per `send` call that serve it best."""
    rate: float | None = None
    """Hand-overs a second, all processes together; None means unlimited."""
    timeout: float = 30.0
    """Seconds after which one hand-over counts as unanswered."""


@runtime_checkable
class Channel(Protocol):
    """One provider on one channel. `open` and `close` frame the life of its connections in one event loop."""

    @property
    def name(self) -> str:
        """The provider's name as in `GATEWAY_*_PROVIDER` and `/v1/receipts/{provider}`."""

    @property
    def limits(self) -> Limits:
        """What this provider bears."""

    @property
    def recovery(self) -> Recovery:
        """What settles an unanswered attempt."""

    async def open(self) -> None:
        """Make ready; raises `ChannelSettingsError` when a setting is missing or wrong."""

    async def close(self) -> None:
        """Give up connections; idempotent."""

    def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Hand over every envelope; answer each exactly once, as soon as its outcome is known, in any order.

        An async generator: iterate it inside `contextlib.aclosing`. It never raises for a provider's fault. Who stops
        iterating or is cancelled takes back what was not handed over yet; what got no answer until then is unknown.
        """

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Find out what became of unanswered attempts, one answer an envelope.

        None where the provider has not got it; a hand-over with an error where it could not be asked.
        """

    def read_receipts(self, request: CallbackRequest) -> Sequence[Incoming]:
        """Check the signature, then read the news; raises `ReceiptRefusedError` and changes nothing otherwise."""

    async def check(self) -> str | None:
        """Say in one sentence what a send still lacks, or None when all is well (`gateway doctor`)."""


@runtime_checkable
class Askable(Protocol):
    """A provider that can be asked how things went, for callbacks that never came."""

    async def news_of(self, provider_ids: Sequence[str]) -> Sequence[Receipt]:
        """Ask what became of hand-overs; those the provider does not know, or cannot tell of now, are left out."""


@runtime_checkable
class Recallable(Protocol):
    """A provider that can be asked to forget what it has accepted and not acted on yet, such as an unprinted letter."""

    @property
    def recall_window(self) -> dt.timedelta | None:
        """How long after its hand-over something may be taken back.

        None where it waits until the gateway says so; handing it over again then takes its place.
        """

    async def recall(self, provider_ids: Sequence[str]) -> set[str]:
        """Take hand-overs back; names those that will certainly not be delivered, also when told before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What to tell a provider that waits for instructions."""

    content_type: str
    body: bytes


@runtime_checkable
class Conversing(Protocol):
    """A provider that asks during a call what to say next."""

    def asked_about(self, request: CallbackRequest) -> str:
        """Check the signature and name the delivery; raises `ReceiptRefusedError`."""

    def instruct(self, request: CallbackRequest, words: Call | Apology) -> Answer:
        """Say what happens next in the call, or apologise and end it."""

    def wait(self, request: CallbackRequest) -> Answer:
        """Ask to be asked the same again in a moment; ends the call once that has been said too often."""
