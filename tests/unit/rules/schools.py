"""Random schools full of the cases that matter: shared addresses, separation, blocks, care, adults, professionals.

`schools()`, `questions()` and `restrictions()` are hypothesis strategies. Each draws one seed and builds from it, which
is some thirty times faster than drawing every field and buys as many more examples; a failing example is one number.
Ids are `s0`, `s1`… for students and `c0`, `c1`… for contacts.
"""

import datetime as dt
import random
from typing import Any

from hypothesis import strategies as st

from gateway.directory.model import (
    Basis,
    CareStatus,
    Category,
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Effect,
    Flag,
    Household,
    PlacementPlan,
    PointLabel,
    PointState,
    PostalAddress,
    Preferences,
    Relationship,
    Responsibility,
    Restriction,
    RestrictionStatus,
    School,
    Sharing,
    Student,
)
from gateway.rules.answer import Request
from gateway.rules.categories import CATEGORIES, Audience

TODAY = dt.date(2026, 6, 15)
NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)

_SHARED = {
    ChannelName.EMAIL: (*["family@example.org", " Family@Example.org"] * 4, "other@example.org", "not a mailbox"),
    ChannelName.SMS: (*["07700 900001", "+44 7700 900001"] * 3, "07700 900002", "020 7946 0123", "+12025550156"),
    ChannelName.VOICE: ("07700 900001", "+447700900001", "020 7946 0123", "(020) 7946-0123"),
}
_HOUSES = (("1 Weir Street",), ("1 weir street.",), ("2 Weir Street", "Flat 3"))
_DAYS = (-95, -31, -20, -1, 0, 1, 30)
_CHILD = dt.date(2016, 2, 3)
_BIRTHDAYS = (
    *([_CHILD] * 14),
    None,
    dt.date(2010, 6, 15),
    dt.date(2010, 6, 16),
    dt.date(2009, 1, 1),
    dt.date(2008, 6, 15),
    dt.date(2008, 6, 16),
    dt.date(2008, 2, 29),
)
_RELATIONS = (
    *(["mother", "father"] * 6),
    "step_parent",
    "grandparent",
    "foster_carer",
    "kinship_carer",
    "self",
    "social_worker",
)
_SOME_CATEGORIES = ("*", "report", "newsletter", "emergency", "behaviour", "attendance", "routine")
_GENERAL = (Category.ROUTINE, Category.NEWSLETTER, Category.CELEBRATION, Category.FUNDRAISING)


class SchoolMaker:
    """Builds one school and requests to it from one source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._pick = chance.choice
        self._close_knit = self._rarely(3)
        """One family under one roof with few addresses, so that deliveries meet."""

    def _rarely(self, one_in: int = 6) -> bool:
        return self._chance.randrange(one_in) == 0

    def _day(self) -> dt.date | None:
        return None if self._rarely(2) else TODAY + dt.timedelta(days=self._pick(_DAYS))

    def _range(self) -> tuple[dt.date | None, dt.date | None]:
        start, end = self._day(), self._day()
        return (end, start) if start is not None and end is not None and end < start else (start, end)

    def _seldom_range(self) -> tuple[dt.date | None, dt.date | None]:
        return self._range() if self._rarely(8) else (None, None)

    def student(self, number: int, contacts: tuple[str, ...]) -> Student:
        """Build a student, mostly a child at home."""
        start, end = self._seldom_range()
        choices = {self._pick(_SOME_CATEGORIES): self._pick(list(Sharing)) for _ in range(self._pick([0, 1, 2]))}
        return Student(
            id=f"s{number}",
            given_name=f"Given{number}",
            family_name="Family",
            birth_date=self._pick(_BIRTHDAYS),
            groups=self._pick([(), ("1A",), ("1A", "2B")]),
            care_status=self._pick([CareStatus.NONE] * 14 + list(CareStatus)),
            sharing_after_18=choices,
            dependent_verified=self._rarely(2),
            objections=self._pick([(), (), ("*",), contacts[:1], contacts[1:]]),
            enrolled_from=start,
            enrolled_to=end,
        )

    def contact(self, number: int) -> Contact:
        """Build a contact, now and then with wishes, a format, another zone."""
        hours: Any = self._pick([("21:00", "07:00")] * 8 + [("09:00", "17:00"), ("12:00", "12:00"), None])
        wishes = {self._pick(_SOME_CATEGORIES): tuple(self._chance.sample(list(ChannelName), 2))}
        return Contact(
            id=f"c{number}",
            given_name=f"Person{number}",
            family_name="Family",
            language=self._pick([None] * 8 + ["pl"]),
            formats=self._pick([()] * 8 + [("text_only",), ("large_print_16", "bsl_video")]),
            timezone=self._pick([None] * 8 + ["Asia/Dubai"]),
            deceased=self._rarely(16),
            staff=self._rarely(),
            preferences=Preferences(
                opted_out=self._pick([()] * 6 + [("*",), ("newsletter",), ("report", "behaviour")]),
                opted_in=self._pick([(), (Category.FUNDRAISING,)]),
                channels=self._pick([{}] * 5 + [wishes]),
                quiet_hours=hours,
                work_points=self._rarely(2),
            ),
        )

    def point(self, contact: str, number: int) -> ContactPoint:
        """Build a contact point; every other one has an address that others may have as well."""
        channel = self._pick([ChannelName.EMAIL, *ChannelName])
        return ContactPoint(
            id=f"{contact}-{number}",
            contact=contact,
            channel=channel,
            address=self._address(channel, contact, number),
            state=self._pick([PointState.OK] * 16 + [PointState.SUSPECT, *PointState]),
            label=self._pick([PointLabel.PERSONAL, PointLabel.PERSONAL, PointLabel.HOME, PointLabel.WORK]),
            confidential=self._rarely(8),
            order=self._pick([1, 2]),
        )

    def _address(self, channel: ChannelName, contact: str, number: int) -> str | PostalAddress:
        if channel is ChannelName.LETTER:
            return PostalAddress(lines=self._pick(_HOUSES), postcode=self._pick(["ZZ9 9ZZ", "zz99zz"]))
        own = f"{contact}@example.org" if channel is ChannelName.EMAIL else f"07700 9001{contact[1:]}{number}"
        shared = self._pick(_SHARED[channel])
        return shared if self._close_knit else self._pick([own, shared])

    def row(self, student: str, contact: str) -> Relationship:
        """Build a relationship of any kind."""
        relation = self._pick(_RELATIONS)
        start, end = self._seldom_range()
        flags = [Flag.UNSET] * 6 + list(Flag)
        reasons = [None, "self_requested", "other_parent_request"]
        return Relationship(
            student=student,
            contact=contact,
            relation=relation,
            natural_parent=relation in ("mother", "father") and not self._rarely(4),
            care_of_child=self._rarely(2),
            lives_with=self._rarely(2),
            legal_guardian=self._rarely(8),
            emergency_contact=self._rarely(3),
            bill_payer=self._rarely(8),
            parental_responsibility=self._pick(list(Responsibility)),
            priority=self._pick([None, 1, 2, 3]),
            professional=self._pick(["social_worker", "tutor"]) if self._rarely(8) else None,
            correspondence=self._pick(flags),
            correspondence_reason=self._pick(reasons),
            reports=self._pick(flags),
            reports_reason=self._pick(reasons),
            consented_categories=self._pick([(), (Category.MEETING, Category.REPORT)]),
            valid_from=start,
            valid_to=end,
        )

    def restriction(self, number: int, students: tuple[str, ...], contacts: tuple[str, ...]) -> Restriction:
        """Build a restriction in any of its states, mostly a deny."""
        start, end = self._range()
        every = tuple(channel.value for channel in ChannelName)
        return Restriction(
            id=f"x{number}",
            student=self._pick(students),
            contact=self._pick(contacts),
            effect=self._pick([Effect.DENY, Effect.DENY, Effect.MUST_SEND]),
            basis=self._pick(list(Basis)),
            status=self._pick([RestrictionStatus.ACTIVE, *RestrictionStatus]),
            categories=self._pick([("*",), ("*",), (), ("report", "newsletter", "emergency", "attendance")]),
            channels=self._pick([("*",), ("*",), every, ("voice",), ("email", "sms"), ("letter",)]),
            from_=start,
            until=end,
            reviewed_on=self._day(),
        )

    def household(self, number: int, contacts: tuple[str, ...]) -> Household:
        """Build a household, now and then separated or of another time."""
        start, end = self._seldom_range()
        size = len(contacts) if self._close_knit else self._chance.randint(1, len(contacts))
        members = tuple(self._chance.sample(contacts, size))
        separated = self._rarely(16 if self._close_knit else 4)
        return Household(id=f"h{number}", members=members, separated=separated, from_=start, to=end)

    def plan(self, student: str, contact: str) -> PlacementPlan:
        """Build what a placement plan shares."""
        share = tuple(self._chance.sample(_SOME_CATEGORIES, self._pick([0, 1, 2])))
        return PlacementPlan(student=student, contact=contact, share=share)

    def school(self) -> Directory:
        """Build a consistent directory of one to three students and two to five contacts."""
        contacts = tuple(f"c{number}" for number in range(self._chance.randint(2, 5)))
        students = tuple(f"s{number}" for number in range(self._chance.randint(1, 3)))
        pairs = [(student, contact) for student in students for contact in contacts if not self._rarely(3)]
        jurisdiction, zone = self._pick(
            [("GB-ENG", "Europe/London"), ("GB-ENG", "Europe/London"), ("US-CA", "America/Los_Angeles")]
        )
        return Directory(
            school=School(id="school", name="School", jurisdiction=jurisdiction, timezone=zone),
            students=tuple(self.student(number, contacts) for number in range(len(students))),
            contacts=tuple(self.contact(number) for number in range(len(contacts))),
            contact_points=tuple(
                self.point(contact, number) for contact in contacts for number in range(self._chance.randint(1, 5))
            ),
            households=tuple(self.household(number, contacts) for number in range(self._pick([0, 1, 1, 2]))),
            relationships=tuple(self.row(student, contact) for student, contact in pairs),
            restrictions=tuple(
                self.restriction(number, students, contacts)
                for number in range(0 if self._close_knit else self._pick([0, 0, 1, 2, 3]))
            ),
            placement_plans=tuple(self.plan(student, contact) for student, contact in pairs if self._rarely(4)),
        )

    def request(self, directory: Directory) -> Request:
        """Build a request about everybody, a group or some students, at any hour of the day."""
        category = self._pick([*Category, *_GENERAL, Category.EMERGENCY])
        at = NOON + dt.timedelta(minutes=30 * self._chance.randint(-20, 20))
        contacts = None
        if CATEGORIES[category].audience is Audience.PERSON:
            contacts = self._some([contact.id for contact in directory.contacts])
        way = self._pick(["everyone", "everyone", "groups", "students"])
        if way == "everyone":
            return Request(category=category, at=at, everyone=True, contacts=contacts)
        if way == "groups":
            return Request(category=category, at=at, groups=("1A",), contacts=contacts)
        students = self._some([student.id for student in directory.students])
        return Request(category=category, at=at, students=students, contacts=contacts)

    def _some(self, ids: list[str]) -> tuple[str, ...]:
        return tuple(self._chance.sample(ids, self._chance.randint(1, len(ids))))


def makers() -> st.SearchStrategy[SchoolMaker]:
    """Draw a source of chance."""
    return st.integers(0, 2**32).map(lambda seed: SchoolMaker(random.Random(seed)))  # noqa: S311 - repeatable on purpose


def schools() -> st.SearchStrategy[Directory]:
    """Draw a consistent directory."""
    return makers().map(lambda maker: maker.school())


def questions() -> st.SearchStrategy[tuple[Directory, Request]]:
    """Draw a school and a request that P0 admits."""

    def ask(maker: SchoolMaker) -> tuple[Directory, Request]:
        directory = maker.school()
        return directory, maker.request(directory)

    return makers().map(ask)


def restrictions(directory: Directory) -> st.SearchStrategy[Restriction]:
    """Draw one more restriction, with an id of its own, for a school."""
    students = tuple(student.id for student in directory.students)
    contacts = tuple(contact.id for contact in directory.contacts)
    return makers().map(lambda maker: maker.restriction(99, students, contacts))
