"""An upload is recognised by what is in it, whatever it is called."""

import datetime as dt
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.directory.documents import without_problems
from gateway.directory.importing import ImportRefusedError
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import CareStatus, Category, School
from gateway.directory.uploads import read_upload, read_uploads
from gateway.rules.answer import Request
from gateway.rules.audience import decide
from tests.unit.directory import test_edfi, test_school_data_sync, test_wonde
from tests.unit.directory.exports import DEMOGRAPHICS, FATHER, MOTHER, ROLES, USERS, export, links, zipped
from tests.unit.directory.recorded import ended, next_import

TODAY = dt.date(2026, 11, 23)
SCHOOL = School(id="hollins", name="Hollins Lane School")
AMERICAN = School(id="hollins", name="Hollins Lane School", jurisdiction="US-TX")
EDFI = json.dumps(test_edfi.SOUND).encode()
UPLOADS = {
    "OneRoster": export(),
    "School Data Sync": zipped(dict(test_school_data_sync.FILES)),
    "Ed-Fi": EDFI,
    "Ed-Fi after a byte order mark": b"\xef\xbb\xbf \n" + EDFI,
    "Ed-Fi zipped": zipped({f"{name}.json": json.dumps(rows) for name, rows in test_edfi.SOUND.items()}),
    "Wonde": json.dumps(test_wonde.SOUND).encode(),
    "Wonde page": json.dumps({"data": test_wonde.SOUND}).encode(),
}


@pytest.mark.parametrize("kind", UPLOADS)
def test_each_format_is_recognised(kind: str) -> None:
    """All of them bring one student and at least two contacts, without a refusal."""
    school = AMERICAN if "Ed-Fi" in kind else SCHOOL
    answer = read_upload("upload.bin", UPLOADS[kind], today=TODAY, school=school)
    assert len(answer.directory.students) == 1
    assert len(answer.directory.contacts) >= 2
    assert answer.refused == ()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty", b"", "Upload a zip of OneRoster"),
        ("list.xlsx", b"\xd0\xcf\x11", "Upload a zip of OneRoster"),
        ("users.csv", b"sourcedId,email\n", "One CSV file is not a whole export"),
        ("sheet.xlsx", zipped({"workbook.xml": "x"}), "The zip holds no export"),
        ("cut.zip", export()[:200], "not a zip file"),
        ("people.json", b'{"pupils": []}', "The JSON is no export"),
        ("people.json", b"[", "well-formed"),
        ("people.json", b'{"school": {"id": "x", "name": "x"}, "students": []}', "/v1/directory"),
        ("people.json", b'{"students": [], "contacts": [], "relationships": []}', "/v1/directory"),
        ("half.zip", zipped({"users.csv": "sourcedId\n"}), "manifest.csv"),
    ],
)
def test_anything_else_is_refused_with_one_sentence(name: str, content: bytes, sentence: str) -> None:
    """It says what is taken, or which file is missing."""
    with pytest.raises(ImportRefusedError, match=sentence):
        read_upload(name, content, today=TODAY, school=SCHOOL)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=40).map(b"PK\x03\x04".__add__),
        st.binary(max_size=40).map(b"[{".__add__),
    )
)
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    """An upload of nonsense is a refusal."""
    with suppress(ImportRefusedError):
        assert read_upload("upload", content, today=TODAY, school=SCHOOL).directory.students == ()


HOME = {"addressLine1": "1 Mill Lane", "postcode": "ZZ1 1ZZ"}
HOUSED = links(MOTHER, FATHER | HOME)


@pytest.mark.parametrize(
    "changes",
    [
        {"users": USERS.replace("rui@example.org", "rui at home")},
        {"users": USERS.replace("07700 900002", "07700")},
        {"users": USERS.replace("07700 900002", "020 7946 0002")},
        {"users": USERS.replace("020 7946 0001", "020")},
        {"users": USERS.replace("rui,Rui,", f"rui,{'x' * 201},")},
        {"users": USERS.replace("ana,Ana,", f"ana,{'x' * 201},"), "roles": ROLES + "r9,kim,secondary,student,,\r\n"},
        {"roles": ROLES.replace("r1,ana,primary,", "r1,ana,primary,,") + "r9,kim,secondary,student,,\r\n"},
        {"guardian_links": links(MOTHER, FATHER | HOME | {"postcode": "nowhere"})},
        {"guardian_links": links(MOTHER, FATHER | HOME | {"livesWith": "maybe"})},
        {"guardian_links": HOUSED.replace("rui,", "rui,,")},
    ],
)
def test_a_refused_line_of_oneroster_ends_nothing_on_record(changes: dict[str, str]) -> None:
    """What the export speaks of, though it cannot be read, stays as it is."""
    before = read_upload("", export(guardian_links=HOUSED), today=TODAY, school=None)
    after = read_upload("", export(**({"guardian_links": HOUSED} | changes)), today=TODAY, school=None)
    assert after.refused
    assert ended(next_import(before.directory, after, today=TODAY)) == set()


def test_what_an_export_leaves_out_ends() -> None:
    """A number that is gone without a word goes; so does a person."""
    before = read_upload("", export(), today=TODAY, school=None)
    silent = read_upload("", export(users=USERS.replace(",07700 900002", ",")), today=TODAY, school=None)
    assert ended(next_import(before.directory, silent, today=TODAY)) == {"contact_points"}
    alone = export(users=USERS.replace("ines,rui", "ines"), guardian_links=links(MOTHER))
    gone = read_upload("", alone, today=TODAY, school=None)
    assert ended(next_import(before.directory, gone, today=TODAY)) == {"contacts", "contact_points", "relationships"}


def test_the_second_number_keeps_its_place() -> None:
    """When the mobile cannot be read, the landline is not moved onto its record."""
    unreadable = export(users=USERS.replace("07700 900002", "07700"))
    points = {
        point.id: point for point in read_upload("", unreadable, today=TODAY, school=None).directory.contact_points
    }
    assert points["rui-voice-2"].address == "+442079460001"
    assert "rui-voice" not in points


def test_a_lost_line_about_care_holds_everything() -> None:
    """The row may have said that the child is in care."""
    lost = DEMOGRAPHICS.replace("2014-05-06,", f"{'9' * 201},care_order")
    answer = read_upload("", export(demographics=lost), today=TODAY, school=None)
    assert answer.directory.students[0].care_status is CareStatus.EMERGENCY_PROTECTION
    assert len(answer.notes) == 1


def test_what_was_mentioned_is_handed_on() -> None:
    """The check for contradictions adds its own keys to those of the importer."""
    answer = read_upload("", export(users=USERS.replace("rui@", "rui at ")), today=TODAY, school=None)
    reading = without_problems(answer.directory, today=TODAY, mentioned=answer.mentioned)
    assert reading.mentioned == {("contact_points", ("rui-email",))}


def test_an_american_export_without_guardian_links_holds_parents() -> None:
    """Residence proves nothing in the US, so that whoever is filed as a parent is held as one (R10b)."""
    orgs = "sourcedId,name,type,metadata.jurisdiction\r\nmesa,Mesa,school,US-TX\r\n"
    american = read_upload("", export(orgs=orgs, guardian_links=None), today=TODAY, school=None).directory
    request = Request(category=Category.REPORT, everyone=True, at=dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC))
    decisions = decide(DirectoryIndex(american), request).decisions
    assert [f"{found.contact} {found.outcome} {found.rule}" for found in decisions] == [
        "ines hold R10b",
        "rui hold R10b",
    ]


def test_feeds_of_one_school_are_joined_and_their_disagreement_noted() -> None:
    """Two systems that say different things of a father's responsibility: he is held, and the office is told."""
    wonde = json.loads(UPLOADS["Wonde"])
    other = json.loads(UPLOADS["Wonde"])
    relationship = other[0]["contacts"]["data"][0]["relationship"]
    relationship["parental_responsibility"] = not relationship["parental_responsibility"]
    files = [(name, json.dumps(rows).encode()) for name, rows in (("one.json", wonde), ("two.json", other))]
    joined = read_uploads(files, today=TODAY, school=SCHOOL)
    assert len(joined.directory.students) == 1
    notes = [note for note in joined.notes if note.file == "feeds"]
    assert notes
    assert "parental_responsibility" in {field for note in notes for field in (note.field or "").split(", ")}
    (student,) = joined.directory.students
    question = Request(
        category=Category.REPORT, at=dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC), students=(student.id,)
    )
    outcomes = {decision.rule for decision in decide(DirectoryIndex(joined.directory), question).decisions}
    assert "R10b" in outcomes
