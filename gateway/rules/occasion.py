"""The facts every stage looks at: the request (`Occasion`), one student on that day (`Pupil`), one pair (`Pair`)."""

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec

from gateway.directory.indexing import DirectoryIndex, in_range
from gateway.directory.model import CareStatus, Category, Contact, Relationship, Student
from gateway.rules.answer import Request
from gateway.rules.categories import FLAG_EXEMPT, LIFE_SAFETY, Audience, CategoryRow
from gateway.rules.policy import Policy
from gateway.rules.restrictions import NO_ORDERS, Orders, orders_for

ADULT = 18


class RefusedError(Exception):
    """The request or the directory was not admitted (P0); the sentence names the field and nobody."""


class Occasion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request as the rules see it: category, day and school."""

    index: DirectoryIndex
    policy: Policy
    category: Category
    row: CategoryRow
    at: dt.datetime
    today: dt.date
    """The instant as a date in the school's time zone."""
    named: frozenset[str] | None
    """The contacts a person category names; None in all other categories."""
    life_safety: bool
    flag_exempt: bool
    united_states: bool


class Pupil(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One student on the day of the request."""

    occasion: Occasion
    student: Student
    age: int | None
    """In full years; None means under 16 (section 2)."""
    enrolled: bool
    rows: Mapping[str, Relationship]
    """Current relationship rows by contact."""

    @property
    def adult(self) -> bool:
        """Aged 18 or more."""
        return self.age is not None and self.age >= ADULT

    @property
    def in_care_stage(self) -> bool:
        """Whether the care status can change anything at P4."""
        return self.student.care_status not in (CareStatus.NONE, CareStatus.SPECIAL_GUARDIANSHIP)

    def is_living(self, contact: str) -> bool:
        """Tell whether a contact is alive."""
        return not self.occasion.index.contacts[contact].deceased


class Pair(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One student and one contact with a current relationship."""

    occasion: Occasion
    pupil: Pupil
    contact: Contact
    row: Relationship
    orders: Orders
    """The restrictions that work on this pair and category today."""

    @property
    def professional(self) -> bool:
        """Related to the student by office."""
        return self.row.professional is not None

    @property
    def named(self) -> bool:
        """Named by the request, which only person categories do."""
        return self.occasion.named is not None and self.contact.id in self.occasion.named


def occasion_of(index: DirectoryIndex, request: Request, policy: Policy) -> Occasion:
    """Read a request that P0 has admitted."""
    row = policy.categories[request.category]
    named = frozenset(request.contacts or ()) if row.audience is Audience.PERSON else None
    return Occasion(
        index=index,
        policy=policy,
        category=request.category,
        row=row,
        at=request.at,
        today=request.at.astimezone(ZoneInfo(index.school.timezone)).date(),
        named=named,
        life_safety=request.category in LIFE_SAFETY,
        flag_exempt=request.category in FLAG_EXEMPT,
        united_states=index.school.jurisdiction.startswith(policy.united_states_prefixes),
    )


def pupil_of(occasion: Occasion, student: Student) -> Pupil:
    """Look at one student on the day; raises `RefusedError` when two rows of one pair are current."""
    return Pupil(
        occasion=occasion,
        student=student,
        age=age_on(occasion.today, student.birth_date),
        enrolled=is_enrolled(student, occasion.today),
        rows=_current_rows(occasion, student.id),
    )


def pair_of(pupil: Pupil, contact: Contact, row: Relationship) -> Pair:
    """Bring a student and a contact together."""
    return Pair(
        occasion=pupil.occasion, pupil=pupil, contact=contact, row=row, orders=orders_between(pupil, contact.id)
    )


def orders_between(pupil: Pupil, contact: str) -> Orders:
    """Collect the restrictions on a pair; they work without a relationship row."""
    occasion = pupil.occasion
    restrictions = occasion.index.restrictions.get((pupil.student.id, contact))
    if restrictions is None:
        return NO_ORDERS
    return orders_for(restrictions, occasion.category, occasion.today, occasion.policy, adult=pupil.adult)


def age_on(day: dt.date, birth_date: dt.date | None) -> int | None:
    """Count full years; a child born on 29 February grows older on 1 March where the year has no such day."""
    if birth_date is None:
        return None
    birthday_to_come = (day.month, day.day) < (birth_date.month, birth_date.day)
    return day.year - birth_date.year - birthday_to_come


def is_enrolled(student: Student, day: dt.date) -> bool:
    """Tell whether a student is at the school on a day."""
    return in_range(student.enrolled_from, student.enrolled_to, day)


def _current_rows(occasion: Occasion, student: str) -> dict[str, Relationship]:
    current: dict[str, Relationship] = {}
    for contact, rows in occasion.index.rows.get(student, {}).items():
        for row in rows:
            if in_range(row.valid_from, row.valid_to, occasion.today):
                if contact in current:
                    raise RefusedError(
                        "The directory has two current relationships for one student and contact; end one of them."
                    )
                current[contact] = row
    return current
