"""An upload is recognised by what is in it, whatever it is called."""

import datetime as dt
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.directory.importing import ImportRefusedError
from gateway.directory.model import School
from gateway.directory.uploads import read_upload
from tests.unit.directory import test_edfi, test_school_data_sync, test_wonde
from tests.unit.directory.exports import export, zipped

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
