"""Answers whether a directory is consistent: nothing named twice, nothing missing, no dates the wrong way round."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.directory.indexing import in_range
from gateway.directory.model import ANY, ChannelName, Directory, PostalAddress

_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong with one row; `entity` is the list it stands in, the reason names nobody."""

    entity: str
    id: str
    """The row's id; `student/contact` for rows without one."""
    field: str
    reason: str

    def __str__(self) -> str:
        """Say it in one sentence, for instance `contacts mum: timezone must be a zone of the IANA database.`."""
        return f"{self.entity} {self.id}: {self.field} {self.reason}."


def find_problems(directory: Directory, today: dt.date) -> list[Problem]:
    """Check a directory as it stands on one day; an empty list means that the rules may rely on it (P0)."""
    checks: tuple[Callable[[Directory], Iterable[Problem]], ...] = (
        _repeated_ids,
        _dangling_references,
        _reversed_dates,
        _unknown_zones,
        _malformed_languages,
        _misplaced_addresses,
    )
    problems = [problem for check in checks for problem in check(directory)]
    problems.extend(_competing_rows(directory, today))
    return problems


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Tell whether the IANA database knows this time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a folder of zones, not a name at all
        return False
    return True


def _repeated_ids(directory: Directory) -> Iterator[Problem]:
    for entity, ids in (
        ("students", [row.id for row in directory.students]),
        ("contacts", [row.id for row in directory.contacts]),
        ("contact_points", [row.id for row in directory.contact_points]),
        ("households", [row.id for row in directory.households]),
        ("restrictions", [row.id for row in directory.restrictions]),
    ):
        if len(set(ids)) < len(ids):
            for repeated in sorted(id_ for id_, count in Counter(ids).items() if count > 1):
                yield Problem(entity=entity, id=repeated, field="id", reason="must be unique within its list")


def _dangling_references(directory: Directory) -> Iterator[Problem]:
    students = {student.id for student in directory.students}
    contacts = {contact.id for contact in directory.contacts}
    for point in directory.contact_points:
        if point.contact not in contacts:
            yield _missing("contact_points", point.id, "contact")
    for household in directory.households:
        if not contacts.issuperset(household.members):
            yield _missing("households", household.id, "members")
    for student in directory.students:
        if not contacts.issuperset(objection for objection in student.objections if objection != ANY):
            yield _missing("students", student.id, "objections")
    for entity, id_, student_id, contact_id in _pairs(directory):
        if student_id not in students:
            yield Problem(entity=entity, id=id_, field="student", reason="must be the id of a student in the directory")
        if contact_id not in contacts:
            yield _missing(entity, id_, "contact")


def _missing(entity: str, id_: str, field: str) -> Problem:
    return Problem(entity=entity, id=id_, field=field, reason="must name only contacts that are in the directory")


def _pairs(directory: Directory) -> Iterator[tuple[str, str, str, str]]:
    """Give each row between a student and a contact as its list, its id, the student's id and the contact's id."""
    for relationship in directory.relationships:
        yield "relationships", _joined(relationship), relationship.student, relationship.contact
    for restriction in directory.restrictions:
        yield "restrictions", restriction.id, restriction.student, restriction.contact
    for plan in directory.placement_plans:
        yield "placement_plans", f"{plan.student}/{plan.contact}", plan.student, plan.contact


def _joined(row: object) -> str:
    return f"{getattr(row, 'student', '')}/{getattr(row, 'contact', '')}"


def _reversed_dates(directory: Directory) -> Iterator[Problem]:
    ranges: list[tuple[str, str, str, dt.date | None, dt.date | None]] = [
        *(("students", s.id, "enrolled_to", s.enrolled_from, s.enrolled_to) for s in directory.students),
        *(("households", h.id, "to", h.from_, h.to) for h in directory.households),
        *(("relationships", _joined(r), "valid_to", r.valid_from, r.valid_to) for r in directory.relationships),
        *(("restrictions", r.id, "until", r.from_, r.until) for r in directory.restrictions),
    ]
    for entity, id_, field, start, end in ranges:
        if start is not None and end is not None and end < start:
            yield Problem(entity=entity, id=id_, field=field, reason="must not be earlier than the date it starts")


def _unknown_zones(directory: Directory) -> Iterator[Problem]:
    zones = [("school", directory.school.id, directory.school.timezone)]
    zones.extend(
        ("contacts", contact.id, contact.timezone) for contact in directory.contacts if contact.timezone is not None
    )
    for entity, id_, zone in zones:
        if not is_zone(zone):
            yield Problem(entity=entity, id=id_, field="timezone", reason="must be a zone of the IANA database")


def _malformed_languages(directory: Directory) -> Iterator[Problem]:
    languages = [("school", directory.school.id, directory.school.language)]
    languages.extend(
        ("contacts", contact.id, contact.language) for contact in directory.contacts if contact.language is not None
    )
    for entity, id_, language in languages:
        if not _LANGUAGE.fullmatch(language):
            yield Problem(entity=entity, id=id_, field="language", reason="must be a BCP-47 language tag")


def _misplaced_addresses(directory: Directory) -> Iterator[Problem]:
    for point in directory.contact_points:
        if isinstance(point.address, PostalAddress) != (point.channel is ChannelName.LETTER):
            wanted = "lines, postcode and country" if point.channel is ChannelName.LETTER else "a text"
            yield Problem(
                entity="contact_points", id=point.id, field="address", reason=f"must be {wanted} for its channel"
            )


def _competing_rows(directory: Directory, today: dt.date) -> Iterator[Problem]:
    current = Counter(
        (row.student, row.contact) for row in directory.relationships if in_range(row.valid_from, row.valid_to, today)
    )
    for (student, contact), count in sorted(current.items()):
        if count > 1:
            yield Problem(
                entity="relationships",
                id=f"{student}/{contact}",
                field="valid_to",
                reason="must leave at most one current row for a student and a contact",
            )
