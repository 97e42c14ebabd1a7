"""The directory document: one school's people and how they stand to each other.

The field names, values and defaults are those of the recipient rules, section 2. Every value is frozen, so
that a decision can never change what it was made from.
"""

import datetime as dt
from enum import StrEnum
from typing import Annotated

import msgspec

ONE_LINE = r"^(?![\s\S]*[\x00-\x1f\x7f\x85\u2028\u2029])"
"""Matches what holds no line end and no control character: names and addresses reach mail headers."""

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
"""An id: unique within its list, compared byte by byte."""

Name = Annotated[str, msgspec.Meta(max_length=200, pattern=ONE_LINE)]

Line = Annotated[str, msgspec.Meta(max_length=500, pattern=ONE_LINE)]
"""An address, or a line of one."""

ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)")]
"""A time of day, `HH:MM`."""

ANY = "*"
"""Stands for every category, channel or contact where a field allows it."""


class Category(StrEnum):
    """What a notification is about; decides audience, wishes and routes (recipient rules, section 3)."""

    EMERGENCY = "emergency"
    CHILD_SAFETY = "child_safety"
    ATTENDANCE = "attendance"
    SAFEGUARDING = "safeguarding"
    REPORT = "report"
    PROGRESS = "progress"
    BEHAVIOUR = "behaviour"
    SEND = "send"
    MEETING = "meeting"
    CONSENT = "consent"
    BILLING = "billing"
    ROUTINE = "routine"
    NEWSLETTER = "newsletter"
    CELEBRATION = "celebration"
    FUNDRAISING = "fundraising"
    ACCOUNT = "account"
    REPLY = "reply"


class ChannelName(StrEnum):
    """A way to reach a person."""

    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"
    LETTER = "letter"


class PointState(StrEnum):
    """What is known of a contact point's use."""

    OK = "ok"
    SUSPECT = "suspect"
    DEAD = "dead"
    OPTED_OUT = "opted_out"
    CARRIER_BLOCKED = "carrier_blocked"


class PointLabel(StrEnum):
    """Whose a contact point is."""

    PERSONAL = "personal"
    WORK = "work"
    HOME = "home"


class CareStatus(StrEnum):
    """The student's legal care status."""

    NONE = "none"
    SECTION_20 = "s20"
    CARE_ORDER = "care_order"
    INTERIM_CARE_ORDER = "interim_care_order"
    EMERGENCY_PROTECTION = "epo"
    ADOPTED = "adopted"
    SPECIAL_GUARDIANSHIP = "sgo"


class Sharing(StrEnum):
    """An adult student's own choice about one category."""

    CONSENTED = "consented"
    REFUSED = "refused"


class Responsibility(StrEnum):
    """Parental responsibility, as far as the school knows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Flag(StrEnum):
    """A correspondence or report flag of the school's own records."""

    YES = "yes"
    NO = "no"
    UNSET = "unset"


class Effect(StrEnum):
    """What a restriction does."""

    DENY = "deny"
    MUST_SEND = "must_send"


class Basis(StrEnum):
    """What a restriction rests on."""

    COURT_ORDER = "court_order"
    STATUTE = "statute"
    BINDING_AGREEMENT = "binding_agreement"
    SAFEGUARDING = "safeguarding"


class RestrictionStatus(StrEnum):
    """How far a restriction has come: a draft awaits a second person."""

    DRAFT = "draft"
    ACTIVE = "active"
    SUPERSEDED = "superseded"


CategoryOrAny = Annotated[str, msgspec.Meta(pattern=rf"^(\*|{'|'.join(Category)})$")]
"""A category's name, or `*` for all."""

ChannelOrAny = Annotated[str, msgspec.Meta(pattern=rf"^(\*|{'|'.join(ChannelName)})$")]
"""A channel's name, or `*` for all."""


class Entity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row of the directory: frozen, strict, and stored without its defaults."""


class School(Entity, frozen=True):
    """The tenant: whose law, clock and language apply."""

    id: Identifier
    name: Name
    jurisdiction: str = "GB-ENG"
    timezone: str = "Europe/London"
    language: str = "en"


class Student(Entity, frozen=True):
    """A child, or a former child who has turned 18."""

    id: Identifier
    given_name: Name = ""
    family_name: Name = ""
    birth_date: dt.date | None = None
    groups: tuple[str, ...] = ()
    care_status: CareStatus = CareStatus.NONE
    sharing_after_18: dict[CategoryOrAny, Sharing] = {}
    dependent_verified: bool = False
    objections: tuple[str, ...] = ()
    enrolled_from: dt.date | None = None
    enrolled_to: dt.date | None = None


class Preferences(Entity, frozen=True):
    """A contact's own wishes; they bind nobody else (R21)."""

    opted_out: tuple[CategoryOrAny, ...] = ()
    opted_in: tuple[Category, ...] = ()
    channels: dict[CategoryOrAny, tuple[ChannelName, ...]] = {}
    quiet_hours: tuple[ClockTime, ClockTime] | None = ("21:00", "07:00")
    work_points: bool = False


class Contact(Entity, frozen=True):
    """An adult who stands in some relation to a student, or an adult student for themselves."""

    id: Identifier
    title: Name = ""
    given_name: Name = ""
    family_name: Name = ""
    language: str | None = None
    """BCP-47; None takes the school's."""
    interpreter: bool = False
    formats: tuple[str, ...] = ()
    timezone: str | None = None
    """Zone name; None takes the school's."""
    deceased: bool = False
    staff: bool = False
    preferences: Preferences = Preferences()


class PostalAddress(Entity, frozen=True):
    """A letter's address without the addressee's name."""

    lines: tuple[Line, ...]
    postcode: Line = ""
    country: Line = "GB"


class ContactPoint(Entity, frozen=True):
    """One address of one contact on one channel."""

    id: Identifier
    contact: Identifier
    channel: ChannelName
    address: Line | PostalAddress
    state: PointState = PointState.OK
    label: PointLabel = PointLabel.PERSONAL
    confidential: bool = False
    order: int = 1


class Household(Entity, frozen=True):
    """Contacts who live at one place, together or apart under one roof."""

    id: Identifier
    members: tuple[Identifier, ...] = ()
    separated: bool = False
    from_: dt.date | None = msgspec.field(default=None, name="from")
    to: dt.date | None = None


class Relationship(Entity, frozen=True):
    """How one contact stands to one student."""

    student: Identifier
    contact: Identifier
    relation: str = ""
    natural_parent: bool = False
    care_of_child: bool = False
    lives_with: bool = False
    legal_guardian: bool = False
    emergency_contact: bool = False
    bill_payer: bool = False
    parental_responsibility: Responsibility = Responsibility.UNKNOWN
    priority: Annotated[int, msgspec.Meta(ge=1)] | None = None
    professional: str | None = None
    correspondence: Flag = Flag.UNSET
    correspondence_reason: str | None = None
    reports: Flag = Flag.UNSET
    reports_reason: str | None = None
    consented_categories: tuple[Category, ...] = ()
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None


class Restriction(Entity, frozen=True):
    """A dated, evidenced, two-person record that bars or orders messages for a student and a contact."""

    id: Identifier
    student: Identifier
    contact: Identifier
    effect: Effect
    basis: Basis
    status: RestrictionStatus = RestrictionStatus.DRAFT
    categories: tuple[CategoryOrAny, ...] = (ANY,)
    channels: tuple[ChannelOrAny, ...] = (ANY,)
    from_: dt.date | None = msgspec.field(default=None, name="from")
    until: dt.date | None = None
    reviewed_on: dt.date | None = None


class PlacementPlan(Entity, frozen=True):
    """What the care plan of a looked-after child lets the school share with one contact."""

    student: Identifier
    contact: Identifier
    share: tuple[CategoryOrAny, ...] = ()


class Directory(Entity, frozen=True):
    """Everything the recipient rules may look at, for one school."""

    school: School
    students: tuple[Student, ...] = ()
    contacts: tuple[Contact, ...] = ()
    contact_points: tuple[ContactPoint, ...] = ()
    households: tuple[Household, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    placement_plans: tuple[PlacementPlan, ...] = ()
