"""The bodies of the answers: what the handlers fill in is what the OpenAPI document describes."""

import datetime as dt
from typing import Annotated, Any, TypeVar

import msgspec

from gateway.directory.changes import Held
from gateway.directory.importing import Note
from gateway.directory.model import Category, ChannelName
from gateway.dispatch.library import TemplateDocument
from gateway.dispatch.requests import NotificationStatus, Purpose
from gateway.dispatch.roster import EntityCounts
from gateway.rules.answer import Decision, Outcome, PlannedMessage
from gateway.store.views import Moment

Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer's body, or a part of one."""


_Body = TypeVar("_Body", bound=Body)


def entry(kind: type[_Body], row: Any, **others: Any) -> _Body:
    """Fill an entry of a list from the row of the same column names."""
    names = [name for name in kind.__struct_fields__ if name not in others]
    return kind(**{name: getattr(row, name) for name in names}, **others)


class PageLinks(Body, frozen=True):
    """Where a list goes on."""

    next: str | None
    """The address of the following page; null on the last one."""


class Accepted(Body, frozen=True):
    """A notification that is on record and will be planned."""

    id: str
    status: NotificationStatus
    links: dict[str, str]


class Counts(Body, frozen=True):
    """What a notification has come to so far: messages, people by outcome, deliveries."""

    messages: int
    sent: int
    held: int
    excluded: int
    unreachable: int
    deliveries: dict[str, int]
    """By state."""
    channels: dict[str, dict[str, int]]
    """By channel, then by state."""
    languages: dict[str, int]
    """Deliveries by language."""


class Progress(Body, frozen=True):
    """How far a notification has come; finished when nothing more is needed from the gateway."""

    id: str
    status: NotificationStatus
    category: Category
    purpose: Purpose
    reference: str | None
    created_at: Instant
    send_at: Instant
    expires_at: Instant
    respond_by: Instant | None
    finished_at: Instant | None
    counts: Counts
    links: dict[str, str]


class Cancelled(Body, frozen=True):
    """What a cancellation stopped, and how much had left before: of that, too, nothing more follows."""

    id: str
    status: NotificationStatus
    cancelled: int
    """Deliveries that were stopped."""
    left: int
    """Deliveries that had left, or may have."""
    counts: Counts


class DecisionEntry(Body, frozen=True):
    """The outcome for one student and one contact, with the rule that gave it and a reason that names nobody."""

    student: str
    contact: str
    outcome: Outcome
    rule: str
    reason: str


class Decisions(Body, frozen=True):
    """A page of decisions."""

    items: tuple[DecisionEntry, ...]
    links: PageLinks


class DeliveryEntry(Body, frozen=True):
    """One message on one contact point, and what became of it."""

    id: str
    contact: str
    students: tuple[str, ...]
    channel: ChannelName
    address: str
    """Masked."""
    language: str
    fell_back: bool
    """Whether the text was not to be had in the contact's own language."""
    state: str
    code: str | None
    detail: str | None
    provider: str | None
    provider_id: str | None
    attempts: int
    merged_into: str | None
    """The delivery that carries this one, because both have the same address."""
    due_at: Instant | None
    timeline: tuple[Moment, ...]


class Deliveries(Body, frozen=True):
    """A page of deliveries."""

    items: tuple[DeliveryEntry, ...]
    links: PageLinks


class ChronologyEntry(Body, frozen=True):
    """One thing that happened about a person."""

    at: Instant
    kind: str
    event: str
    notification: str | None
    delivery: str | None
    detail: str | None
    contact: str | msgspec.UnsetType | None = msgspec.UNSET
    """The other person, in a student's chronology."""
    student: str | msgspec.UnsetType | None = msgspec.UNSET
    """The other person, in a contact's chronology."""


class Chronology(Body, frozen=True):
    """A page of a chronology, oldest first."""

    items: tuple[ChronologyEntry, ...]
    links: PageLinks


class Money(Body, frozen=True):
    """An amount of money."""

    amount: str
    """Decimal, such as `12.40`."""
    currency: str
    """ISO 4217."""


class TextsIn(Body, frozen=True):
    """Text messages in one language."""

    texts: int
    parts: int
    """What is paid for: 153 characters of the GSM alphabet each, or 67 others; a text of one part holds a few more."""
    longest: int
    """Parts of the longest."""
    encodings: dict[str, int]
    """Texts by alphabet: `gsm7` or `ucs2`, which is dearer."""


class TextCost(Body, frozen=True):
    """What the text messages would take."""

    texts: int
    parts: int
    languages: dict[str, TextsIn]
    """By language of the wording."""
    not_possible: int
    """Numbers that can be sent no text: landlines, countries that are not allowed."""
    price: Money | None
    """Null unless the operator has set what a part costs."""


class Cost(Body, frozen=True):
    """What would be started at once."""

    deliveries: dict[str, int]
    """By channel."""
    languages: dict[str, int]
    """Messages by language."""
    texts: TextCost | msgspec.UnsetType = msgspec.UNSET
    """When the question gives the wording."""


class Forecast(Body, frozen=True):
    """Who would get it, why, by which route, in which language, at what cost."""

    decisions: tuple[Decision, ...]
    messages: tuple[PlannedMessage, ...]
    cost: Cost


class RefusedEntry(Body, frozen=True):
    """A row that was not taken over: of a document with entity and id, of an archive with file and line."""

    field: str
    reason: str
    entity: str | None = None
    id: str | None = None
    file: str | None = None
    line: int | None = None


class DirectoryReport(Body, frozen=True):
    """What an upload did to the directory, or with `dry_run` would do."""

    dry_run: bool
    added: int
    changed: int
    ended: int
    entities: dict[str, EntityCounts]
    refused: tuple[RefusedEntry, ...]
    held: tuple[Held, ...]
    notes: tuple[Note, ...]


class TemplateVersion(Body, frozen=True):
    """One version of a school's template; only an approved one can be used."""

    version: int
    status: str
    """`draft` or `approved`."""
    author: str
    """The key that wrote it."""
    approved_by: str | None
    """The key that approved it."""
    created_at: Instant


class TemplateSummary(Body, frozen=True):
    """A template: what it may be used for and what values it needs."""

    name: str
    built_in: bool
    """Whether it ships with the gateway; the school's own of the same name goes before it."""
    usable: bool
    """Whether a notification can use it now."""
    shown: int | None
    """The version that what follows is about: the one in use, else the newest draft; null for the built-in one."""
    categories: tuple[Category, ...]
    languages: tuple[str, ...]
    placeholders: tuple[str, ...]
    """The values a request must give, besides those that the gateway fills itself."""
    versions: tuple[TemplateVersion, ...]
    """Newest first; none when the school has not changed the built-in one."""


class Templates(Body, frozen=True):
    """Every template that a school has."""

    items: tuple[TemplateSummary, ...]


class TemplateDetail(TemplateSummary, frozen=True):
    """A template with the text of the shown version."""

    document: TemplateDocument


class Status(Body, frozen=True):
    """How the process is."""

    status: str
