"""Students with their contacts become a directory: null is not false, and an order bars as a draft."""

import copy
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.directory.importing import Import, ImportRefusedError
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, Directory, Flag, PostalAddress, Responsibility, School
from gateway.directory.validation import find_problems
from gateway.directory.wonde import read_wonde
from gateway.rules.answer import Request
from gateway.rules.audience import decide
from tests.unit.directory.recorded import changed, ended, next_import

TODAY = dt.date(2026, 11, 23)
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SCHOOL = School(id="hollins", name="Hollins Lane School")


def contact(key: str, relation: str | None, **relationship: object) -> dict[str, Any]:
    """Write a contact as it stands inside a student."""
    return {
        "id": key,
        "forename": key.title(),
        "surname": "Duarte",
        "relationship": {"relationship": relation} | relationship,
        "contact_details": {
            "data": {
                "phones": {"phone": "07700 900002", "primary": "07700 900002", "home": None, "mobile": "07700 900002"},
                "emails": {"email": f"{key}@example.org", "primary": f"{key}@example.org", "home": None, "work": None},
                "addresses": {"home": None},
            }
        },
    }


MOTHER = {
    "id": "ines",
    "upi": "u1",
    "title": "Ms",
    "forename": "Inês",
    "surname": "Matias",
    "relationship": {
        "relationship": "Mother",
        "parental_responsibility": True,
        "priority": 1,
        "lives_with_pupil": True,
        "bill_payer": True,
        "email_bills": False,
    },
    "contact_details": {
        "data": {
            "phones": {
                "phone": "07700 900001",
                "primary": "07700 900001",
                "home": "020 7946 0001",
                "work": None,
                "mobile": "07700 900001",
            },
            "emails": {
                "email": "ines@example.org",
                "primary": "ines@example.org",
                "home": None,
                "work": "im@example.org",
            },
            "addresses": {
                "home": {
                    "house_number": "1",
                    "house_name": "Mill House",
                    "apartment": "",
                    "street": "Mill Lane",
                    "town": "Hollins",
                    "country": "United Kingdom",
                    "postcode": "zz1 1zz",
                }
            },
        }
    },
}
SOUND: list[dict[str, Any]] = [
    {
        "id": "ana",
        "forename": "Ana",
        "surname": "Duarte",
        "date_of_birth": {"date": "2014-05-06 00:00:00.000000", "timezone": "Europe/London"},
        "year": {"data": {"code": "07"}},
        "form_group": {"data": {"name": "7A"}},
        "contacts": {"data": [MOTHER, contact("rui", "Father", priority=2)]},
    }
]
Change = Callable[[list[dict[str, Any]]], object]


def read(change: Change | None = None) -> Import:
    """Import the sound list with a change."""
    document = copy.deepcopy(SOUND)
    if change:
        change(document)
    return read_wonde(json.dumps(document).encode(), today=TODAY, school=SCHOOL)


def rui(**relationship: object) -> Import:
    """Import the list with another relationship of the second contact."""
    return read(lambda students: students[0]["contacts"]["data"][1].update(relationship=relationship))


def link(answer: Import, key: str = "rui") -> Any:
    """Return the relationship of a contact."""
    return next(row for row in answer.directory.relationships if row.contact == key)


def outcome(answer: Import, category: Category, key: str = "rui") -> str:
    """Tell what the rules decide for a contact: the outcome and the rule."""
    request = Request(category=category, students=("ana",), at=NOON)
    decisions = decide(DirectoryIndex(answer.directory), request).decisions
    return next(f"{found.outcome} {found.rule}" for found in decisions if found.contact == key)


def test_a_sound_list_is_taken_over_without_a_word() -> None:
    """Student, groups, contacts, what each number is for, and how they stand to each other."""
    answer = read()
    assert (answer.refused, answer.notes, answer.mentioned) == ((), (), frozenset())
    school = answer.directory
    assert find_problems(school, TODAY) == []
    (ana,) = school.students
    assert (ana.given_name, ana.birth_date, ana.groups) == ("Ana", dt.date(2014, 5, 6), ("7A", "year-7"))
    assert {point.id: point.address for point in school.contact_points if point.contact == "ines"} == {
        "ines-email-primary": "ines@example.org",
        "ines-email-work": "im@example.org",
        "ines-letter-home": PostalAddress(lines=("Mill House", "1 Mill Lane", "Hollins"), postcode="ZZ1 1ZZ"),
        "ines-sms-mobile": "+447700900001",
        "ines-voice-home": "+442079460001",
        "ines-voice-mobile": "+447700900001",
    }
    mother, father = link(answer, "ines"), link(answer)
    assert (mother.natural_parent, mother.lives_with, mother.bill_payer, mother.priority) == (True, True, True, 1)
    assert mother.parental_responsibility is Responsibility.YES
    assert (father.natural_parent, father.lives_with, father.parental_responsibility) == (True, False, "unknown")
    assert (father.correspondence, father.reports) == (Flag.UNSET, Flag.UNSET)


def test_the_second_import_changes_nothing() -> None:
    """The same list gives the same directory, as a page of the interface, too."""
    assert changed(next_import(read().directory, read(), today=TODAY)) == set()
    page = json.dumps({"data": SOUND, "meta": {"pagination": {"next": None, "more": False}}}).encode()
    assert read_wonde(page, today=TODAY, school=SCHOOL) == read()


@pytest.mark.parametrize(
    ("relationship", "category", "expected"),
    [
        ({"relationship": "Father"}, Category.REPORT, "send R07"),
        ({"relationship": "Father", "parental_responsibility": False}, Category.REPORT, "send R07"),
        ({"relationship": "Carer", "parental_responsibility": True}, Category.REPORT, "send R07"),
        ({"relationship": "Carer", "parental_responsibility": None}, Category.REPORT, "hold R13"),
        ({"relationship": "Carer", "parental_responsibility": None}, Category.NEWSLETTER, "send R13"),
        ({"relationship": "Carer", "parental_responsibility": False}, Category.NEWSLETTER, "exclude R07"),
        ({"relationship": "Parent", "correspondence": False}, Category.NEWSLETTER, "hold R10b"),
        ({"relationship": None}, Category.ATTENDANCE, "hold R13"),
        ({"relationship": "Step Father", "lives_with_pupil": True}, Category.REPORT, "hold R13"),
        ({"relationship": "Step Father", "lives_with_pupil": None}, Category.REPORT, "exclude R07"),
        ({"relationship": "Foster Mother", "lives_with_pupil": True}, Category.REPORT, "send R07"),
        ({"relationship": "Grandparent"}, Category.NEWSLETTER, "exclude R07"),
        ({"relationship": "Social Worker"}, Category.REPORT, "exclude R42"),
        ({"relationship": "Father", "third_party_correspondence": False}, Category.NEWSLETTER, "hold R10b"),
        ({"relationship": "Father", "correspondence": False}, Category.NEWSLETTER, "hold R10b"),
        ({"relationship": "Father", "correspondence": False}, Category.REPORT, "send R07"),
        ({"relationship": "Father", "pupil_report": False}, Category.REPORT, "hold R10b"),
        ({"relationship": "Father", "pupil_report": None, "correspondence": None}, Category.REPORT, "send R07"),
        ({"relationship": "Grandparent", "correspondence": True}, Category.NEWSLETTER, "send R10e"),
        ({"relationship": "Father", "court_order": None}, Category.REPORT, "send R07"),
        ({"relationship": "Father", "court_order": False}, Category.REPORT, "send R07"),
        ({"relationship": "Father", "court_order": True}, Category.REPORT, "exclude R06a"),
        ({"relationship": "Father", "court_order": True}, Category.NEWSLETTER, "hold R06a"),
        ({"relationship": "Father", "court_order": "2024-05-01"}, Category.REPORT, "exclude R06a"),
        ({"relationship": "Father", "lives_with_pupil": "maybe"}, Category.NEWSLETTER, "hold R10b"),
        ({"relationship": "Father", "priority": 0}, Category.NEWSLETTER, "send R07"),
        ({"relationship": ["Father"]}, Category.REPORT, "hold R13"),
    ],
)
def test_what_a_relationship_comes_to(relationship: dict[str, object], category: Category, expected: str) -> None:
    """False says no, null says nothing, and whoever may be a parent is held rather than dropped."""
    assert outcome(rui(**relationship), category) == expected


def test_an_order_beside_the_relationship_counts_too() -> None:
    """The key is known by hearsay only, so it is looked for in both places."""
    answer = read(lambda students: students[0]["contacts"]["data"][1].update(court_order=True))
    (draft,) = answer.directory.restrictions
    assert (draft.student, draft.contact, draft.status, draft.basis) == ("ana", "rui", "draft", "court_order")
    assert [(note.line, note.field) for note in answer.notes] == [(1, "court_order")]
    assert changed(next_import(answer.directory, read(), today=TODAY)) == set()


def test_the_relationship_may_be_a_bare_word() -> None:
    """Some answers give the relation as a text."""
    answer = read(lambda students: students[0]["contacts"]["data"][1].update(relationship="Father"))
    assert link(answer) == link(read()).__class__(student="ana", contact="rui", relation="father", natural_parent=True)


def test_a_contact_of_two_students() -> None:
    """One person, two links; where they are shown differently no letter goes to either address."""
    twin = SOUND[0] | {"id": "ben", "forename": "Ben"}
    answer = read(lambda students: students.append(copy.deepcopy(twin)))
    assert answer.refused == ()
    assert [(row.student, row.contact) for row in answer.directory.relationships] == [
        ("ana", "ines"),
        ("ana", "rui"),
        ("ben", "ines"),
        ("ben", "rui"),
    ]
    moved = copy.deepcopy(twin)
    moved["contacts"]["data"][0]["contact_details"]["data"]["addresses"]["home"]["street"] = "Hill Lane"
    answer = read(lambda students: students.append(moved))
    assert "ines-letter-home" not in {point.id for point in answer.directory.contact_points}
    assert [(refused.line, refused.field) for refused in answer.refused] == [(2, "contacts.data.1.contact_details")]


def test_leavers_are_left_out() -> None:
    """They are counted and end."""
    answer = read(lambda students: students.append({"id": "old", "is_leaver": True, "contacts": {"data": [MOTHER]}}))
    assert [student.id for student in answer.directory.students] == ["ana"]
    assert len(answer.notes) == 1


def _rui(**values: object) -> Change:
    return lambda students: students[0]["contacts"]["data"][1].update(values)


def _number(key: str, value: object) -> Change:
    return lambda students: students[0]["contacts"]["data"][1]["contact_details"]["data"]["phones"].update({key: value})


PLACE = "contacts.data.2"


@pytest.mark.parametrize(
    ("change", "line", "field", "sentence"),
    [
        (lambda s: s.append({"forename": "secret"}), 2, "id", "no id"),
        (lambda s: s.append({"id": "ana"}), 2, "id", "same id"),
        (lambda s: s.append("secret"), 2, "", "object"),
        (lambda s: s[0].update(date_of_birth={"date": "2033-01-01"}), 1, "date_of_birth.date", "future"),
        (lambda s: s[0].update(date_of_birth="secret"), 1, "date_of_birth", "object"),
        (lambda s: s[0]["contacts"]["data"].append(3), 1, "contacts.data.3", "object"),
        (_rui(id=None), 1, f"{PLACE}.id", "no id"),
        (_rui(id="ines"), 1, f"{PLACE}.id", "same id"),
        (_rui(title="x" * 201), 1, f"{PLACE}.title", "longer"),
        (_rui(relationship={"relationship": "Self"}), 1, f"{PLACE}.relationship.relationship", "another"),
        (_rui(relationship={"priority": "secret"}), 1, f"{PLACE}.relationship.priority", "999"),
        (_rui(relationship={"bill_payer": "secret"}), 1, f"{PLACE}.relationship.bill_payer", "true, false"),
        (_rui(relationship={"court_order": "secret"}), 1, f"{PLACE}.relationship.court_order", "true, false"),
        (_rui(contact_details="secret"), 1, f"{PLACE}.contact_details", "object"),
        (_number("home", "secret"), 1, f"{PLACE}.contact_details.data.phones.home", "number"),
        (_number("mobile", "020 7946 0001"), 1, f"{PLACE}.contact_details.data.phones.mobile", "landline"),
    ],
)
def test_a_bad_value_or_record_is_refused_alone(change: Change, line: int, field: str, sentence: str) -> None:
    """The report names place and fix, never the value; the mother is there all the same."""
    answer = read(change)
    assert [(refused.file, refused.line, refused.field) for refused in answer.refused] == [("students", line, field)]
    assert sentence in answer.refused[0].reason
    assert "secret" not in answer.refused[0].reason
    assert "ines" in {row.id for row in answer.directory.contacts}
    assert find_problems(answer.directory, TODAY) == []


@pytest.mark.parametrize(
    "change",
    [
        _number("mobile", "secret"),
        _rui(relationship={"relationship": "Father", "lives_with_pupil": "secret"}),
        lambda students: students.insert(0, {"id": "ana"}),
    ],
)
def test_what_was_refused_does_not_end_what_is_on_record(change: Change) -> None:
    """An unreadable number, link or student leaves its rows as they were."""
    assert ended(next_import(read().directory, read(change), today=TODAY)) == set()


@pytest.mark.parametrize(
    ("content", "school", "sentence"),
    [
        (b"x", SCHOOL, "well-formed"),
        (b"3", SCHOOL, "JSON list"),
        (b'{"data": 3}', SCHOOL, "JSON list"),
        (b'{"data": [], "meta": {"pagination": {"more": true}}}', SCHOOL, "one page of several"),
        (b'[{"id": "ana"}]', SCHOOL, "include=contacts"),
        (b"[]", None, "whose students"),
    ],
)
def test_an_upload_that_cannot_be_read(content: bytes, school: School | None, sentence: str) -> None:
    """One sentence says what is missing; a page alone would end everybody on the others."""
    with pytest.raises(ImportRefusedError, match=sentence):
        read_wonde(content, today=TODAY, school=school)


ANYTHING = st.sampled_from(
    [None, True, False, 0, -1, 10**30, 1.5, "", "*", "ana", "x" * 300, "\x00", [], {}, [1], {"a": 1}]
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
        answer = read_wonde(json.dumps(document).encode(), today=TODAY, school=SCHOOL)
    except ImportRefusedError:
        return
    assert find_problems(answer.directory, TODAY) == []
    assert msgspec.json.decode(msgspec.json.encode(answer.directory), type=Directory) == answer.directory
