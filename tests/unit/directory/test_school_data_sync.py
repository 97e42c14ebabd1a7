"""School Data Sync exports become directories in which nobody is known to be a parent."""

import datetime as dt

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.directory.importing import Import, ImportRefusedError
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, Directory, PointLabel, School
from gateway.directory.school_data_sync import read_school_data_sync
from gateway.directory.validation import find_problems
from gateway.rules.answer import Request
from gateway.rules.audience import decide
from tests.unit.directory.exports import zipped
from tests.unit.directory.recorded import changed, ended, next_import

TODAY = dt.date(2026, 11, 23)
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
USERS = (
    "sourcedId,username,givenName,familyName,password,activeDirectoryMatchId,email,phone,sms\r\n"
    "ana,ana@example.org,Ana,Duarte,,,ana@example.org,,\r\n"
    "ines,ines@example.org,Inês,Matias,,,ines@example.org,020 7946 0001,07700 900001\r\n"
    "rui,rui@example.org,Rui,Duarte,,,rui@example.org,,\r\n"
    "doc,doc@example.org,Kim,Reed,,,doc@example.org,,\r\n"
    "tea,tea@example.org,Lee,Vale,,,tea@example.org,,\r\n"
)
FILES = {
    "orgs.csv": "sourcedId,name,type,parentSourcedId\r\nhollins,Hollins Lane School,School,\r\n",
    "users.csv": USERS,
    "roles.csv": "userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate\r\n"
    "ana,hollins,student,,07,true,2025-09-01,2030-07-31\r\ntea,hollins,teacher,,,true,,\r\n",
    "relationships.csv": "userSourcedId,relationshipUserSourcedId,relationshipRole\r\n"
    "ana,ines,parent\r\nana,rui,Guardian\r\nana,doc,doctor\r\n",
    "classes.csv": "sourcedId,orgSourcedId,title,sessionSourcedIds,courseSourcedId\r\nc7a,hollins,7A,,\r\n",
    "enrollments.csv": "classSourcedId,userSourcedId,role\r\nc7a,ana,student\r\nc7a,tea,teacher\r\n",
    "demographics.csv": "userSourcedId,sex,birthDate\r\nana,,2014-05-06\r\n",
}


def read(*, school: School | None = None, **changes: str | None) -> Import:
    """Import a sound export with changes; None leaves a file out."""
    contents: dict[str, str | bytes] = dict(FILES)
    for name, text in changes.items():
        if text is None:
            del contents[f"{name}.csv"]
        else:
            contents[f"{name}.csv"] = text
    return read_school_data_sync(zipped(contents), today=TODAY, school=school)


def test_a_sound_export() -> None:
    """Students, groups and contacts arrive; one note says what the format leaves open."""
    answer = read()
    assert answer.refused == ()
    assert [(note.file, note.line) for note in answer.notes] == [("relationships.csv", None)]
    school = answer.directory
    assert find_problems(school, TODAY) == []
    (ana,) = school.students
    assert (ana.birth_date, ana.groups) == (dt.date(2014, 5, 6), ("7A", "c7a", "year-7"))
    assert (ana.enrolled_from, ana.enrolled_to) == (dt.date(2025, 9, 1), dt.date(2030, 7, 31))
    assert {point.id: point.address for point in school.contact_points if point.contact == "ines"} == {
        "ines-email": "ines@example.org",
        "ines-sms": "+447700900001",
        "ines-voice": "+447700900001",
        "ines-voice-2": "+442079460001",
    }
    assert {row.contact: row.professional for row in school.relationships} == {
        "doc": "doctor",
        "ines": None,
        "rui": None,
    }
    assert {point.label for point in school.contact_points if point.contact == "doc"} == {PointLabel.WORK}


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        (Category.NEWSLETTER, {"doc": "exclude R42", "ines": "send R13", "rui": "send R13"}),
        (Category.REPORT, {"doc": "exclude R42", "ines": "hold R13", "rui": "hold R13"}),
        (Category.EMERGENCY, {"doc": "exclude R42", "ines": "hold R13", "rui": "hold R13"}),
    ],
)
def test_general_news_only(category: Category, expected: dict[str, str]) -> None:
    """Nobody is known to be a parent, so personal mail waits for a person."""
    request = Request(category=category, everyone=True, at=NOON)
    decisions = decide(DirectoryIndex(read().directory), request).decisions
    assert {found.contact: f"{found.outcome} {found.rule}" for found in decisions} == expected


def test_the_school_on_record_keeps_its_law() -> None:
    """The export knows no jurisdiction; in the US parents are held as parents, since residence proves nothing there."""
    american = School(id="hollins", name="Hollins", jurisdiction="US-TX", timezone="America/Chicago")
    answer = read(school=american)
    assert answer.directory.school == american
    request = Request(category=Category.NEWSLETTER, everyone=True, at=NOON)
    decisions = decide(DirectoryIndex(answer.directory), request).decisions
    assert [f"{found.outcome} {found.rule}" for found in decisions] == ["exclude R42", "hold R10b", "hold R10b"]
    assert read(school=School(id="other", name="Other")).directory.school.id == "hollins"


def test_the_second_import_changes_nothing() -> None:
    """The same export gives the same directory."""
    assert changed(next_import(read().directory, read(), today=TODAY)) == set()


@pytest.mark.parametrize(
    ("changes", "file", "line", "field", "sentence"),
    [
        ({"users": USERS + "ana,,,,,,,,\r\n"}, "users.csv", 7, "sourcedId", "same id"),
        ({"users": USERS + ",,,,,,,,\r\n,x,,,,,,,\r\n"}, "users.csv", 8, "sourcedId", "no id"),
        ({"users": USERS.replace("rui@example.org,,\r", "secret,,\r")}, "users.csv", 4, "email", "e-mail"),
        ({"users": USERS.replace("020 7946 0001", "secret")}, "users.csv", 3, "phone", "number"),
        (
            {"roles": FILES["roles.csv"] + "zoe,hollins,student,,,,,\r\n"},
            "roles.csv",
            4,
            "userSourcedId",
            "No user",
        ),
        (
            {"roles": FILES["roles.csv"].replace("2030-07-31", "2024-07-31")},
            "roles.csv",
            2,
            "roleEndDate",
            "ends before",
        ),
        (
            {"relationships": FILES["relationships.csv"] + "zoe,ines,parent\r\n"},
            "relationships.csv",
            5,
            "userSourcedId",
            "No",
        ),
        (
            {"relationships": FILES["relationships.csv"] + "ana,zoe,parent\r\n"},
            "relationships.csv",
            5,
            "relationshipUserSourcedId",
            "No user",
        ),
        (
            {"relationships": FILES["relationships.csv"] + "ana,ana,parent\r\n"},
            "relationships.csv",
            5,
            "relationshipUserSourcedId",
            "names a student",
        ),
        (
            {"relationships": FILES["relationships.csv"] + "ana,rui,parent\r\n"},
            "relationships.csv",
            5,
            "relationshipUserSourcedId",
            "earlier row",
        ),
        (
            {"relationships": FILES["relationships.csv"].replace("Guardian", "secret")},
            "relationships.csv",
            3,
            "relationshipRole",
            "must be one of",
        ),
        (
            {"enrollments": FILES["enrollments.csv"] + "c9,ana,student\r\n"},
            "enrollments.csv",
            4,
            "classSourcedId",
            "class",
        ),
        (
            {"enrollments": FILES["enrollments.csv"] + "c7a,x,student\r\n"},
            "enrollments.csv",
            4,
            "userSourcedId",
            "user",
        ),
        (
            {"demographics": FILES["demographics.csv"].replace("2014", "2033")},
            "demographics.csv",
            2,
            "birthDate",
            "future",
        ),
        ({"demographics": FILES["demographics.csv"] + "x,,\r\n"}, "demographics.csv", 3, "userSourcedId", "user"),
    ],
)
def test_a_bad_value_or_row_is_refused_alone(
    changes: dict[str, str], file: str, line: int, field: str, sentence: str
) -> None:
    """The report names file, line and fix, never the value; the rest is taken over."""
    answer = read(**changes)
    assert [(refused.file, refused.line, refused.field) for refused in answer.refused] == [(file, line, field)]
    assert sentence in answer.refused[0].reason
    assert "secret" not in answer.refused[0].reason
    assert "ines" in {contact.id for contact in answer.directory.contacts}
    assert find_problems(answer.directory, TODAY) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"users": USERS.replace("ines@example.org,020", "secret,020")},
        {"users": USERS.replace("020 7946 0001", "secret")},
        {"users": USERS.replace("07700 900001", "secret")},
        {"users": USERS.replace("Inês", "x" * 201)},
        {
            "users": USERS.replace("ana@example.org,Ana", f"ana@example.org,{'x' * 201}"),
            "roles": FILES["roles.csv"] + "rui,hollins,student,,,,,\r\n",
        },
        {"relationships": FILES["relationships.csv"].replace("ines,parent", "ines,parent,parent")},
        {"roles": FILES["roles.csv"].replace("ana,", "ana,,") + "rui,hollins,student,,,,,\r\n"},
    ],
)
def test_what_was_refused_does_not_end_what_is_on_record(changes: dict[str, str]) -> None:
    """An unreadable value or row leaves its rows as they were."""
    assert ended(next_import(read().directory, read(**changes), today=TODAY)) == set()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"relationships": None}, "relationships.csv: The file is missing"),
        ({"orgs": None}, "orgs.csv: The file is missing"),
        ({"orgs": FILES["orgs.csv"].replace("School,\r", "district,\r")}, "0 organisations"),
        ({"roles": "userSourcedId,orgSourcedId,role\r\n"}, "Nobody has the role student"),
        ({"users": USERS.replace("givenName", "firstName")}, "givenName is missing"),
    ],
)
def test_an_upload_that_cannot_be_read(changes: dict[str, str | None], sentence: str) -> None:
    """One sentence, and the file it is about."""
    with pytest.raises(ImportRefusedError, match=sentence):
        read(**changes)


TOKENS = st.sampled_from([",", '"', "\r\n", "\n", "ana", "ines", "true", "-1", "\x00", "*", "é", "9" * 300, " "])


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_no_damage_to_a_file_breaks_the_reader(name: str, data: st.DataObject) -> None:
    """Whatever is spliced into a file, the answer is a sound directory or a refusal."""
    text = FILES[name]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(TOKENS) + text[end:]
    try:
        answer = read_school_data_sync(zipped({**FILES, name: text}), today=TODAY, school=None)
    except ImportRefusedError:
        return
    assert find_problems(answer.directory, TODAY) == []
    assert msgspec.json.decode(msgspec.json.encode(answer.directory), type=Directory) == answer.directory
