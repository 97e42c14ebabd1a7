"""Turns a OneRoster export's student rows, demographics and classes into students.

A student's groups are `year-7` from `grades` (leading zeros dropped), and of each class with a current enrolment
the id and, if no other class has it, the title.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator

from gateway.directory.csv_rows import Row, date
from gateway.directory.importing import UnreadableValueError
from gateway.directory.model import CareStatus, Student
from gateway.directory.oneroster_tables import CLASSES, DEMOGRAPHICS, ENROLLMENTS, Export
from gateway.directory.oneroster_users import Engagement, Users


def read_students(export: Export, users: Users, *, today: dt.date) -> Iterator[Student]:
    """Yield the students by id; birth dates after today are refused."""
    groups = _class_groups(export, users, today)
    births, care = _demographics(export, users, today)
    for student, row in sorted(users.students.items()):
        studies = users.studies(student)
        yield Student(
            id=student,
            given_name=row.text("preferredGivenName") or row.text("givenName"),
            family_name=row.text("preferredFamilyName") or row.text("familyName"),
            birth_date=births.get(student),
            groups=tuple(sorted(groups[student] | _years(row))),
            care_status=care.get(student, CareStatus.NONE),
            enrolled_from=_earliest([study.begin for study in studies]),
            enrolled_to=_latest([study.end for study in studies]),
        )


def _earliest(dates: list[dt.date | None]) -> dt.date | None:
    known = [day for day in dates if day]
    return min(known) if len(known) == len(dates) else None


def _latest(dates: list[dt.date | None]) -> dt.date | None:
    known = [day for day in dates if day]
    return max(known) if len(known) == len(dates) else None


def _years(row: Row) -> set[str]:
    return {f"year-{grade.lower().lstrip('0') or '0'}" for grade in row.items("grades")}


def _demographics(export: Export, users: Users, today: dt.date) -> tuple[dict[str, dt.date], dict[str, CareStatus]]:
    births: dict[str, dt.date] = {}
    care: dict[str, CareStatus] = {}
    for user, row in export.rows(DEMOGRAPHICS):
        if user not in users.rows:
            row.refuse("sourcedId", "No user in users.csv has this id; correct it or add the user.")
            continue
        born = row.read("birthDate", date)
        if born and born > today:
            row.refuse("birthDate", "The date of birth lies in the future; correct it.")
        elif born:
            births[user] = born
        care[user] = _care_status(row)
    for row in export.lost[DEMOGRAPHICS]:
        if row.text("metadata.careStatus"):
            care[row.text("sourcedId")] = CareStatus.EMERGENCY_PROTECTION
            row.note("The row may say that the student is in care; all about them is held until it is put right.")
    return births, care


def _care_status(row: Row) -> CareStatus:
    """Read the care status; an unreadable one counts as emergency protection, which holds everything (R19)."""
    status = row.read("metadata.careStatus", _known_care_status)
    if status is None and row.text("metadata.careStatus"):
        return CareStatus.EMERGENCY_PROTECTION
    return status or CareStatus.NONE


def _known_care_status(text: str) -> CareStatus:
    try:
        return CareStatus(text)
    except ValueError:
        raise UnreadableValueError(
            f"The care status must be one of {', '.join(CareStatus)}; meanwhile all about the student is held."
        ) from None


def _class_groups(export: Export, users: Users, today: dt.date) -> defaultdict[str, set[str]]:
    titles = {key: row.text("title") for key, row in export.rows(CLASSES)}
    shared = Counter(titles.values())
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for _, row in export.rows(ENROLLMENTS):
        user, group = row.text("userSourcedId"), row.text("classSourcedId")
        if user not in users.rows:
            row.refuse("userSourcedId", "No user in users.csv has this id; correct it or add the user.")
        elif group not in titles:
            row.refuse("classSourcedId", "No class in classes.csv has this id; correct it or add the class.")
        elif row.text("role") == "student" and _enrolled(row, today):
            groups[user] |= {group, titles[group]} if titles[group] and shared[titles[group]] == 1 else {group}
    return groups


def _enrolled(row: Row, today: dt.date) -> bool:
    return Engagement("student", row.read("beginDate", date), row.read("endDate", date)).holds(today)
