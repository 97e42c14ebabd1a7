"""What a source system posts: the shapes of `POST /v1/notifications`, strict and documented."""

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec

from gateway.content.values import Scalar
from gateway.directory.model import ONE_LINE, Category, ChannelName, Identifier
from gateway.rules.categories import CATEGORIES, LIFE_SAFETY
from gateway.rules.consent import Needed


class Purpose(StrEnum):
    """Why the school writes (requirement Q06)."""

    INFORMATION = "information"
    ACTION = "action"
    SAFETY = "safety"
    ATTENDANCE = "attendance"
    PROGRESS = "progress"
    CONSENT = "consent"
    PAYMENT = "payment"
    FEEDBACK = "feedback"
    CELEBRATION = "celebration"


Identifiers = Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=20_000)]


class Audience(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """About whom: exactly one of students, groups and everyone; contacts for the person categories."""

    students: Identifiers | None = None
    groups: Identifiers | None = None
    everyone: bool = False
    contacts: Identifiers | None = None


class FreeContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text written for this notification, in one language; the body is Markdown with placeholders."""

    language: Annotated[str, msgspec.Meta(min_length=2, max_length=35)]
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
    body: Annotated[str, msgspec.Meta(min_length=1, max_length=50_000)]


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whose consent is needed, student by student: one yes, or everybody's who is asked (R14)."""

    needed: Needed = Needed.ANY_ONE


Values = dict[str, Scalar | tuple[str, ...]]


class NotificationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing the school wants said to an audience: by a template with values, or by free content."""

    category: Category
    purpose: Purpose
    audience: Audience
    template: Identifier | None = None
    values: Values = {}
    student_values: dict[str, Values] = {}
    content: FreeContent | None = None
    send_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    respond_by: dt.datetime | None = None
    consent: Consent | None = None
    """Only with the category `consent`; without it one yes suffices."""
    attachments: Annotated[tuple[Identifier, ...], msgspec.Meta(max_length=5)] = ()
    """Files for every reader (`POST /v1/attachments`): in the mail where the category is of general interest, else on
    the secure page."""
    student_attachments: dict[str, Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=5)]] = {}
    """Files about one student each: always on the secure page, for the readers of this student alone."""
    reference: Annotated[str, msgspec.Meta(max_length=1000)] | None = None

    @property
    def files(self) -> frozenset[str]:
        """All files it carries."""
        return frozenset(self.attachments).union(*self.student_attachments.values())

    def files_for(self, students: Iterable[str]) -> list[str]:
        """List the files of a message about these students, each once: for every reader, then each student's own."""
        own = [key for student in students for key in self.student_attachments.get(student, ())]
        return list(dict.fromkeys([*self.attachments, *own]))


class Lane(StrEnum):
    """Which queue, workers and budget work uses: the first three a notification, the others what comes of it."""

    EMERGENCY = "emergency"
    STANDARD = "standard"
    BULK = "bulk"
    LETTERS = "letters"
    """Typesetting keeps a processor busy; no mail waits behind it."""
    WEBHOOKS = "webhooks"
    """Other systems answer when they like; several events a message make it the busiest lane of all."""


class NotificationStatus(StrEnum):
    """How far a notification has come."""

    ACCEPTED = "accepted"
    PLANNING = "planning"
    HELD = "held"
    SENDING = "sending"
    FINISHED = "finished"
    CANCELLED = "cancelled"


def travels_along(category: Category) -> bool:
    """Tell whether a category's mails carry files themselves: general news does, anything personal or urgent links."""
    return CATEGORIES[category].sensitivity == 0 and category not in LIFE_SAFETY


_EMERGENCY = frozenset({Category.EMERGENCY, Category.CHILD_SAFETY})
_BULK = frozenset({Category.ROUTINE, Category.NEWSLETTER, Category.CELEBRATION, Category.FUNDRAISING})


def lane_of(category: Category) -> Lane:
    """Give life-safety its own lane, and keep what can wait behind what concerns one child."""
    if category in _EMERGENCY:
        return Lane.EMERGENCY
    return Lane.BULK if category in _BULK else Lane.STANDARD


def lane_on(channel: ChannelName, lane: Lane) -> Lane:
    """Give the lane of a delivery on a channel of a notification of this lane."""
    return Lane.LETTERS if channel is ChannelName.LETTER else lane
