"""Reads students, contacts and their associations as an Ed-Fi API gives them (data standard 5, and 3 and 4: parents).

The upload is one JSON object of the lists, or a zip with one JSON file for each. Ed-Fi knows neither parental
responsibility nor care of a child, flags, households or enrolment here. `contactRestrictions` is free text that no
machine may interpret: whatever it says, the pair is barred as a draft, and a person reads the text in its own system.

Relations: Mother and Father (natural, birth and biological, too) are natural parents, since the standard names step and
foster parents apart; every other relation proves nothing. A foster carer who lives with the child has care of it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from gateway.directory.addresses import country_of
from gateway.directory.archive import unpack
from gateway.directory.csv_rows import boolean, rank
from gateway.directory.edfi_people import code_of, contact_of, points_of
from gateway.directory.importing import Findings, Import, ImportRefusedError, UnreadableValueError
from gateway.directory.json_rows import Record, birth_date, identifier, own_id, parse, records
from gateway.directory.kinship import (
    CARERS,
    NATURAL_PARENTS,
    Pair,
    draft_block,
    held_if_unproven,
    held_if_unread,
    id_for_pair,
    professional_of,
    relation_of,
)
from gateway.directory.model import Directory, Relationship, Restriction, School, Student
from gateway.directory.point_list import point_ids

STUDENTS = "students"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Edition:
    """What one generation of the standard calls the lists and their ids."""

    contacts: str
    associations: str
    reference: str
    contact_id: str


_EDITIONS = (
    _Edition(
        contacts="contacts",
        associations="studentContactAssociations",
        reference="contactReference",
        contact_id="contactUniqueId",
    ),
    _Edition(
        contacts="parents",
        associations="studentParentAssociations",
        reference="parentReference",
        contact_id="parentUniqueId",
    ),
)

LISTS = frozenset({STUDENTS, *(name for edition in _EDITIONS for name in (edition.contacts, edition.associations))})
"""Every list the gateway reads; in a zip each is a file of that name and `.json`."""


def read_edfi(content: bytes, *, today: dt.date, school: School | None) -> Import:
    """Read one school, complete; without a `school` the lists must hold the one of the resource `schools`.

    Values and records that are wrong are refused one by one; ImportRefusedError means that nothing could be read.
    """
    findings = Findings()
    lists = _lists(content, findings)
    edition = _edition(lists)
    school = school or _school(lists, findings)
    united_states = school.jurisdiction.startswith("US")
    students = _read_students(lists, findings, today)
    people = _read_people(lists, edition, findings)
    links = _Links(edition, students.keys(), people, united_states=united_states)
    for record in records(lists[edition.associations], file=edition.associations, findings=findings):
        links.read(record)
    contacts = sorted({contact for _, contact in links.relationships})
    _note_gaps(links, findings, edition.associations, left_out=len(people) - len(contacts))
    country = country_of(school.jurisdiction)
    points = [
        point for contact in contacts for point in points_of(contact, people[contact], country=country, today=today)
    ]
    directory = Directory(
        school=school,
        students=tuple(student for _, student in sorted(students.items())),
        contacts=tuple(contact_of(contact, people[contact]) for contact in contacts),
        contact_points=tuple(points),
        relationships=tuple(link for _, link in sorted(links.relationships.items())),
        restrictions=tuple(sorted(links.drafts, key=lambda draft: draft.id)),
    )
    return findings.conclude(directory, points_of=point_ids)


def _lists(content: bytes, findings: Findings) -> dict[str, Any]:
    if content.startswith(b"PK"):
        unpacked = unpack(content, wanted={f"{name}.json" for name in (*LISTS, "schools")})
        lists = {name.removesuffix(".json"): parse(text, file=name) for name, text in unpacked.contents.items()}
        strangers = unpacked.ignored
    else:
        document = parse(content)
        if not isinstance(document, dict):
            raise ImportRefusedError("The file must be one JSON object of lists named students, contacts and so on.")
        lists = {name: document[name] for name in (*LISTS, "schools") if name in document}
        strangers = tuple(name for name in document if name not in lists)
    if strangers:
        findings.note("", f"{len(strangers)} lists or files are not read here and were left out.")
    return lists


def _edition(lists: dict[str, Any]) -> _Edition:
    found = [edition for edition in _EDITIONS if edition.contacts in lists or edition.associations in lists]
    if len(found) > 1:
        raise ImportRefusedError("The lists of two editions of the standard are mixed: send contacts or parents.")
    edition = found[0] if found else _EDITIONS[0]
    for name in (STUDENTS, edition.contacts, edition.associations):
        if name not in lists:
            raise ImportRefusedError(f"The list {name} is missing; export it, too, since an import is complete.", name)
    return edition


def _school(lists: dict[str, Any], findings: Findings) -> School:
    """Read the school from the resource `schools`; it is in the US until somebody says otherwise."""
    found = list(records(lists.get("schools", []), file="schools", findings=findings))
    school_id = found[0].read("schoolId", identifier) if len(found) == 1 else None
    if school_id is None:
        raise ImportRefusedError("It is not said whose students these are; add the list schools with this one school.")
    findings.note(
        "schools", "The school's time zone is not part of Ed-Fi; set it, and the jurisdiction, in its record."
    )
    return School(
        id=school_id,
        name=found[0].text("nameOfInstitution"),
        jurisdiction="US",
        timezone="America/New_York",
    )


def _read_students(lists: dict[str, Any], findings: Findings, today: dt.date) -> dict[str, Student]:
    students: dict[str, Student] = {}
    taken: set[str] = set()
    for record in records(lists[STUDENTS], file=STUDENTS, findings=findings):
        key = own_id(record, "studentUniqueId", taken)
        if key is not None:
            taken.add(key)
            students[key] = Student(
                id=key,
                given_name=record.text("preferredFirstName") or record.text("firstName"),
                family_name=record.text("preferredLastSurname") or record.text("lastSurname"),
                birth_date=birth_date(record, "birthDate", today=today),
            )
    return students


def _read_people(lists: dict[str, Any], edition: _Edition, findings: Findings) -> dict[str, Record]:
    people: dict[str, Record] = {}
    for record in records(lists[edition.contacts], file=edition.contacts, findings=findings):
        key = own_id(record, edition.contact_id, people)
        if key is not None:
            people[key] = record
    return people


class _Links:
    """The relationships and blocks that the associations make."""

    def __init__(self, edition: _Edition, students: Any, people: dict[str, Record], *, united_states: bool) -> None:
        self._edition = edition
        self._students = students
        self._people = people
        self._united_states = united_states
        self.relationships: dict[Pair, Relationship] = {}
        self.drafts: list[Restriction] = []

    def read(self, record: Record) -> None:
        """Take one association; one that names an unknown student or contact, or a pair again, is refused."""
        reference = record.inside(self._edition.reference)
        contact = reference.read(self._edition.contact_id, identifier)
        pupil = record.inside("studentReference")
        student = pupil.read("studentUniqueId", identifier)
        if student is None or contact is None:
            for part, key, found in (
                (pupil, "studentUniqueId", student),
                (reference, self._edition.contact_id, contact),
            ):
                if found is None and key not in part.unreadable:
                    part.refuse(key, "The id is missing; an association names a student and a contact.")
            return
        pair = (student, contact)
        if student in self._students and contact in self._people:
            self._block(record, pair)
        if student not in self._students:
            pupil.refuse("studentUniqueId", "No student in the list has this id; correct it or add the student.")
        elif contact not in self._people:
            reference.refuse(self._edition.contact_id, "No contact in the list has this id; correct it or add them.")
        elif pair in self.relationships:
            record.refuse("", "An earlier association links the same student and contact; leave the right one.")
        else:
            self.relationships[pair] = self._relationship(record, pair)
            return
        record.findings.mention_link(student, contact)

    def _block(self, record: Record, pair: Pair) -> None:
        """Bar the pair whatever the restriction says, a second association of the pair included."""
        if not record.says("contactRestrictions"):
            return
        draft = draft_block(pair, id_for_pair("edfi", pair))
        if draft not in self.drafts:
            self.drafts.append(draft)
        record.note(
            "There is a contact restriction, which no machine interprets: the contact is barred as a draft, and "
            "general news is held, until two people have read it and decided.",
            column="contactRestrictions",
        )

    def _relationship(self, record: Record, pair: Pair) -> Relationship:
        relation = record.read("relationDescriptor", _relation) or ""
        lives_with = bool(record.read("livesWith", boolean))
        stated = Relationship(
            student=pair[0],
            contact=pair[1],
            relation=relation,
            professional=professional_of(relation),
            natural_parent=relation in NATURAL_PARENTS,
            legal_guardian=bool(record.read("legalGuardian", boolean)),
            lives_with=lives_with,
            care_of_child=lives_with and relation in CARERS,
            emergency_contact=bool(record.read("emergencyContactStatus", boolean)),
            priority=record.read("contactPriority", rank),
        )
        if set(record.unreadable) - {"contactPriority"}:
            return held_if_unread(stated, united_states=self._united_states)
        return held_if_unproven(stated, united_states=self._united_states)


def _note_gaps(links: _Links, findings: Findings, file: str, *, left_out: int) -> None:
    """Say what the lists as a whole leave open."""
    relations = {link.relation for link in links.relationships.values()}
    if relations & {"step_parent", *CARERS}:
        findings.note(
            file,
            "Ed-Fi does not say who has care of a child; state it for step-parents and carers, or they are no parents.",
        )
    if any(link.correspondence_reason == "unexplained" for link in links.relationships.values()):
        findings.note(
            file, "Whoever may be a parent, but is not shown to be one, is held until their standing is given."
        )
    if left_out:
        findings.note(file, f"{left_out} contacts are linked to no student and were left out; link them or ignore it.")


def _relation(text: str) -> str:
    relation = relation_of(code_of(text))
    if relation == "self":
        raise UnreadableValueError("A contact is another person than the student; correct the relation.")
    return relation
