"""Reads students, contacts and their associations as an Ed-Fi API gives them (data standard 5, and 3 and 4: parents).

The upload is one JSON object of the lists, or a zip with one JSON file for each. Ed-Fi knows neither parental
responsibility nor care of a child, flags, households or enrolment here. `contactRestrictions` is free text that no
machine may interpret: whatever it says, the pair is barred as a draft, and a person reads the text in its own system.

Relations: Mother and Father (natural, birth and biological, too) are natural parents, since the standard names step and
foster parents apart; every other relation proves nothing. A foster carer who lives with the child has care of it.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from babel.core import get_global

from gateway.directory.addresses import country_of
from gateway.directory.archive import unpack
from gateway.directory.csv_rows import boolean, date, language, rank
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
from gateway.directory.model import Contact, ContactPoint, Directory, Relationship, Restriction, School, Student
from gateway.directory.point_list import PointList, point_ids

STUDENTS = "students"
_LANGUAGE_NAMES = get_global("language_aliases")
"""ISO 639-2 codes as BCP 47 has them: `spa` is `es`."""
_MAIL_KINDS = {"home_personal": "home", "home": "home", "personal": "home", "work": "work", "organization": "work"}
_NUMBER_KINDS = {"home": "home", "mobile": "mobile", "cell": "mobile", "work": "work"}
_ADDRESS_KINDS = {"mailing": ("postal", 1), "home": ("home", 2), "physical": ("home", 3), "work": ("work", 5)}
_OTHER_ADDRESS = ("other", 4)
_NO_CALLS = frozenset({"fax", "pager"})
_ZIP_CODE = re.compile(r"[0-9]{5}(-?[0-9]{4})?")


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
    points = [point for contact in contacts for point in _points(contact, people[contact], country, today)]
    directory = Directory(
        school=school,
        students=tuple(student for _, student in sorted(students.items())),
        contacts=tuple(_contact(contact, people[contact]) for contact in contacts),
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


def _contact(contact: str, record: Record) -> Contact:
    return Contact(
        id=contact,
        title=record.text("personalTitlePrefix"),
        given_name=record.text("preferredFirstName") or record.text("firstName"),
        family_name=record.text("preferredLastSurname") or record.text("lastSurname"),
        language=_preferred_language(record),
    )


def _preferred_language(record: Record) -> str | None:
    """Choose the language of correspondence, else the first one listed."""
    found: list[tuple[bool, str]] = []
    for spoken in record.each("languages"):
        tag = spoken.read("languageDescriptor", _language)
        uses = [use.read("languageUseDescriptor", _code) or "" for use in spoken.each("uses")]
        if tag:
            found.append((not any("correspondence" in use.lower() for use in uses), tag))
    return min(found, key=lambda item: item[0])[1] if found else None


def _points(contact: str, record: Record, country: str, today: dt.date) -> tuple[ContactPoint, ...]:
    points = PointList(contact, country=country)
    for number in record.each("telephones"):
        kind = _kind(number, "telephoneNumberTypeDescriptor")
        if kind in _NO_CALLS:
            number.note("A fax or pager can be neither called nor texted here; it was left out.")
            continue
        texted = number.read("textMessageCapabilityIndicator", boolean)
        if texted is None:
            texted = _NUMBER_KINDS.get(kind) == "mobile" and "textMessageCapabilityIndicator" not in number.unreadable
        order = number.read("orderOfPriority", rank) or 1
        points.phone(
            number,
            "telephoneNumber",
            kind=_NUMBER_KINDS.get(kind, "other"),
            texted=texted,
            order=order,
            confidential=_is_confidential(number),
        )
    for mail in record.each("electronicMails"):
        kind = _MAIL_KINDS.get(_kind(mail, "electronicMailTypeDescriptor"), "other")
        first = mail.read("primaryEmailAddressIndicator", boolean)
        points.email(
            mail, "electronicMailAddress", kind=kind, order=1 if first else 2, confidential=_is_confidential(mail)
        )
    for address in record.each("addresses"):
        if _is_lived_at(address, today):
            _add_letter(points, address)
    return points.points()


def _add_letter(points: PointList, address: Record) -> None:
    kind, order = _ADDRESS_KINDS.get(_kind(address, "addressTypeDescriptor"), _OTHER_ADDRESS)
    street = " ".join(filter(None, (address.text("streetNumberName"), address.text("apartmentRoomSuiteNumber"))))
    state = address.read("stateAbbreviationDescriptor", _code) or ""
    postcode = address.text("postalCode")
    town = ", ".join(filter(None, (address.text("city"), state)))
    american = bool(_ZIP_CODE.fullmatch(postcode)) and bool(state)
    points.letter(
        address,
        "streetNumberName",
        (street, town) if street else (),
        postcode=postcode,
        country="US" if american else "",
        kind=kind,
        order=order,
        confidential=_is_confidential(address),
    )


def _is_lived_at(address: Record, today: dt.date) -> bool:
    """Tell whether an address is in use: always without periods, else while one of them can be seen to last."""
    periods = [(period, period.read("beginDate", date)) for period in address.each("periods")]
    return not periods or any(
        (begin or today) <= today <= (period.read("endDate", date) or today) and not period.unreadable
        for period, begin in periods
    )


def _is_confidential(record: Record) -> bool:
    """Tell whether an address must not be published; an answer that cannot be read never opens it."""
    if not record.says("doNotPublishIndicator"):
        return False
    return record.read("doNotPublishIndicator", boolean) is not False


def _code(text: str) -> str:
    """Read the code of a descriptor, a URI such as `uri://ed-fi.org/RelationDescriptor#Mother`."""
    namespace, mark, code = text.partition("#")
    if not (mark and code.strip() and namespace.startswith("uri://")):
        raise UnreadableValueError("The descriptor must be a URI that ends in # and a code, such as uri://…#Mother.")
    return code.strip()


def _relation(text: str) -> str:
    relation = relation_of(_code(text))
    if relation == "self":
        raise UnreadableValueError("A contact is another person than the student; correct the relation.")
    return relation


def _language(text: str) -> str:
    code = language(_code(text))
    return str(_LANGUAGE_NAMES.get(code.lower(), code))


def _kind(record: Record, key: str) -> str:
    return relation_of(record.read(key, _code) or "")
