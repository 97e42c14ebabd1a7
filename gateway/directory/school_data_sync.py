"""Reads a Microsoft School Data Sync export (v2.1 CSV, zipped): users, roles, the school, and who is whose contact.

`relationships.csv` says no more than that two people are linked, so that nobody is known to be a parent: the rules send
general news and hold the rest until their standing is given. Column names are those of the published format.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from gateway.directory.addresses import country_of
from gateway.directory.archive import unpack
from gateway.directory.csv_rows import Columns, Row, date, identifier, read_rows
from gateway.directory.importing import Findings, Import, ImportRefusedError
from gateway.directory.kinship import nothing_known
from gateway.directory.model import Contact, ContactPoint, Directory, Relationship, School, Student
from gateway.directory.user_points import point_ids, user_points

ORGS: Final = "orgs.csv"
USERS: Final = "users.csv"
ROLES: Final = "roles.csv"
RELATIONSHIPS: Final = "relationships.csv"
CLASSES: Final = "classes.csv"
ENROLLMENTS: Final = "enrollments.csv"
DEMOGRAPHICS: Final = "demographics.csv"

_RELATIONS = frozenset({"parent", "guardian", "relative", "other", "doctor", "aide"})
_FAMILY_ROLES = frozenset({"student", "parent", "guardian", "relative", "other"})

_TABLES: Final = {
    ORGS: Columns.of("sourcedId,name,type", "parentSourcedId"),
    USERS: Columns.of(
        "sourcedId,givenName,familyName", "username,password,activeDirectoryMatchId,email,phone,sms,middleName"
    ),
    ROLES: Columns.of("userSourcedId,orgSourcedId,role", "sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate"),
    RELATIONSHIPS: Columns.of("userSourcedId,relationshipUserSourcedId,relationshipRole", ""),
    CLASSES: Columns.of("sourcedId,orgSourcedId,title", "sessionSourcedIds,courseSourcedId,code"),
    ENROLLMENTS: Columns.of("classSourcedId,userSourcedId,role", ""),
    DEMOGRAPHICS: Columns.of(
        "userSourcedId",
        "sex,birthDate,birthCity,birthState,birthCountry,ethnicityCodes,raceCodes",
    ),
}
_NEEDED = (ORGS, USERS, ROLES, RELATIONSHIPS)
_OTHER_FILES = frozenset({"academicSessions.csv", "courses.csv", "userFlags.csv"})


def read_school_data_sync(content: bytes, *, today: dt.date, school: School | None) -> Import:
    """Read one school, complete; a `school` on record keeps its law, time zone and language when the ids agree.

    Values and rows that are wrong are refused one by one; ImportRefusedError means that nothing could be read.
    """
    findings = Findings()
    export = _Export(content, findings)
    found = _school(export)
    school = school if school is not None and school.id == found.id else found
    country = country_of(school.jurisdiction)
    people = dict(export.identified(USERS))
    roles = _Roles(export, people)
    links = sorted(_links(export, people, roles, country), key=lambda link: (link.student, link.contact))
    contacts = sorted({link.contact for link in links})
    at_work = {link.contact for link in links if link.professional} | roles.staff
    directory = Directory(
        school=school,
        students=tuple(_students(export, people, roles, today)),
        contacts=tuple(_contact(contact, people[contact], roles) for contact in contacts),
        contact_points=tuple(_points(contacts, people, at_work, country)),
        relationships=tuple(links),
    )
    findings.note(
        RELATIONSHIPS,
        "The format does not say who is a parent: general news is sent, and personal mail is held until it is given.",
    )
    for row in export.lost[USERS]:
        findings.mention("students", row.text("sourcedId"))
        findings.mention("contacts", row.text("sourcedId"))
    for row in export.lost[RELATIONSHIPS]:
        findings.mention_link(row.text("userSourcedId"), row.text("relationshipUserSourcedId"))
    return findings.conclude(directory, points_of=point_ids)


class _Export:
    """The files of one export, by name."""

    def __init__(self, content: bytes, findings: Findings) -> None:
        """Raise ImportRefusedError when a needed file is missing."""
        unpacked = unpack(content, wanted=_TABLES.keys())
        self._contents = unpacked.contents
        self._findings = findings
        self.lost: defaultdict[str, list[Row]] = defaultdict(list)
        """The rows refused as a whole, by file, once their file has been read."""
        for file in _NEEDED:
            if file not in self._contents:
                raise ImportRefusedError("The file is missing at the root of the zip; export again with it.", file)
        for name in unpacked.ignored:
            if name not in _OTHER_FILES:
                findings.note(name, "The file is not part of School Data Sync v2.1 and was left out.")

    def rows(self, file: str) -> Iterator[Row]:
        """Yield the sound rows of a file; none when it is not there."""
        if file not in self._contents:
            return iter(())
        lost = self.lost[file].append
        return read_rows(self._contents[file], file=file, columns=_TABLES[file], findings=self._findings, lost=lost)

    def identified(self, file: str) -> Iterator[tuple[str, Row]]:
        """Yield the rows of a file with their ids; a row without an id of its own is refused."""
        seen: set[str] = set()
        for row in self.rows(file):
            key = row.read("sourcedId", identifier)
            if key is None and not row.unreadable:
                row.refuse("sourcedId", "The row has no id; give it one.")
            elif key in seen:
                row.refuse("sourcedId", "Another row above has the same id; leave the right one.")
            elif key is not None:
                seen.add(key)
                yield key, row


class _Roles:
    """Who studies and who works at the school."""

    def __init__(self, export: _Export, people: dict[str, Row]) -> None:
        self.studies: defaultdict[str, list[Row]] = defaultdict(list)
        self.staff: set[str] = set()
        for row in export.rows(ROLES):
            user, role = row.text("userSourcedId"), row.text("role").lower()
            if user not in people:
                row.refuse("userSourcedId", "No user in users.csv has this id; correct it or add the user.")
            elif role == "student":
                self.studies[user].append(row)
            elif role and role not in _FAMILY_ROLES:
                self.staff.add(user)
        if people and not self.studies:
            raise ImportRefusedError("Nobody has the role student; export the roles, too.", ROLES)


def _school(export: _Export) -> School:
    schools = [(key, row) for key, row in export.identified(ORGS) if row.text("type").lower() == "school"]
    if len(schools) != 1:
        raise ImportRefusedError(
            f"There are {len(schools)} organisations of type school; export exactly one school at a time.", ORGS
        )
    key, row = schools[0]
    return School(id=key, name=row.text("name"))


def _students(export: _Export, people: dict[str, Row], roles: _Roles, today: dt.date) -> Iterator[Student]:
    births = _births(export, people, today)
    groups = _class_groups(export, people)
    for student, studies in sorted(roles.studies.items()):
        row = people[student]
        years = {
            f"year-{grade.lower().lstrip('0') or '0'}" for grade in (role.text("grade") for role in studies) if grade
        }
        begins = [role.read("roleStartDate", _day) for role in studies]
        ends = [role.read("roleEndDate", _day) for role in studies]
        begin = None if None in begins else min(day for day in begins if day)
        end = None if None in ends else max(day for day in ends if day)
        if begin and end and end < begin:
            studies[0].refuse("roleEndDate", "The role ends before it begins, so it counts as open; correct it.")
            begin, end = None, None
        yield Student(
            id=student,
            given_name=row.text("givenName"),
            family_name=row.text("familyName"),
            birth_date=births.get(student),
            groups=tuple(sorted(groups[student] | years)),
            enrolled_from=begin,
            enrolled_to=end,
        )


def _day(text: str) -> dt.date:
    """Read a date, with or without a time of day."""
    return date(text[:10])


def _births(export: _Export, people: dict[str, Row], today: dt.date) -> dict[str, dt.date]:
    births = {}
    for row in export.rows(DEMOGRAPHICS):
        user, born = row.text("userSourcedId"), row.read("birthDate", _day)
        if user not in people:
            row.refuse("userSourcedId", "No user in users.csv has this id; correct it or add the user.")
        elif born and born > today:
            row.refuse("birthDate", "The date of birth lies in the future; correct it.")
        elif born:
            births[user] = born
    return births


def _class_groups(export: _Export, people: dict[str, Row]) -> defaultdict[str, set[str]]:
    """Name each student's classes by id and, if no other class has it, by title."""
    titles = {key: row.text("title") for key, row in export.identified(CLASSES)}
    shared = Counter(titles.values())
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for row in export.rows(ENROLLMENTS):
        user, group = row.text("userSourcedId"), row.text("classSourcedId")
        if user not in people:
            row.refuse("userSourcedId", "No user in users.csv has this id; correct it or add the user.")
        elif group not in titles:
            row.refuse("classSourcedId", "No class in classes.csv has this id; correct it or add the class.")
        elif row.text("role").lower() == "student":
            groups[user] |= {group, titles[group]} if titles[group] and shared[titles[group]] == 1 else {group}
    return groups


def _links(export: _Export, people: dict[str, Row], roles: _Roles, country: str) -> Iterator[Relationship]:
    seen: set[tuple[str, str]] = set()
    for row in export.rows(RELATIONSHIPS):
        student, contact = row.text("userSourcedId"), row.text("relationshipUserSourcedId")
        relation = row.text("relationshipRole").lower()
        if student not in roles.studies:
            row.refuse("userSourcedId", "No student in users.csv and roles.csv has this id; correct it or add them.")
        elif contact not in people:
            row.refuse("relationshipUserSourcedId", "No user in users.csv has this id; correct it or add the user.")
        elif contact in roles.studies:
            row.refuse("relationshipUserSourcedId", "The id names a student, who cannot be a contact; correct it.")
        elif (student, contact) in seen:
            row.refuse("relationshipUserSourcedId", "An earlier row links the same two; leave the right one.")
        else:
            seen.add((student, contact))
            if relation not in _RELATIONS:
                row.refuse("relationshipRole", f"The role must be one of {', '.join(sorted(_RELATIONS))}.")
                relation = ""
            yield nothing_known(student, contact, relation, united_states=country == "US")
            continue
        row.findings.mention_link(student, contact)


def _contact(contact: str, row: Row, roles: _Roles) -> Contact:
    return Contact(
        id=contact,
        given_name=row.text("givenName"),
        family_name=row.text("familyName"),
        staff=contact in roles.staff,
    )


def _points(contacts: list[str], people: dict[str, Row], at_work: set[str], country: str) -> Iterator[ContactPoint]:
    for contact in contacts:
        yield from user_points(contact, people[contact], None, country=country, at_work=contact in at_work)
