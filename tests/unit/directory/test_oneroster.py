"""OneRoster exports become directories: good lines are taken over, bad ones are refused one by one."""

import datetime as dt
from contextlib import suppress

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.directory.importing import Import, ImportRefusedError
from gateway.directory.model import CareStatus, Directory, Flag, PointLabel, Relationship, Responsibility
from gateway.directory.oneroster import read_oneroster
from gateway.directory.validation import find_problems
from tests.unit.directory.exports import (
    CLASSES,
    DEMOGRAPHICS,
    ENROLLMENTS,
    FATHER,
    MANIFEST,
    MOTHER,
    ORGS,
    ROLES,
    USERS,
    export,
    files,
    links,
    zipped,
)

TODAY = dt.date(2026, 11, 23)
SOUND = export()
ZONED = "sourcedId,name,type,metadata.timezone\r\nhollins,Hollins Lane School,school,{}\r\n"


def read(**changes: str | bytes | None) -> Import:
    """Import a sound export with changes."""
    return read_oneroster(export(**changes), today=TODAY)


def link(answer: Import, contact: str) -> Relationship:
    """Return Ana's relationship with a contact."""
    return next(row for row in answer.directory.relationships if row.contact == contact)


def test_a_sound_export_is_taken_over_without_a_word() -> None:
    """Student, groups, contacts and their points arrive; the teacher, nobody's parent, does not."""
    answer = read()
    assert (answer.refused, answer.notes) == ((), ())
    school = answer.directory
    (ana,) = school.students
    assert (ana.given_name, ana.birth_date, ana.groups) == ("Ana", dt.date(2014, 5, 6), ("7A", "c7a", "year-7"))
    assert [contact.id for contact in school.contacts] == ["ines", "rui"]
    assert {point.id: point.address for point in school.contact_points} == {
        "ines-email": "ines@example.org",
        "ines-sms": "+447700900001",
        "ines-voice": "+447700900001",
        "rui-email": "rui@example.org",
        "rui-sms": "+447700900002",
        "rui-voice": "+447700900002",
        "rui-voice-2": "+442079460001",
    }
    assert link(answer, "ines").natural_parent


def test_the_same_file_gives_the_same_answer() -> None:
    """Reading twice changes nothing, and neither does the order of the rows."""
    assert read() == read()
    assert read(guardian_links=links(FATHER, MOTHER)).directory == read().directory


def test_version_1_1_keeps_the_role_in_users() -> None:
    """Roles.csv is missing, and role and orgSourcedIds stand in users.csv."""
    answer = read(
        manifest=MANIFEST.replace("1.2", "1.1"),
        users="sourcedId,givenName,familyName,role,orgSourcedIds,agentSourcedIds\r\n"
        'ana,Ana,Duarte,student,hollins,"ines,rui"\r\nines,Inês,Matias,parent,hollins,\r\nrui,Rui,Duarte,parent,hollins,\r\n',
        roles=None,
    )
    assert answer.refused == ()
    assert [student.id for student in answer.directory.students] == ["ana"]
    assert [contact.id for contact in answer.directory.contacts] == ["ines", "rui"]


def test_columns_are_found_by_name_behind_a_byte_order_mark() -> None:
    """Their order is of no matter; metadata columns are nobody's business; unknown ones are reported."""
    users = "\ufefffamilyName,sourcedId,metadata.bus,shoeSize,givenName,agentSourcedIds\r\nDuarte,ana,4,36,Ana,rui\r\n"
    answer = read(users=users + "Duarte,rui,,,Rui,\r\n", roles=ROLES.split("r2")[0], guardian_links=links(FATHER))
    assert answer.directory.students[0].family_name == "Duarte"
    assert [(note.file, note.line, note.field) for note in answer.notes] == [
        ("users.csv", 1, "shoeSize"),
        ("users.csv", 3, None),
    ]


def test_without_guardian_links_only_general_news_is_possible() -> None:
    """Nothing is known of agents but the link; one note says so."""
    answer = read(guardian_links=None)
    assert [note.file for note in answer.notes] == ["guardian_links.csv"]
    rui = link(answer, "rui")
    assert (rui.relation, rui.natural_parent, rui.lives_with) == ("parent", False, True)
    assert rui.parental_responsibility is Responsibility.UNKNOWN


def test_an_agent_without_a_row_is_linked_with_nothing_known() -> None:
    """A parent whom the extension forgot is held, not dropped."""
    answer = read(guardian_links=links(MOTHER))
    assert not link(answer, "rui").natural_parent
    assert [(note.file, note.line) for note in answer.notes] == [("users.csv", 2)]


def test_a_reference_to_an_order_bars_as_a_draft() -> None:
    """The file itself makes no active restriction, not even when the rest of the row is wrong."""
    answer = read(guardian_links=links(MOTHER, FATHER | {"restrictionRef": "order-7", "livesWith": "maybe"}))
    (draft,) = answer.directory.restrictions
    assert (draft.id, draft.student, draft.contact, draft.status) == ("order-7", "ana", "rui", "draft")
    reason = read(
        guardian_links=links(FATHER | {"correspondence": "no", "correspondenceReason": "restriction:order-7"})
    )
    assert reason.directory.restrictions == (draft,)


def test_one_order_about_two_children_makes_two_drafts() -> None:
    """Each pair has its own record, with an id that depends on nobody else."""
    users = USERS + 'ben,Ben,Duarte,,,,"rui",09\r\n'
    barred = FATHER | {"restrictionRef": "order-7"}
    both = links(barred, barred | {"studentSourcedId": "ben"})
    drafts = read(users=users, roles=ROLES + "r9,ben,primary,student,,\r\n", guardian_links=both).directory.restrictions
    assert {draft.student for draft in drafts} == {"ana", "ben"}
    assert len({draft.id for draft in drafts}) == 2


def test_a_parent_with_an_unreadable_value_is_held_not_dropped() -> None:
    """The readable part shows a parent: flagged without explanation (R10b)."""
    answer = read(guardian_links=links(MOTHER, FATHER | {"livesWith": "maybe"}))
    rui = link(answer, "rui")
    assert (rui.natural_parent, rui.correspondence, rui.reports) == (True, Flag.NO, Flag.NO)
    assert rui.correspondence_reason == "unexplained"
    assert [(refused.line, refused.field) for refused in answer.refused] == [(3, "livesWith")]


def test_an_unreadable_standing_is_not_believed() -> None:
    """Whether he is a parent cannot be read, so only the link stands (R13)."""
    rui = link(read(guardian_links=links(MOTHER, FATHER | {"naturalParent": "ja"})), "rui")
    assert (rui.natural_parent, rui.lives_with, rui.parental_responsibility) == (False, True, Responsibility.UNKNOWN)


def test_an_unreadable_care_status_holds_everything() -> None:
    """Anything but a known status counts as emergency protection until it is corrected."""
    answer = read(demographics=DEMOGRAPHICS.replace("06,", "06,LAC"))
    assert answer.directory.students[0].care_status is CareStatus.EMERGENCY_PROTECTION
    assert [refused.field for refused in answer.refused] == ["metadata.careStatus"]


def test_rows_of_one_person_that_disagree() -> None:
    """The first language stays, but a disputed address or household is used for nothing."""
    first = MOTHER | {"preferredLanguage": "pl", "householdId": "h1", "addressLine1": "1 Mill", "postcode": "ZZ1 1ZZ"}
    second = first | {
        "studentSourcedId": "ben",
        "preferredLanguage": "uk",
        "householdId": "h2",
        "addressLine1": "2 Mill",
    }
    users = USERS + 'ben,Ben,Duarte,,,,"ines",09\r\n'
    answer = read(
        users=users, roles=ROLES + "r9,ben,primary,student,,\r\n", guardian_links=links(first, second, FATHER)
    )
    assert answer.directory.contacts[0].language == "pl"
    assert answer.directory.households == ()
    assert "ines-letter" not in {point.id for point in answer.directory.contact_points}
    assert {refused.field for refused in answer.refused} == {"preferredLanguage", "householdId", "addressLine1"}


@pytest.mark.parametrize("answered", ["true", "perhaps"])
def test_an_address_is_confidential_when_it_may_be(answered: str) -> None:
    """An answer that cannot be read never opens a refuge's address."""
    row = MOTHER | {"addressLine1": "1 Mill", "postcode": "ZZ1 1ZZ", "addressConfidential": answered}
    points = {point.id: point for point in read(guardian_links=links(row, FATHER)).directory.contact_points}
    assert points["ines-letter"].confidential


def test_staff_and_professionals_have_their_mailbox_at_work() -> None:
    """What users.csv says of a teacher is the school's mailbox (R27)."""
    answer = read(users=USERS.replace('"ines,rui"', '"ines,rui,kim"'))
    kim = next(contact for contact in answer.directory.contacts if contact.id == "kim")
    assert kim.staff
    labels = {point.id: point.label for point in answer.directory.contact_points}
    assert (labels["kim-email"], labels["ines-email"]) == (PointLabel.WORK, PointLabel.PERSONAL)


def test_an_adult_student_without_a_row_of_her_own_is_noted() -> None:
    """At 18 she is the recipient, so somebody must say how she is reached."""
    grown = DEMOGRAPHICS.replace("2014-05-06", "2008-11-23")
    assert [note.line for note in read(demographics=grown).notes] == [2]
    own = {"studentSourcedId": "ana", "personSourcedId": "ana", "relation": "self"}
    answer = read(demographics=grown, guardian_links=links(MOTHER, FATHER, own))
    assert answer.directory.contacts[0].id == "ana"
    assert answer.refused == ()


def test_links_of_one_pair_may_follow_each_other() -> None:
    """An ended link and its successor stand side by side; an overlap is refused."""
    ended = FATHER | {"validTo": "2025-07-31"}
    assert read(guardian_links=links(MOTHER, ended, FATHER | {"validFrom": "2025-08-01"})).refused == ()
    overlapping = read(guardian_links=links(MOTHER, ended, FATHER | {"validFrom": "2025-07-31"}))
    assert [(refused.line, refused.field) for refused in overlapping.refused] == [(4, "personSourcedId")]


def test_past_classes_and_ended_schooling() -> None:
    """A class that ended gives no group; the student's role says until when she is here."""
    answer = read(
        enrollments=ENROLLMENTS.replace("student,,", "student,2025-09-01,2026-08-31"),
        roles=ROLES.replace("student,,", "student,2025-09-01,2026-12-31"),
    )
    (ana,) = answer.directory.students
    assert ana.groups == ("year-7",)
    assert (ana.enrolled_from, ana.enrolled_to) == (dt.date(2025, 9, 1), dt.date(2026, 12, 31))


def _user(line: str) -> dict[str, str]:
    return {"users": USERS + line}


def _link(**values: str) -> dict[str, str]:
    return {"guardian_links": links(MOTHER, FATHER | values)}


@pytest.mark.parametrize(
    ("changes", "file", "line", "field", "sentence"),
    [
        (_user("rui,Rui,Duarte,,,,,\r\n"), "users.csv", 6, "sourcedId", "same id"),
        (_user(",Rui,Duarte,,,,,\r\n"), "users.csv", 6, "sourcedId", "no id"),
        (_user("*,Rui,Duarte,,,,,\r\n"), "users.csv", 6, "sourcedId", "asterisk"),
        (_user(f"{'x' * 191},Rui,Duarte,,,,,\r\n"), "users.csv", 6, "sourcedId", "longer than 190"),
        (_user(f"x,{'x' * 201},Duarte,,,,,\r\n"), "users.csv", 6, "givenName", "longer than 200"),
        (_user('x,"R\r\nui",Duarte,,,,,\r\n'), "users.csv", 6, "givenName", "line break"),
        (_user("x,R\x00ui,Duarte,,,,,\r\n"), "users.csv", 6, "givenName", "control character"),
        (_user("x,Rui\r\n"), "users.csv", 6, "", "2 values for 8 columns"),
        ({"users": USERS.replace("ines@", "ines at ")}, "users.csv", 3, "email", "e-mail address"),
        ({"users": USERS.replace("07700 900001", "07700")}, "users.csv", 3, "sms", "digits"),
        ({"users": USERS.replace("07700 900001", "020 7946 0002")}, "users.csv", 3, "sms", "landline"),
        ({"users": USERS.replace("ines,rui", "ines,rui,zoe")}, "users.csv", 2, "agentSourcedIds", "names nobody"),
        ({"users": USERS.replace("ines,rui", "ines,rui,ana")}, "users.csv", 2, "agentSourcedIds", "a student"),
        ({"roles": ROLES + "r9,zoe,primary,parent,,\r\n"}, "roles.csv", 6, "userSourcedId", "add the user"),
        ({"roles": ROLES.replace("student,,", "student,1.9.2025,")}, "roles.csv", 2, "beginDate", "YYYY-MM-DD"),
        ({"demographics": DEMOGRAPHICS.replace("05-06", "02-30")}, "demographics.csv", 2, "birthDate", "calendar"),
        ({"demographics": DEMOGRAPHICS.replace("2014", "2033")}, "demographics.csv", 2, "birthDate", "future"),
        ({"demographics": DEMOGRAPHICS + "zoe,,\r\n"}, "demographics.csv", 3, "sourcedId", "add the user"),
        ({"enrollments": ENROLLMENTS + "e2,c9,ana,student,,\r\n"}, "enrollments.csv", 3, "classSourcedId", "class"),
        ({"orgs": ZONED.format("GMT+99")}, "orgs.csv", 2, "metadata.timezone", "Europe/London"),
        ({"orgs": ZONED.format("../Europe")}, "orgs.csv", 2, "metadata.timezone", "Europe/London"),
        (_link(studentSourcedId="zoe"), "guardian_links.csv", 3, "studentSourcedId", "add the student"),
        (_link(personSourcedId="zoe"), "guardian_links.csv", 3, "personSourcedId", "add the person"),
        (_link(personSourcedId="ines"), "guardian_links.csv", 3, "personSourcedId", "earlier row"),
        (_link(relation="self"), "guardian_links.csv", 3, "relation", "self"),
        (_link(personSourcedId="ana"), "guardian_links.csv", 3, "relation", "self"),
        (_link(correspondence="never"), "guardian_links.csv", 3, "correspondence", "yes, no"),
        (_link(correspondenceReason="ex-wife"), "guardian_links.csv", 3, "correspondenceReason", "self_requested"),
        (_link(preferredLanguage="Polish please"), "guardian_links.csv", 3, "preferredLanguage", "tag"),
        (_link(formats="LARGE!"), "guardian_links.csv", 3, "formats", "large_print_16"),
        (_link(addressLine1="1 Mill Bank"), "guardian_links.csv", 3, "addressLine1", "postcode"),
        (_link(validTo="31/07/2026"), "guardian_links.csv", 3, "validTo", "YYYY-MM-DD"),
        (_link(validFrom="2026-09-01", validTo="2026-08-01"), "guardian_links.csv", 3, "validTo", "ends before"),
    ],
)
def test_a_bad_line_is_refused_and_the_rest_taken_over(
    changes: dict[str, str], file: str, line: int, field: str, sentence: str
) -> None:
    """File, line, field and one sentence; Ana and her mother are there all the same."""
    answer = read(**changes)
    assert [(refused.file, refused.line, refused.field) for refused in answer.refused] == [(file, line, field)]
    assert sentence in answer.refused[0].reason
    assert [student.id for student in answer.directory.students] == ["ana"]
    assert "ines" in {contact.id for contact in answer.directory.contacts}
    assert find_problems(answer.directory, TODAY) == []


@pytest.mark.parametrize(
    ("changes", "file", "sentence"),
    [
        ({"manifest": None}, "manifest.csv", "missing"),
        ({"users": None}, "users.csv", "missing"),
        ({"orgs": None}, "orgs.csv", "missing"),
        ({"roles": None}, "roles.csv", "nobody is known to be a student"),
        ({"manifest": MANIFEST.replace("1.2", "2.0")}, "manifest.csv", "oneroster.version"),
        ({"manifest": MANIFEST.replace("bulk", "delta")}, "manifest.csv", "bulk mode"),
        ({"manifest": MANIFEST.replace("bulk", "absent")}, "manifest.csv", "both agree"),
        ({"manifest": MANIFEST.replace("bulk", "some")}, "manifest.csv", "bulk, delta or absent"),
        ({"manifest": MANIFEST + "file.demographics,bulk\r\n", "demographics": None}, "manifest.csv", "both agree"),
        ({"users": ""}, "users.csv", "empty"),
        ({"users": USERS.replace("givenName", "GivenName")}, "users.csv", "givenName is missing"),
        ({"users": USERS.replace("grades", "email")}, "users.csv", "twice"),
        ({"users": USERS.encode("utf-16")}, "users.csv", "UTF-8"),
        ({"users": USERS.encode("latin-1")}, "users.csv", "UTF-8"),
        ({"users": USERS + '"x,Rui'}, "users.csv", "quotation mark"),
        ({"orgs": ORGS.replace(",school", ",district")}, "orgs.csv", "0 organisations"),
        ({"orgs": ORGS + "other,Other,school\r\n"}, "orgs.csv", "2 organisations"),
        (
            {"classes": CLASSES.replace("title", "title,status").replace("7A\r", "7A,tobedeleted\r")},
            "classes.csv",
            "delta",
        ),
    ],
)
def test_a_file_that_cannot_be_read_refuses_the_import(
    changes: dict[str, str | bytes | None], file: str, sentence: str
) -> None:
    """One sentence, and the file it is about."""
    with pytest.raises(ImportRefusedError) as refusal:
        read(**changes)
    assert refusal.value.file == file
    assert sentence in refusal.value.sentence


def test_no_refusal_repeats_what_was_written() -> None:
    """Reports may be mailed about; the values stay in the file."""
    users = USERS.replace("ines@example.org", "secret@@secret").replace("07700 900002", "secret")
    answer = read(users=users, guardian_links=links(MOTHER | {"validTo": "secret"}, FATHER | {"formats": "se cret"}))
    assert len(answer.refused) == 4
    assert all("secret" not in refused.reason for refused in answer.refused)


TOKENS = st.sampled_from([",", '"', "\r\n", "\n", "ana", "ines", "true", "no", "-1", "\x00", "*", "é", "9" * 300, " "])


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(files())), st.data())
def test_no_damage_to_a_file_breaks_the_reader(name: str, data: st.DataObject) -> None:
    """Whatever is spliced into a file, the answer is a sound directory or a refusal."""
    contents = files()
    text = str(contents[name])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(TOKENS) + text[end:]
    try:
        answer = read_oneroster(zipped(contents | {name: text}), today=TODAY)
    except ImportRefusedError:
        return
    assert find_problems(answer.directory, TODAY) == []
    assert msgspec.json.decode(msgspec.json.encode(answer.directory), type=Directory) == answer.directory


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=6))
def test_no_damage_to_the_zip_breaks_the_reader(place: int, splinter: bytes) -> None:
    """Flipped bytes give an answer or a refusal, never another error."""
    archive = bytearray(SOUND)
    place %= len(archive)
    archive[place : place + len(splinter)] = splinter
    with suppress(ImportRefusedError):
        assert find_problems(read_oneroster(bytes(archive), today=TODAY).directory, TODAY) == []
