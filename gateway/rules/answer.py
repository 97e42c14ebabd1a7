"""The question put to the recipient rules and the answer they give (recipient rules, section 2)."""

import datetime as dt
from enum import StrEnum

import msgspec

from gateway.directory.model import Category, ChannelName


class Outcome(StrEnum):
    """What was decided for one student and one contact."""

    SEND = "send"
    EXCLUDE = "exclude"
    HOLD = "hold"
    UNREACHABLE = "unreachable"


class Mode(StrEnum):
    """How the deliveries of one message follow each other (R23)."""

    SIMULTANEOUS = "simultaneous"
    FALLBACK = "fallback"
    LADDER = "ladder"


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """About whom, in which category, and when. Exactly one of students, groups and everyone is given."""

    category: Category
    at: dt.datetime
    students: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    everyone: bool = False
    contacts: tuple[str, ...] | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one student and one contact, with the rule that gave it and a reason that names nobody."""

    student: str
    contact: str
    outcome: Outcome
    rule: str
    reason: str


class PlannedDelivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One contact point the message may use; carried by another contact's delivery when merged."""

    channel: ChannelName
    point: str
    merged_into: str | None = None
    """The id of the other contact's point whose delivery carries this one."""


class PlannedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What one contact receives: about which students, by which routes in which order, and not before when."""

    contact: str
    students: tuple[str, ...]
    deliveries: tuple[PlannedDelivery, ...]
    mode: Mode
    step: int | None
    """The rung of the ladder, from 1; None outside ladder mode."""
    language: str
    formats: tuple[str, ...]
    not_before: dt.datetime | None
    """UTC; None when it may leave at once."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why the question itself was not admitted (P0)."""

    reason: str
    rule: str = "P0"


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every decision, and the messages that follow from the sends."""

    decisions: tuple[Decision, ...]
    messages: tuple[PlannedMessage, ...]
    error: Refusal | None = None
