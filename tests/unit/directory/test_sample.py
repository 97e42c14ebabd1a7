"""The sample school that ships is the one its script builds, and shows every case its README promises."""

import datetime as dt

import msgspec
import pytest

from gateway.directory.importing import Import
from gateway.directory.model import (
    CareStatus,
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Flag,
    PointLabel,
    PostalAddress,
    Relationship,
    Responsibility,
    Restriction,
    RestrictionStatus,
)
from gateway.directory.oneroster import read_oneroster
from gateway.directory.validation import find_problems
from gateway.sample.build import FOLDER, build_archive, build_restrictions

TODAY = dt.date(2026, 11, 23)


@pytest.fixture(scope="module")
def answer() -> Import:
    """Import the sample once."""
    return read_oneroster((FOLDER / "hollins.zip").read_bytes(), today=TODAY)


@pytest.fixture(scope="module")
def school(answer: Import) -> Directory:
    """Return the imported directory."""
    return answer.directory


def link(school: Directory, student: str, contact: str) -> Relationship:
    """Return the one relationship of a pair."""
    return next(row for row in school.relationships if (row.student, row.contact) == (student, contact))


def person(school: Directory, contact: str) -> Contact:
    """Return a contact."""
    return next(row for row in school.contacts if row.id == contact)


def points(school: Directory, contact: str) -> dict[str, ContactPoint]:
    """Return a contact's points by the last part of their ids."""
    return {row.id.removeprefix(f"{contact}-"): row for row in school.contact_points if row.contact == contact}


def home(school: Directory, contact: str) -> str | None:
    """Return the household of a contact."""
    return next((row.id for row in school.households if contact in row.members), None)


def test_the_shipped_files_are_what_the_script_builds() -> None:
    """The same seed gives the same bytes."""
    assert build_archive() == (FOLDER / "hollins.zip").read_bytes()
    assert build_restrictions() == (FOLDER / "restrictions.json").read_bytes()


def test_the_school_is_of_the_promised_size(school: Directory) -> None:
    """About 300 students and 500 contacts in eleven languages, with unique mailboxes and mobiles but for one couple."""
    assert len(school.students) == 300
    assert 490 <= len(school.contacts) <= 540
    languages = {contact.language or school.school.language for contact in school.contacts}
    assert languages == {"en", "pl", "ur", "ar", "so", "bn", "cy", "pt-PT", "ro", "zh-Hans", "uk"}
    mailboxes = [point.address for point in school.contact_points if point.channel is ChannelName.EMAIL]
    assert len(set(mailboxes)) == len(mailboxes) - 1
    mobiles = [point.address for point in school.contact_points if point.channel is ChannelName.SMS]
    assert len(set(mobiles)) == len(mobiles)


def test_every_address_is_reserved_for_invention(school: Directory) -> None:
    """Nobody real can be reached by running the sample."""
    for point in school.contact_points:
        if isinstance(point.address, PostalAddress):
            assert point.address.postcode.startswith("ZZ")
        elif point.channel is ChannelName.EMAIL:
            assert point.address.endswith(("@example.org", "@bounce.example.org"))
        else:
            assert point.address.startswith(("+447700900", "+442079460"))


def test_the_directory_is_sound(school: Directory) -> None:
    """The rules may rely on it, and it survives being stored."""
    assert find_problems(school, TODAY) == []
    assert msgspec.json.decode(msgspec.json.encode(school), type=Directory) == school


def test_the_deliberate_mistakes_are_reported(answer: Import) -> None:
    """Six values or rows are refused and the unknown column is named; nobody is lost for it."""
    assert [(refused.file, refused.field) for refused in answer.refused] == [
        ("demographics.csv", "birthDate"),
        ("guardian_links.csv", "livesWith"),
        ("guardian_links.csv", "personSourcedId"),
        ("users.csv", "email"),
        ("users.csv", "sms"),
        ("users.csv", "sourcedId"),
    ]
    assert [note.field for note in answer.notes if note.line == 1] == ["houseColour"]
    school = answer.directory
    assert "email" not in points(school, "c-mistake-email")
    assert set(points(school, "c-mistake-landline")) == {"email", "voice", "letter"}
    assert link(school, "s-mistake-boolean", "c-mistake-boolean").correspondence is Flag.NO
    assert next(student for student in school.students if student.id == "s-mistake-date").birth_date is None


def test_separated_parents_live_apart(school: Directory) -> None:
    """Both are natural parents; they share no household."""
    assert link(school, "s-apart", "c-apart-mother").natural_parent
    assert link(school, "s-apart", "c-apart-father").natural_parent
    assert home(school, "c-apart-mother") != home(school, "c-apart-father")


def test_siblings_share_their_parents(school: Directory) -> None:
    """Three children, two parents, one household, one interpreter."""
    children = {row.student for row in school.relationships if row.contact == "c-siblings-father"}
    assert children == {"s-sibling-1", "s-sibling-2", "s-sibling-3"}
    assert home(school, "c-siblings-mother") == home(school, "c-siblings-father")
    assert person(school, "c-siblings-father").interpreter


def test_the_barred_father_has_an_active_order_beside_the_file(school: Directory) -> None:
    """The file can only draft it; the register of approved restrictions has the same id."""
    (active,) = msgspec.json.decode((FOLDER / "restrictions.json").read_bytes(), type=list[Restriction])
    assert (active.student, active.contact, active.status) == ("s-barred", "c-barred", RestrictionStatus.ACTIVE)
    drafts = {row.contact: row for row in school.restrictions}
    assert set(drafts) == {"c-barred", "c-draft-father"}
    assert drafts["c-barred"].id == active.id
    assert all(row.status is RestrictionStatus.DRAFT for row in drafts.values())


def test_the_looked_after_child_has_worker_and_carer(school: Directory) -> None:
    """A care order, a professional and a carer."""
    assert next(row for row in school.students if row.id == "s-care").care_status is CareStatus.CARE_ORDER
    assert link(school, "s-care", "c-social-worker").professional == "social_worker"
    carer = link(school, "s-care", "c-foster-carer")
    assert carer.relation == "foster_carer"
    assert carer.care_of_child
    assert link(school, "s-care", "c-care-mother").natural_parent


def test_relatives_have_the_roles_they_were_given(school: Directory) -> None:
    """Grandmother is called in emergencies, grandfather pays, step-father cares, partner's standing is unknown."""
    assert link(school, "s-gran", "c-gran").emergency_contact
    assert link(school, "s-gran", "c-payer").bill_payer
    step = link(school, "s-step", "c-step")
    assert (step.relation, step.lives_with, step.care_of_child) == ("step_parent", True, True)
    partner = link(school, "s-partner", "c-partner")
    assert (partner.parental_responsibility, partner.lives_with) == (Responsibility.UNKNOWN, True)
    assert link(school, "s-unexplained", "c-unexplained").correspondence_reason == "unexplained"


@pytest.mark.parametrize(
    ("contact", "routes"),
    [
        ("c-post-only", {"letter"}),
        ("c-post-joint-mother", {"letter"}),
        ("c-post-joint-father", {"letter"}),
        ("c-no-route", set()),
        ("c-gran", {"voice", "letter"}),
        ("c-bounce", {"email", "sms", "voice", "letter"}),
        ("c-landline-mother", {"voice", "letter"}),
        ("s-adult", {"email", "sms", "voice"}),
    ],
)
def test_routes(school: Directory, contact: str, routes: set[str]) -> None:
    """Each has exactly the contact points of their story."""
    assert set(points(school, contact)) == routes


def test_shared_and_special_points(school: Directory) -> None:
    """A mailbox shared by parents apart, a landline by a couple, a dead mailbox, a refuge, a mailbox at work."""
    mother, father = points(school, "c-mailbox-mother"), points(school, "c-mailbox-father")
    assert mother["email"].address == father["email"].address
    assert home(school, "c-mailbox-mother") != home(school, "c-mailbox-father")
    one, other = points(school, "c-landline-mother"), points(school, "c-landline-father")
    assert one["voice"].address == other["voice"].address
    assert home(school, "c-landline-mother") == home(school, "c-landline-father")
    assert str(points(school, "c-bounce")["email"].address).endswith("@bounce.example.org")
    assert points(school, "c-refuge")["letter"].confidential
    assert points(school, "c-staff")["email"].label is PointLabel.WORK
    assert person(school, "c-staff").staff


def test_formats_zones_and_adults(school: Directory) -> None:
    """Large print in two sizes, no calls for the deaf mother, a father in Dubai, a student who is her own contact."""
    assert person(school, "c-large-16").formats == ("large_print_16",)
    assert person(school, "c-large-20").formats == ("large_print_20",)
    assert person(school, "c-deaf").formats == ("text_only", "bsl_video")
    assert person(school, "c-abroad").timezone == "Asia/Dubai"
    assert link(school, "s-adult", "s-adult").relation == "self"
