"""Reads a OneRoster export, with our extension `guardian_links.csv`, as a directory.

Extension columns read besides: `metadata.jurisdiction`, `metadata.timezone` and `metadata.language` in orgs.csv,
`metadata.title` and `metadata.timezone` in users.csv, `metadata.careStatus` in demographics.csv.
"""

import datetime as dt
from collections.abc import Collection, Iterator

from gateway.directory.addresses import country_of
from gateway.directory.archive import unpack
from gateway.directory.csv_rows import language, time_zone
from gateway.directory.guardian_links import GuardianLinks, mention_row, read_guardian_links
from gateway.directory.importing import Findings, Import, ImportRefusedError, UnreadableValueError
from gateway.directory.kinship import nothing_known
from gateway.directory.model import Contact, Directory, Relationship, School, Student
from gateway.directory.oneroster_students import read_students
from gateway.directory.oneroster_tables import GUARDIAN_LINKS, ORGS, ROLES, TABLES, USERS, Export
from gateway.directory.oneroster_users import Users, read_users
from gateway.directory.user_points import point_ids, user_points

_ADULT = 18
_COUNTRY_LETTERS = 2


def read_oneroster(archive: bytes, *, today: dt.date) -> Import:
    """Read a zip of OneRoster 1.1 or 1.2 CSV files: one school, complete (bulk).

    Values and rows that are wrong are refused one by one; ImportRefusedError means that nothing could be read.
    """
    findings = Findings()
    export = Export(unpack(archive, wanted=TABLES.keys()), findings)
    school = _school(export)
    country = country_of(school.jurisdiction)
    users = read_users(export)
    students = tuple(read_students(export, users, today=today))
    links = read_guardian_links(export.links(), students=users.students, people=users.rows, country=country)
    relationships = sorted(
        [*links.all_relationships(), *_bare_relationships(users, links, country, extended=GUARDIAN_LINKS in export)],
        key=lambda link: (link.student, link.contact, str(link.valid_from)),
    )
    contacts = sorted({link.contact for link in relationships})
    letters = links.letters()
    at_work = {link.contact for link in relationships if link.professional}
    at_work |= {contact for contact in contacts if users.is_staff(contact, today)}
    _note_gaps(export, users, contacts, findings)
    _note_adults(users, students, contacts, today)
    _mention_lost(export, users, findings)
    return findings.conclude(
        Directory(
            school=school,
            students=students,
            contacts=tuple(_contact(contact, users, links, today) for contact in contacts),
            contact_points=tuple(
                point
                for contact in contacts
                for point in user_points(
                    contact, users.rows[contact], letters.get(contact), country=country, at_work=contact in at_work
                )
            ),
            households=links.households(),
            relationships=tuple(relationships),
            restrictions=links.restrictions(),
        ),
        points_of=point_ids,
    )


def _school(export: Export) -> School:
    schools = [(key, row) for key, row in export.rows(ORGS) if row.text("type") == "school"]
    if len(schools) != 1:
        raise ImportRefusedError(
            f"There are {len(schools)} organisations of type school; export exactly one school at a time.", ORGS
        )
    key, row = schools[0]
    defaults = School(id=key, name=row.text("name"))
    return School(
        id=key,
        name=row.text("name"),
        jurisdiction=row.read("metadata.jurisdiction", _jurisdiction) or defaults.jurisdiction,
        timezone=row.read("metadata.timezone", time_zone) or defaults.timezone,
        language=row.read("metadata.language", language) or defaults.language,
    )


def _jurisdiction(text: str) -> str:
    country, _, part = text.partition("-")
    letters = country.isascii() and country.isalpha() and country.isupper() and len(country) == _COUNTRY_LETTERS
    if not letters or not (part.isalnum() or text == country):
        raise UnreadableValueError("The jurisdiction must be a code such as GB-ENG or US-CA.")
    return text


def _bare_relationships(users: Users, links: GuardianLinks, country: str, *, extended: bool) -> Iterator[Relationship]:
    """Link students with those agents of whom guardian_links.csv says nothing."""
    for student, row in users.students.items():
        for agent in row.items("agentSourcedIds"):
            if agent not in users.rows:
                row.refuse("agentSourcedIds", "An id names nobody in users.csv; correct it or add the person.")
                row.findings.mention_link(student, agent)
            elif agent in users.students:
                row.refuse("agentSourcedIds", "An id names a student, who cannot be a contact; correct it.")
            elif (student, agent) not in links.relationships:
                yield nothing_known(student, agent, users.relation(agent), united_states=country == "US")
                if extended:
                    row.note("An agent has no row in guardian_links.csv; personal mail to them is held until it has.")


def _contact(contact: str, users: Users, links: GuardianLinks, today: dt.date) -> Contact:
    row = users.rows[contact]
    return Contact(
        id=contact,
        title=row.text("metadata.title"),
        given_name=row.text("preferredGivenName") or row.text("givenName"),
        family_name=row.text("preferredFamilyName") or row.text("familyName"),
        language=links.languages.values.get(contact),
        interpreter=links.interpreters.values.get(contact, False),
        formats=links.formats.values.get(contact, ()),
        timezone=row.read("metadata.timezone", time_zone),
        staff=users.is_staff(contact, today),
    )


def _note_gaps(export: Export, users: Users, contacts: Collection[str], findings: Findings) -> None:
    """Say what is missing from the export as a whole."""
    if GUARDIAN_LINKS not in export:
        findings.note(
            GUARDIAN_LINKS,
            "The archive has no such file, so nobody is known to be a parent: general news is sent, and personal mail "
            "is held until the file is loaded.",
        )
    known = {*contacts, *users.students}
    unlinked = [user for user in users.rows if user not in known and users.relation(user)]
    if unlinked:
        findings.note(
            USERS, f"{len(unlinked)} people are linked to no student and were left out; link them or ignore it."
        )
    backwards = [user for user, row in users.rows.items() if user not in users.students and row.text("agentSourcedIds")]
    if backwards:
        findings.note(
            USERS,
            f"{len(backwards)} people who are no students name agents, to no effect; name them in the student's row.",
            field="agentSourcedIds",
        )


def _mention_lost(export: Export, users: Users, findings: Findings) -> None:
    """Keep on record whom the refused rows speak of, as far as their ids can be read."""
    students = {row.text("sourcedId"): row for row in export.lost[USERS]}
    for user in students:
        if user:
            findings.mention("students", user)
            findings.mention("contacts", user)
    without_role = {row.text("userSourcedId") for row in export.lost[ROLES]}
    students |= {user: row for user, row in users.rows.items() if user in without_role}
    for student, row in students.items():
        for agent in row.items("agentSourcedIds"):
            findings.mention_link(student, agent)
    for row in export.lost[GUARDIAN_LINKS]:
        mention_row(row)


def _note_adults(users: Users, students: tuple[Student, ...], contacts: Collection[str], today: dt.date) -> None:
    """Remind of students who are adults, and so their own recipients (R15), but cannot be reached as contacts."""
    for student in students:
        if student.birth_date and _age(student.birth_date, today) >= _ADULT and student.id not in contacts:
            users.rows[student.id].note(
                "The student is 18 or older and has no row of their own; add one with the relation self."
            )


def _age(born: dt.date, today: dt.date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
