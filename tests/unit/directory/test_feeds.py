"""Two feeds are joined: what one leaves open the other may say, and what they dispute holds the parent."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.directory.feeds import Merged, merge_feeds
from gateway.directory.importing import Import, ImportRefusedError
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.kinship import nothing_known
from gateway.directory.model import (
    CareStatus,
    Category,
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Flag,
    Household,
    PlacementPlan,
    PointState,
    Preferences,
    Relationship,
    Responsibility,
    Restriction,
    School,
    Sharing,
    Student,
)
from gateway.directory.validation import find_problems
from gateway.rules.answer import Outcome, Request
from gateway.rules.audience import decide
from gateway.rules.categories import CATEGORIES, FLAG_EXEMPT, Audience
from tests.unit.directory.recorded import changed, next_import

TODAY = dt.date(2026, 11, 23)
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
ENGLAND = School(id="hollins", name="Hollins Lane School")
TEXAS = School(id="hollins", name="Hollins Lane School", jurisdiction="US-TX")
ANA = Student(id="ana", given_name="Ana")
RUI = Contact(id="rui", given_name="Rui", preferences=Preferences(opted_in=(Category.FUNDRAISING,)))
INES = Contact(id="ines", given_name="Inês")
MAIL = ContactPoint(id="rui-email", contact="rui", channel=ChannelName.EMAIL, address="rui@example.org")
CALL = ContactPoint(id="rui-voice", contact="rui", channel=ChannelName.VOICE, address="+442079460001")
FATHER = Relationship(student="ana", contact="rui", relation="father", natural_parent=True)
MOTHER = Relationship(student="ana", contact="ines", relation="mother", natural_parent=True, lives_with=True)
HEEDING = sorted(set(Category) - FLAG_EXEMPT)
"""The categories that heed flags."""
OTHERS = sorted(FLAG_EXEMPT)


def feed(*links: Relationship, school: School = ENGLAND, student: Student = ANA, **lists: Any) -> Directory:
    """Write a feed about Ana and Rui."""
    return Directory(
        school=school,
        students=(student,),
        contacts=lists.pop("contacts", (INES, RUI)),
        contact_points=lists.pop("contact_points", (MAIL, CALL)),
        relationships=links,
        **lists,
    )


def rui(**values: Any) -> Relationship:
    """Write Rui's relationship with Ana."""
    return msgspec.structs.replace(FATHER, **values)


def outcome(directory: Directory, category: Category) -> Outcome:
    """Tell what the rules decide for Rui, who is named where only named people are told."""
    named = ("rui",) if CATEGORIES[category].audience is Audience.PERSON else None
    request = Request(category=category, students=("ana",), at=NOON, contacts=named)
    decisions = decide(DirectoryIndex(directory), request).decisions
    return next(found.outcome for found in decisions if found.contact == "rui")


def joined(one: Relationship, two: Relationship, **values: Any) -> Merged:
    """Join two feeds that differ in one link, and see that the outcome is sound and the same the other way round."""
    merged = merge_feeds(feed(one, **values), feed(two, **values))
    assert find_problems(merged.directory, TODAY) == []
    turned = merge_feeds(feed(two, **values), feed(one, **values))
    assert [outcome(merged.directory, c) for c in Category] == [outcome(turned.directory, c) for c in Category]
    return merged


DISPUTES = [
    (rui(), rui(natural_parent=False), {"natural_parent"}),
    (rui(natural_parent=False, legal_guardian=True), rui(natural_parent=False), {"legal_guardian"}),
    (rui(lives_with=True), rui(lives_with=False), {"lives_with"}),
    (
        rui(natural_parent=False, parental_responsibility=Responsibility.YES),
        rui(natural_parent=False, parental_responsibility=Responsibility.NO),
        {"parental_responsibility"},
    ),
    (rui(correspondence=Flag.YES), rui(correspondence=Flag.NO), {"correspondence"}),
    (rui(reports=Flag.YES), rui(reports=Flag.NO, reports_reason="self_requested"), {"reports"}),
    (
        rui(correspondence=Flag.NO, correspondence_reason="self_requested"),
        rui(correspondence=Flag.NO),
        {"correspondence_reason"},
    ),
    (rui(), rui(professional="social_worker"), {"professional"}),
    (rui(valid_to=dt.date(2025, 7, 31)), rui(), {"valid_to"}),
    (rui(valid_from=dt.date(2027, 1, 1)), rui(), {"valid_from"}),
    (rui(), rui(relation="foster_carer"), {"relation"}),
    (
        rui(lives_with=True, care_of_child=True, natural_parent=False),
        rui(natural_parent=False),
        {"lives_with", "care_of_child"},
    ),
]


@pytest.mark.parametrize(("one", "two", "fields"), DISPUTES)
def test_a_disputed_parent_is_held_wherever_flags_count(one: Relationship, two: Relationship, fields: set[str]) -> None:
    """Neither told nor dropped in any category that heeds flags; an emergency still arrives."""
    merged = joined(one, two)
    (task,) = merged.disagreements
    assert (task.entity, task.id, set(task.fields)) == ("relationships", "ana/rui", fields)
    assert {outcome(merged.directory, category) for category in HEEDING} == {Outcome.HOLD}
    assert outcome(merged.directory, Category.EMERGENCY) is Outcome.SEND


@pytest.mark.parametrize("care", CareStatus)
@pytest.mark.parametrize("shared", [(), ("*",)])
def test_care_changes_nothing_about_that(care: CareStatus, shared: tuple[str, ...]) -> None:
    """A placement plan that shares with a disputed parent does not tell him; one that does not still excludes him."""
    plans = (PlacementPlan(student="ana", contact="rui", share=shared),)
    student = msgspec.structs.replace(ANA, care_status=care)
    merged = joined(rui(), rui(natural_parent=False), student=student, placement_plans=plans)
    by_plan = care in (CareStatus.CARE_ORDER, CareStatus.INTERIM_CARE_ORDER) and not shared
    expected = Outcome.EXCLUDE if by_plan else Outcome.HOLD
    assert {outcome(merged.directory, category) for category in HEEDING} == {expected}


@pytest.mark.parametrize(
    ("one", "two", "category", "expected"),
    [
        (rui(), rui(), Category.REPORT, Outcome.SEND),
        (rui(), nothing_known("ana", "rui", "parent"), Category.REPORT, Outcome.SEND),
        (rui(), rui(parental_responsibility=Responsibility.YES, priority=1), Category.REPORT, Outcome.SEND),
        (rui(), rui(reports=Flag.NO), Category.REPORT, Outcome.HOLD),
        (rui(), rui(emergency_contact=True, bill_payer=True), Category.REPORT, Outcome.SEND),
        (rui(), rui(relation="dad"), Category.REPORT, Outcome.SEND),
    ],
)
def test_what_one_feed_leaves_open_is_no_dispute(
    one: Relationship, two: Relationship, category: Category, expected: Outcome
) -> None:
    """A bare link, an unknown or an unset value contradicts nothing."""
    merged = joined(one, two)
    assert merged.disagreements == ()
    assert outcome(merged.directory, category) is expected


links = st.builds(
    Relationship,
    student=st.just("ana"),
    contact=st.just("rui"),
    relation=st.sampled_from(["father", "friend", "step_parent", "foster_carer"]),
    natural_parent=st.booleans(),
    legal_guardian=st.booleans(),
    care_of_child=st.booleans(),
    lives_with=st.booleans(),
    emergency_contact=st.booleans(),
    bill_payer=st.booleans(),
    parental_responsibility=st.sampled_from(Responsibility),
    professional=st.sampled_from([None, None, None, "social_worker", "doctor"]),
    correspondence=st.sampled_from(Flag),
    correspondence_reason=st.sampled_from([None, "self_requested"]),
    reports=st.sampled_from(Flag),
    consented_categories=st.sampled_from([(), (Category.REPORT, Category.MEETING)]),
    valid_to=st.sampled_from([None, None, dt.date(2025, 7, 31), dt.date(2030, 7, 31)]),
)


@settings(max_examples=300, deadline=None)
@given(
    links,
    links,
    st.sampled_from([ENGLAND, TEXAS]),
    st.sampled_from(CareStatus),
    st.sampled_from([None, dt.date(2009, 1, 1), dt.date(2000, 1, 1)]),
    st.sampled_from(Category),
)
def test_a_dispute_admits_no_stranger_and_drops_no_parent(
    one: Relationship, two: Relationship, school: School, care: CareStatus, born: dt.date | None, category: Category
) -> None:
    """Personal mail goes only where both feeds alone would send it, and whom one feed calls a parent is not dropped."""
    student = msgspec.structs.replace(ANA, care_status=care, birth_date=born, sharing_after_18={"*": Sharing.CONSENTED})
    first, second = (feed(MOTHER, link, school=school, student=student) for link in (one, two))
    merged = merge_feeds(first, second)
    assert find_problems(merged.directory, TODAY) == []
    if not merged.disagreements:
        return
    alone = [outcome(directory, category) for directory in (first, second)]
    told = outcome(merged.directory, category)
    if told is Outcome.SEND and category not in FLAG_EXEMPT and CATEGORIES[category].sensitivity:
        assert alone == [Outcome.SEND, Outcome.SEND]
    elif told is Outcome.SEND and one.valid_to == two.valid_to:
        assert Outcome.SEND in alone
    for link, separately in zip((one, two), alone, strict=True):
        parent = link.professional is None and (link.natural_parent or link.legal_guardian)
        if parent and separately in (Outcome.SEND, Outcome.HOLD):
            assert told is Outcome.HOLD or (told is Outcome.SEND and category in FLAG_EXEMPT)


@pytest.mark.parametrize("category", [Category.EMERGENCY, Category.SAFEGUARDING])
def test_two_feeds_do_not_revive_a_birth_parent_together(category: Category) -> None:
    """One feed's responsibility and the other's birth, of an adopted child's social worker: held."""
    adopted = msgspec.structs.replace(ANA, care_status=CareStatus.ADOPTED)
    responsible = rui(
        natural_parent=False, professional="social_worker", parental_responsibility=Responsibility.YES, reports=Flag.YES
    )
    birth = rui(professional="social_worker", emergency_contact=True, reports=Flag.YES)
    assert outcome(joined(responsible, birth, student=adopted).directory, category) is Outcome.HOLD


def test_who_is_in_one_feed_only_is_taken_over() -> None:
    """Students, contacts, points and links are united."""
    ben = Student(id="ben")
    other = Directory(
        school=ENGLAND,
        students=(ben,),
        contacts=(INES,),
        relationships=(Relationship(student="ben", contact="ines", relation="mother", natural_parent=True),),
    )
    merged = merge_feeds(feed(rui(), contacts=(RUI,)), other)
    assert merged.disagreements == ()
    assert [student.id for student in merged.directory.students] == ["ana", "ben"]
    assert [contact.id for contact in merged.directory.contacts] == ["ines", "rui"]
    assert len(merged.directory.relationships) == 2


def test_a_history_in_both_feeds_is_kept() -> None:
    """Rows of the past that agree stay; a current row in one feed only is taken over."""
    ended = rui(valid_to=dt.date(2025, 7, 31))
    current = rui(valid_from=dt.date(2026, 9, 1))
    merged = merge_feeds(feed(ended), feed(ended, current))
    assert (merged.directory.relationships, merged.disagreements) == ((ended, current), ())


def bar(**values: Any) -> Restriction:
    """Write a block of Rui."""
    sound = {"id": "r1", "student": "ana", "contact": "rui", "effect": "deny", "basis": "court_order"}
    return msgspec.convert(sound | values, Restriction)


@pytest.mark.parametrize("statuses", [("active", "superseded"), ("superseded", "active"), ("draft", "active")])
def test_no_feed_lifts_the_others_restriction(statuses: tuple[str, str]) -> None:
    """Two records of one id both work; a record of one feed works as well."""
    first, second = (feed(rui(), restrictions=(bar(status=status),)) for status in statuses)
    merged = merge_feeds(first, second).directory
    assert {row.status for row in merged.restrictions} == set(statuses)
    assert outcome(merged, Category.NEWSLETTER) is Outcome.EXCLUDE
    assert merge_feeds(feed(rui()), second).directory.restrictions == second.restrictions


def test_confidential_is_never_cleared() -> None:
    """Whichever feed says so, and under whichever id the address stands."""
    secret = msgspec.structs.replace(MAIL, id="other", confidential=True, address="RUI@example.org")
    for one, two in ((MAIL, secret), (secret, MAIL), (MAIL, msgspec.structs.replace(secret, id=MAIL.id))):
        merged = merge_feeds(feed(rui(), contact_points=(one,)), feed(rui(), contact_points=(two,)))
        assert all(point.confidential for point in merged.directory.contact_points)
        assert merged.disagreements == ()


def test_a_disputed_address_is_kept_for_emergencies() -> None:
    """Both are doubtful, so that neither carries ordinary mail and neither is taken for unshared."""
    moved = msgspec.structs.replace(MAIL, address="family@example.org")
    merged = merge_feeds(feed(rui(), contact_points=(MAIL,)), feed(rui(), contact_points=(moved,)))
    assert [task.entity for task in merged.disagreements] == ["contact_points"]
    points = merged.directory.contact_points
    assert {point.address for point in points} == {"rui@example.org", "family@example.org"}
    assert {point.state for point in points} == {PointState.SUSPECT}
    assert outcome(merged.directory, Category.REPORT) is Outcome.UNREACHABLE
    assert outcome(merged.directory, Category.EMERGENCY) is Outcome.SEND


def test_a_student_two_feeds_know_differently() -> None:
    """Disputed care holds all; a refusal beats a consent; a date of birth is believed from the first, with a task."""
    one = Student(
        id="ana", care_status=CareStatus.SECTION_20, sharing_after_18={"*": Sharing.CONSENTED}, groups=("7A",)
    )
    two = Student(
        id="ana",
        birth_date=dt.date(2014, 5, 6),
        care_status=CareStatus.CARE_ORDER,
        sharing_after_18={"*": Sharing.REFUSED},
        groups=("choir",),
    )
    merged = merge_feeds(feed(rui(), student=one), feed(rui(), student=two))
    (ana,) = merged.directory.students
    assert (ana.care_status, ana.sharing_after_18) == (CareStatus.EMERGENCY_PROTECTION, {"*": Sharing.REFUSED})
    assert (ana.groups, ana.birth_date) == (("7A", "choir"), dt.date(2014, 5, 6))
    assert [task.fields for task in merged.disagreements] == [("care_status",)]
    born = msgspec.structs.replace(two, birth_date=dt.date(2013, 5, 6))
    assert ("birth_date",) in [
        task.fields for task in merge_feeds(feed(rui(), student=two), feed(rui(), student=born)).disagreements
    ]


def test_the_dead_and_the_joint() -> None:
    """A death in one feed stops mail; who is housed differently lives apart; plans share what both share."""
    home = Household(id="h", members=("ines", "rui"))
    apart = Household(id="h", members=("ines",))
    elsewhere = Household(id="k", members=("rui",))
    plan = PlacementPlan(student="ana", contact="rui", share=("*",))
    one = feed(rui(), households=(home,), placement_plans=(plan,))
    two = feed(
        rui(),
        contacts=(INES, msgspec.structs.replace(RUI, deceased=True)),
        households=(apart, elsewhere),
        placement_plans=(msgspec.structs.replace(plan, share=("report",)),),
    )
    merged = merge_feeds(one, two)
    assert outcome(merged.directory, Category.EMERGENCY) is Outcome.EXCLUDE
    assert [household.members for household in merged.directory.households] == [("ines",), ()]
    assert merged.directory.placement_plans[0].share == ("report",)
    assert [(task.entity, task.id) for task in merged.disagreements] == [
        ("contacts", "rui"),
        ("households", "h"),
        ("households", "k"),
    ]


def test_joining_twice_changes_nothing() -> None:
    """A feed joined with itself is that feed, and the joined directory imports once."""
    one = feed(MOTHER, rui(), households=(Household(id="h", members=("ines", "rui")),), restrictions=(bar(),))
    assert set(merge_feeds(one, one).directory.relationships) == {MOTHER, FATHER}
    merged = merge_feeds(one, feed(rui(natural_parent=False)))
    again = merge_feeds(one, feed(rui(natural_parent=False)))
    assert merged == again
    assert changed(next_import(merged.directory, Import(directory=again.directory), today=TODAY)) == set()


def test_feeds_of_two_schools_are_refused() -> None:
    """Nothing is joined across schools."""
    with pytest.raises(ImportRefusedError, match="different schools"):
        merge_feeds(feed(rui()), feed(rui(), school=School(id="other", name="Other")))
