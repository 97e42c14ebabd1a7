"""Ed-Fi lists become directories: descriptors are read strictly, restrictions are never interpreted."""

import copy
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.directory.edfi import read_edfi
from gateway.directory.importing import Import, ImportRefusedError
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, ChannelName, Directory, PointLabel, PostalAddress, School
from gateway.directory.validation import find_problems
from gateway.rules.answer import Request
from gateway.rules.audience import decide
from tests.unit.directory.exports import zipped
from tests.unit.directory.recorded import changed, ended, next_import

TODAY = dt.date(2026, 11, 23)
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SCHOOL = School(id="mesa", name="Mesa Elementary", jurisdiction="US-TX", timezone="America/Chicago")
ENGLISH = School(id="hollins", name="Hollins Lane School")
Document = dict[str, list[dict[str, Any]]]


def code(kind: str, value: str) -> str:
    """Write a descriptor."""
    return f"uri://ed-fi.org/{kind}Descriptor#{value}"


def association(contact: str, relation: str | None, **values: object) -> dict[str, Any]:
    """Link student 1 with a contact."""
    described = {"relationDescriptor": code("Relation", relation)} if relation is not None else {}
    return {
        "studentReference": {"studentUniqueId": "1"},
        "contactReference": {"contactUniqueId": contact},
        **described,
        **values,
    }


SOUND: Document = {
    "students": [{"studentUniqueId": "1", "firstName": "Ana", "lastSurname": "Duarte", "birthDate": "2016-05-06"}],
    "contacts": [
        {
            "contactUniqueId": "m",
            "firstName": "Inês",
            "lastSurname": "Matias",
            "personalTitlePrefix": "Ms",
            "telephones": [
                {
                    "telephoneNumberTypeDescriptor": code("TelephoneNumberType", "Mobile"),
                    "telephoneNumber": "(212) 555-0101",
                    "orderOfPriority": 1,
                },
                {
                    "telephoneNumberTypeDescriptor": code("TelephoneNumberType", "Home"),
                    "telephoneNumber": "212-555-0102",
                    "textMessageCapabilityIndicator": False,
                    "doNotPublishIndicator": True,
                    "orderOfPriority": 2,
                },
            ],
            "electronicMails": [
                {
                    "electronicMailTypeDescriptor": code("ElectronicMailType", "Work"),
                    "electronicMailAddress": "ines@example.org",
                    "primaryEmailAddressIndicator": True,
                }
            ],
            "addresses": [
                {
                    "addressTypeDescriptor": code("AddressType", "Mailing"),
                    "streetNumberName": "1 Mill Rd",
                    "city": "Mesa",
                    "stateAbbreviationDescriptor": code("StateAbbreviation", "TX"),
                    "postalCode": "00000",
                }
            ],
            "languages": [{"languageDescriptor": code("Language", "spa")}],
        },
        {"contactUniqueId": "f", "firstName": "Rui", "lastSurname": "Duarte"},
    ],
    "studentContactAssociations": [
        association("m", "Mother", livesWith=True, legalGuardian=True, contactPriority=1),
        association("f", "Father", emergencyContactStatus=True, contactPriority=2),
    ],
}
Change = Callable[[Document], object]


def read(change: Change | None = None, *, school: School | None = SCHOOL) -> Import:
    """Import the sound lists with a change."""
    document = copy.deepcopy(SOUND)
    if change:
        change(document)
    return read_edfi(json.dumps(document).encode(), today=TODAY, school=school)


def father(answer: Import) -> Any:
    """Return the father's relationship."""
    return next(row for row in answer.directory.relationships if row.contact == "f")


def outcome(answer: Import, contact: str, category: Category) -> str:
    """Tell what the rules decide for a contact: the outcome and the rule."""
    request = Request(category=category, students=("1",), at=NOON)
    decisions = decide(DirectoryIndex(answer.directory), request).decisions
    return next(f"{found.outcome} {found.rule}" for found in decisions if found.contact == contact)


def test_sound_lists_are_taken_over_without_a_word() -> None:
    """Names, standing, numbers by what they can do, the letter address and the language."""
    answer = read()
    assert (answer.refused, answer.notes, answer.mentioned) == ((), (), frozenset())
    school = answer.directory
    assert find_problems(school, TODAY) == []
    assert (school.school, school.students[0].birth_date) == (SCHOOL, dt.date(2016, 5, 6))
    rui, ines = school.contacts
    assert (ines.title, ines.given_name, ines.language, rui.language) == ("Ms", "Inês", "es", None)
    mother = next(row for row in school.relationships if row.contact == "m")
    assert (mother.natural_parent, mother.legal_guardian, mother.lives_with, mother.priority) == (True, True, True, 1)
    assert father(answer).natural_parent
    assert father(answer).emergency_contact
    points = {point.id: point for point in school.contact_points}
    assert {point_id: point.address for point_id, point in points.items() if point_id != "m-letter-postal"} == {
        "m-email-work": "ines@example.org",
        "m-sms-mobile": "+12125550101",
        "m-voice-mobile": "+12125550101",
        "m-voice-home": "+12125550102",
    }
    assert points["m-email-work"].label is PointLabel.WORK
    assert points["m-voice-home"].confidential
    letter = PostalAddress(lines=("1 Mill Rd", "Mesa, TX"), postcode="00000", country="US")
    assert points["m-letter-postal"].address == letter


def test_the_second_import_changes_nothing() -> None:
    """The same lists give the same directory, in a zip and in another order, too."""
    assert changed(next_import(read().directory, read(), today=TODAY)) == set()
    packed = zipped({f"{name}.json": json.dumps(rows) for name, rows in SOUND.items()})
    assert read_edfi(packed, today=TODAY, school=SCHOOL) == read()
    assert read(lambda lists: [rows.reverse() for rows in lists.values()]).directory == read().directory


def test_parents_of_the_older_standard() -> None:
    """Before version 5 contacts were called parents."""
    text = json.dumps(SOUND).replace("studentContact", "studentParent").replace("contactReference", "parentReference")
    text = text.replace("contactUniqueId", "parentUniqueId").replace('"contacts"', '"parents"')
    assert read_edfi(text.encode(), today=TODAY, school=SCHOOL) == read()


def test_the_school_may_stand_in_the_lists() -> None:
    """Without a school on record the resource `schools` names it; it is in the US until somebody says otherwise."""
    named = {"schools": [{"schoolId": 255901, "nameOfInstitution": "Mesa Elementary"}]}
    answer = read(lambda lists: lists.update(named), school=None)
    assert (answer.directory.school.id, answer.directory.school.jurisdiction) == ("255901", "US")
    with pytest.raises(ImportRefusedError, match="whose students"):
        read(school=None)


@pytest.mark.parametrize("text", ["May not pick up.", "x\ny", "none", " court order 7 ", 7, ["x"], False])
def test_any_restriction_bars_as_a_draft(text: object) -> None:
    """No machine reads it: personal mail is withheld, general news held, and the words stay where they were."""
    answer = read(lambda lists: lists["studentContactAssociations"][1].update(contactRestrictions=text))
    (draft,) = answer.directory.restrictions
    assert (draft.student, draft.contact, draft.effect, draft.status) == ("1", "f", "deny", "draft")
    assert draft.basis == "court_order"
    assert [(note.line, note.field) for note in answer.notes] == [(2, "contactRestrictions")]
    assert outcome(answer, "f", Category.REPORT) == "exclude R06a"
    assert outcome(answer, "f", Category.NEWSLETTER) == "hold R06a"


def test_the_words_of_a_restriction_stay_where_they_were() -> None:
    """Neither the report nor the directory repeats them."""
    answer = read(lambda lists: lists["studentContactAssociations"][1].update(contactRestrictions="secret"))
    assert "secret" not in str(answer)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_an_empty_restriction_is_none(text: object) -> None:
    """Null and blanks say nothing."""
    assert read(lambda lists: lists["studentContactAssociations"][1].update(contactRestrictions=text)) == read()


def test_a_file_never_lifts_a_restriction_nor_opens_what_is_confidential() -> None:
    """The next export without both leaves them as they are, and says so."""
    before = read(lambda lists: lists["studentContactAssociations"][1].update(contactRestrictions="order"))
    after = read(lambda lists: lists["contacts"][0]["telephones"][1].update(doNotPublishIndicator=False))
    changes = next_import(before.directory, after, today=TODAY)
    assert changed(changes) == set()
    assert [(held.entity, held.id) for held in changes.held] == [("contact_points", "m-voice-home")]


@pytest.mark.parametrize(
    ("relation", "school", "category", "expected"),
    [
        ("Father", SCHOOL, Category.NEWSLETTER, "unreachable R24"),
        ("Father", ENGLISH, Category.REPORT, "unreachable R24"),
        ("Father, step", SCHOOL, Category.REPORT, "exclude R07"),
        ("Grandfather", SCHOOL, Category.NEWSLETTER, "exclude R07"),
        ("Parent", SCHOOL, Category.NEWSLETTER, "hold R10b"),
        ("Adoptive Parents", SCHOOL, Category.REPORT, "hold R10b"),
        ("Guardian", SCHOOL, Category.ATTENDANCE, "hold R10b"),
        (None, SCHOOL, Category.REPORT, "hold R10b"),
        ("Parent", ENGLISH, Category.REPORT, "hold R13"),
        (None, ENGLISH, Category.REPORT, "hold R13"),
    ],
)
def test_what_a_relation_proves(relation: str | None, school: School, category: Category, expected: str) -> None:
    """Mother and Father are parents; whoever may be one is held by the law of the place, nobody dropped or let in."""
    answer = read(
        lambda lists: lists["studentContactAssociations"].__setitem__(1, association("f", relation)), school=school
    )
    assert outcome(answer, "f", category) == expected


def test_carers_and_professionals() -> None:
    """A foster carer at home has care of the child; a social worker is no parent."""
    answer = read(
        lambda lists: lists["studentContactAssociations"].__setitem__(
            slice(None), [association("m", "Foster parent", livesWith=True), association("f", "Social Worker")]
        )
    )
    worker, carer = answer.directory.relationships
    assert (carer.relation, carer.care_of_child) == ("foster_carer", True)
    assert worker.professional == "social_worker"
    assert [note.file for note in answer.notes] == ["studentContactAssociations"]


def test_an_address_of_the_past_gets_no_letter() -> None:
    """A period that ended closes the address."""
    period = {"periods": [{"beginDate": "2020-01-01", "endDate": "2024-01-01"}]}
    answer = read(lambda lists: lists["contacts"][0]["addresses"][0].update(period))
    assert ChannelName.LETTER not in {point.channel for point in answer.directory.contact_points}


def test_an_order_not_to_publish_that_cannot_be_read() -> None:
    """What may be confidential is."""
    answer = read(lambda lists: lists["contacts"][0]["electronicMails"][0].update(doNotPublishIndicator="perhaps"))
    assert answer.directory.contact_points[0].confidential
    assert [refused.field for refused in answer.refused] == ["electronicMails.1.doNotPublishIndicator"]


def _link(**values: object) -> Change:
    return lambda lists: lists["studentContactAssociations"][1].update(values)


def _mother(path: str, **values: object) -> Change:
    return lambda lists: lists["contacts"][0][path][0].update(values)


@pytest.mark.parametrize(
    ("change", "file", "line", "field", "sentence"),
    [
        (lambda d: d["students"].append({"firstName": "secret"}), "students", 2, "studentUniqueId", "no id"),
        (lambda d: d["students"].append({"studentUniqueId": "1"}), "students", 2, "studentUniqueId", "same id"),
        (lambda d: d["students"].append({"studentUniqueId": "*"}), "students", 2, "studentUniqueId", "asterisk"),
        (lambda d: d["students"].append({"studentUniqueId": "x" * 121}), "students", 2, "studentUniqueId", "longer"),
        (lambda d: d["students"].append("secret"), "students", 2, "", "object"),
        (lambda d: d["students"][0].update(birthDate="2033-01-01"), "students", 1, "birthDate", "future"),
        (lambda d: d["students"][0].update(birthDate="secret"), "students", 1, "birthDate", "YYYY-MM-DD"),
        (lambda d: d["students"][0].update(firstName=["secret"]), "students", 1, "firstName", "text"),
        (lambda d: d["students"][0].update(firstName="x" * 201), "students", 1, "firstName", "longer"),
        (lambda d: d["students"][0].update(firstName="a\nb"), "students", 1, "firstName", "line break"),
        (_mother("telephones", telephoneNumber="secret"), "contacts", 1, "telephones.1.telephoneNumber", "number"),
        (_mother("telephones", telephoneNumber="555-0101"), "contacts", 1, "telephones.1.telephoneNumber", "digits"),
        (
            _mother("telephones", telephoneNumber="+44 20 7946 0001"),
            "contacts",
            1,
            "telephones.1.telephoneNumber",
            "landline",
        ),
        (
            _mother("electronicMails", electronicMailAddress="secret@@x"),
            "contacts",
            1,
            "electronicMails.1.electronicMailAddress",
            "e-mail",
        ),
        (_mother("addresses", streetNumberName=None), "contacts", 1, "addresses.1.streetNumberName", "street"),
        (lambda d: d["contacts"][0].update(telephones="secret"), "contacts", 1, "telephones", "list"),
        (lambda d: d["contacts"][0]["telephones"].append("secret"), "contacts", 1, "telephones.3", "object"),
        (_link(relationDescriptor="Father"), "studentContactAssociations", 2, "relationDescriptor", "URI"),
        (
            _link(relationDescriptor=code("Relation", "Self")),
            "studentContactAssociations",
            2,
            "relationDescriptor",
            "another",
        ),
        (_link(livesWith="secret"), "studentContactAssociations", 2, "livesWith", "true, false"),
        (_link(contactPriority=0), "studentContactAssociations", 2, "contactPriority", "999"),
        (
            _link(contactReference={"contactUniqueId": "zoe"}),
            "studentContactAssociations",
            2,
            "contactReference.contactUniqueId",
            "No contact",
        ),
        (
            _link(studentReference={"studentUniqueId": "9"}),
            "studentContactAssociations",
            2,
            "studentReference.studentUniqueId",
            "No student",
        ),
        (_link(studentReference={}), "studentContactAssociations", 2, "studentReference.studentUniqueId", "missing"),
        (
            lambda d: d["studentContactAssociations"].append(association("f", "Father")),
            "studentContactAssociations",
            3,
            "",
            "earlier",
        ),
    ],
)
def test_a_bad_value_or_record_is_refused_alone(
    change: Change, file: str, line: int, field: str, sentence: str
) -> None:
    """The report names place and fix, never the value; the rest is taken over."""
    answer = read(change)
    assert [(refused.file, refused.line, refused.field) for refused in answer.refused] == [(file, line, field)]
    assert sentence in answer.refused[0].reason
    assert "secret" not in answer.refused[0].reason
    assert "m" in {contact.id for contact in answer.directory.contacts}
    assert find_problems(answer.directory, TODAY) == []


@pytest.mark.parametrize(
    "change",
    [
        _mother("telephones", telephoneNumber="secret"),
        _mother("electronicMails", electronicMailAddress="secret"),
        _mother("addresses", streetNumberName=None),
        _link(livesWith="secret"),
        lambda lists: lists["contacts"].pop(),
        lambda lists: lists["students"][0].update(studentUniqueId="*", other="1"),
        lambda lists: lists["students"].clear(),
    ],
)
def test_what_was_refused_does_not_end_what_is_on_record(change: Change) -> None:
    """An unreadable value, contact or student leaves its rows as they were."""
    assert ended(next_import(read().directory, read(change), today=TODAY)) == set()


def test_what_is_left_out_on_purpose_ends() -> None:
    """An association that is gone ends its link, its contact and nothing else."""
    answer = read(lambda lists: lists["studentContactAssociations"].pop())
    assert ended(next_import(read().directory, answer, today=TODAY)) == {"relationships", "contacts"}


def test_a_parent_with_an_unreadable_value_is_held() -> None:
    """He is known to be the father, so he is held and not dropped; an unreadable order of ringing holds nobody."""
    assert outcome(read(_link(livesWith="maybe")), "f", Category.NEWSLETTER) == "hold R10b"
    assert outcome(read(_link(contactPriority="first")), "f", Category.NEWSLETTER) == "unreachable R24"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "well-formed"),
        (b"[" * 5000, "well-formed"),
        (b'{"students": "\xff"}', "well-formed"),
        (b"[]", "one JSON object"),
        (b'{"students": [], "contacts": []}', "studentContactAssociations is missing"),
        (b'{"contacts": [], "studentContactAssociations": []}', "students is missing"),
        (b'{"students": [], "contacts": [], "parents": []}', "two editions"),
        (b'{"students": 1, "contacts": [], "studentContactAssociations": []}', "JSON list"),
        (zipped({"students.json": "["}), "well-formed"),
        (b"PK\x03\x04", "not a zip"),
    ],
)
def test_an_upload_that_cannot_be_read(content: bytes, sentence: str) -> None:
    """One sentence says what is missing."""
    with pytest.raises(ImportRefusedError, match=sentence):
        read_edfi(content, today=TODAY, school=SCHOOL)


ANYTHING = st.sampled_from(
    [None, True, False, 0, -1, 10**30, 1.5, "", "*", "1", "m", "x" * 300, "\x00", [], {}, [1], {"a": 1}]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the path of everything inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in ((*path, key), *places(inner, (*path, key)))]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(places(SOUND)), ANYTHING), min_size=1, max_size=4))
def test_no_change_of_the_document_breaks_the_reader(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Whatever stands anywhere, the answer is a sound directory or a refusal."""
    document: Any = copy.deepcopy(SOUND)
    for path, value in changes:
        holder = document
        try:
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue
    try:
        answer = read_edfi(json.dumps(document).encode(), today=TODAY, school=SCHOOL)
    except ImportRefusedError:
        return
    assert find_problems(answer.directory, TODAY) == []
    assert msgspec.json.decode(msgspec.json.encode(answer.directory), type=Directory) == answer.directory
