"""Reads the answer of a Wonde-like API to `students?include=contacts`: each student with their contacts inside.

Null says nothing, false says no. `Mother` and `Father` are natural parents: the management systems behind it file step
and foster parents under names of their own. It proves nothing else, so that whoever may be a parent is held. A foster
carer who lives with the pupil has care of them. The keys `court_order`, `correspondence`, `third_party_correspondence`
and `pupil_report` are known by hearsay: they count when they are there, in the relationship or beside it.
"""

import datetime as dt
from typing import Any

from gateway.directory.addresses import country_of
from gateway.directory.csv_rows import boolean, rank
from gateway.directory.importing import Findings, Import, ImportRefusedError, UnreadableValueError
from gateway.directory.json_rows import Record, birth_date, own_id, parse, records
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
from gateway.directory.model import (
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Flag,
    Relationship,
    Responsibility,
    Restriction,
    School,
    Student,
)
from gateway.directory.point_list import PointList, point_ids

FILE = "students"
_RESPONSIBILITY = {None: Responsibility.UNKNOWN, True: Responsibility.YES, False: Responsibility.NO}
_FLAG = {None: Flag.UNSET, True: Flag.YES, False: Flag.NO}
_BRITISH = frozenset({"uk", "united kingdom", "great britain", "england", "wales", "scotland", "northern ireland"})
_PERSONAL = ("title", "forename", "surname", "legal_forename", "legal_surname", "contact_details")
_DECIDING = frozenset(
    {
        "relationship",
        "parental_responsibility",
        "lives_with_pupil",
        "bill_payer",
        "correspondence",
        "third_party_correspondence",
        "pupil_report",
    }
)
"""Keys on which a decision may hang; the priority is only an order of ringing."""
_ADDRESSES = (("postal", 1), ("home", 2), ("work", 3))


def read_wonde(content: bytes, *, today: dt.date, school: School | None) -> Import:
    """Read all students of one school with their contacts; the answer does not say which school that is.

    Values and records that are wrong are refused one by one; ImportRefusedError means that nothing could be read.
    """
    items = _items(parse(content))
    if school is None:
        raise ImportRefusedError("It is not said whose students these are; put the school's record on file first.")
    findings = Findings()
    reader = _Reader(school, findings, today)
    students = list(records(items, file=FILE, findings=findings))
    if students and not any(record.says("contacts") for record in students):
        raise ImportRefusedError("No student has contacts; export the students with include=contacts.", FILE)
    taken: set[str] = set()
    for record in students:
        key = own_id(record, "id", taken)
        if key is not None:
            taken.add(key)
            reader.read_student(key, record)
        else:
            _mention_contacts(record)
    if reader.leavers:
        findings.note(FILE, f"{reader.leavers} students have left the school and were left out.")
    return findings.conclude(reader.directory(), points_of=point_ids)


def _items(document: Any) -> Any:
    """Find the list of students; a page of several would end everybody on the others."""
    if not isinstance(document, dict):
        return document
    meta = document.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, dict) else None
    if isinstance(pagination, dict) and (pagination.get("more") or pagination.get("next")):
        raise ImportRefusedError("The file is one page of several; join the pages, since an import is complete.", FILE)
    return document.get("data")


def _mention_contacts(student: Record) -> None:
    """Keep on record whom a refused student names, under the id that was refused."""
    for contact in student.inside("contacts").each("data"):
        student.findings.mention_link(str(student.data.get("id") or ""), contact.text("id"))


class _Reader:
    """Gathers students, and their contacts as each student shows them."""

    def __init__(self, school: School, findings: Findings, today: dt.date) -> None:
        self._school = school
        self._findings = findings
        self._today = today
        self._country = country_of(school.jurisdiction)
        self._united_states = school.jurisdiction.startswith("US")
        self._students: dict[str, Student] = {}
        self._contacts: dict[str, tuple[Contact, tuple[ContactPoint, ...]]] = {}
        self._shown: dict[str, list[Any]] = {}
        self._relationships: dict[Pair, Relationship] = {}
        self._drafts: dict[Pair, Restriction] = {}
        self.leavers = 0

    def directory(self) -> Directory:
        """Return all that was read, in the order of the ids."""
        contacts = [found for _, found in sorted(self._contacts.items())]
        return Directory(
            school=self._school,
            students=tuple(student for _, student in sorted(self._students.items())),
            contacts=tuple(contact for contact, _ in contacts),
            contact_points=tuple(point for _, points in contacts for point in points),
            relationships=tuple(link for _, link in sorted(self._relationships.items())),
            restrictions=tuple(sorted(self._drafts.values(), key=lambda draft: draft.id)),
        )

    def read_student(self, student: str, record: Record) -> None:
        """Take one student over, and everybody listed as a contact."""
        if record.read("is_leaver", boolean):
            self.leavers += 1
            return
        self._students[student] = Student(
            id=student,
            given_name=record.text("forename") or record.text("legal_forename"),
            family_name=record.text("surname") or record.text("legal_surname"),
            birth_date=birth_date(record.inside("date_of_birth"), "date", today=self._today),
            groups=tuple(sorted(_groups(record))),
        )
        if not record.says("contacts"):
            record.note("The student has no contacts here; include them in the export, or nobody can be told.")
        seen: set[str] = set()
        for contact in record.inside("contacts").each("data"):
            key = own_id(contact, "id", seen)
            if key is None:
                continue
            seen.add(key)
            self._read_contact(key, contact)
            self._read_link((student, key), contact)

    def _read_contact(self, contact: str, record: Record) -> None:
        """Take a contact over as the first student shows them; where a later one differs, no letter is sent."""
        shown = [record.data.get(key) for key in _PERSONAL]
        if contact not in self._contacts:
            self._shown[contact] = shown
            self._contacts[contact] = (_contact(contact, record), _points(contact, record, self._country))
        elif shown != self._shown[contact]:
            record.refuse("contact_details", "An earlier student shows this contact differently; make both agree.")
            person, points = self._contacts[contact]
            self._contacts[contact] = (person, tuple(p for p in points if p.channel is not ChannelName.LETTER))

    def _read_link(self, pair: Pair, record: Record) -> None:
        link = _Link(record)
        order = link.holder("court_order")
        if order.says("court_order") and order.read("court_order", boolean) is not False:
            self._drafts[pair] = draft_block(pair, id_for_pair("wonde", pair))
            record.note(
                "A court order is reported: the contact is barred as a draft, and general news is held, until two "
                "people have read the order and decided.",
                column="court_order",
            )
        stated = link.relationship(pair)
        held = held_if_unread if link.is_unread() else held_if_unproven
        self._relationships[pair] = held(stated, united_states=self._united_states)


class _Link:
    """What a contact is to the student around it: mostly in the object `relationship`, in part beside it."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._is_object = isinstance(record.data.get("relationship"), dict)
        self._inner = record.inside("relationship") if self._is_object else record

    def holder(self, key: str) -> Record:
        """Return the record that says something under a key."""
        return self._inner if self._inner.says(key) else self._record

    def is_unread(self) -> bool:
        """Tell whether a value could not be read on which a decision may hang."""
        unreadable = {*self._record.unreadable, *self._inner.unreadable}
        return bool(unreadable & _DECIDING)

    def relationship(self, pair: Pair) -> Relationship:
        """Read the link as it is stated."""
        relation = self._inner.read("relationship", _relation) or ""
        lives_with = bool(self._read("lives_with_pupil"))
        posts = (self._read("correspondence"), self._read("third_party_correspondence"))
        return Relationship(
            student=pair[0],
            contact=pair[1],
            relation=relation,
            professional=professional_of(relation),
            natural_parent=relation in NATURAL_PARENTS,
            parental_responsibility=_RESPONSIBILITY[self._read("parental_responsibility")],
            lives_with=lives_with,
            care_of_child=lives_with and relation in CARERS,
            bill_payer=bool(self._read("bill_payer")),
            priority=self.holder("priority").read("priority", rank),
            correspondence=Flag.NO if False in posts else _FLAG[posts[0]],
            reports=_FLAG[self._read("pupil_report")],
        )

    def _read(self, key: str) -> bool | None:
        return self.holder(key).read(key, boolean)


def _contact(contact: str, record: Record) -> Contact:
    return Contact(
        id=contact,
        title=record.text("title"),
        given_name=record.text("forename") or record.text("legal_forename"),
        family_name=record.text("surname") or record.text("legal_surname"),
    )


def _groups(record: Record) -> set[str]:
    """Name the student's year (`year-7`), form and classes, as far as the export includes them."""
    year = record.inside("year").inside("data").text("code").lower()
    groups = {f"year-{year.lstrip('0') or '0'}"} if year else set()
    groups.add(record.inside("form_group").inside("data").text("name"))
    groups |= {taught.text("name") for taught in record.inside("classes").each("data")}
    return groups - {""}


def _points(contact: str, record: Record, country: str) -> tuple[ContactPoint, ...]:
    """Read the points by kind, the main ones last: they repeat one of the others, whose kind says more."""
    points = PointList(contact, country=country)
    details = record.inside("contact_details").inside("data")
    numbers, mails, addresses = details.inside("phones"), details.inside("emails"), details.inside("addresses")
    for key, texted, order in (("mobile", True, 2), ("home", False, 3), ("work", False, 4)):
        points.phone(numbers, key, kind=key, texted=texted, order=order)
    for key in ("primary", "phone"):
        points.phone(numbers, key, kind="primary", texted=None)
    for key, order in (("home", 2), ("work", 3)):
        points.email(mails, key, kind=key, order=order)
    for key in ("primary", "email"):
        points.email(mails, key, kind="primary")
    for kind, order in _ADDRESSES:
        if addresses.says(kind):
            _add_letter(points, addresses.inside(kind), kind, order)
    return points.points()


def _add_letter(points: PointList, address: Record, kind: str, order: int) -> None:
    house = " ".join(filter(None, (address.text("house_number"), address.text("street"))))
    names = [address.text(key) for key in ("apartment", "house_name")]
    places = [address.text(key) for key in ("district", "town", "county")]
    lines = tuple(filter(None, (*names, house, *places)))
    postcode, country = address.text("postcode"), address.text("country")
    if lines or postcode:
        points.letter(
            address,
            "street",
            lines if any((house, *names)) else (),
            postcode=postcode,
            country="GB" if country.lower() in _BRITISH else country,
            kind=kind,
            order=order,
        )


def _relation(text: str) -> str:
    relation = relation_of(text)
    if relation == "self":
        raise UnreadableValueError("A contact is another person than the student; correct the relationship.")
    return relation
