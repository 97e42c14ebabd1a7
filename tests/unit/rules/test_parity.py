"""The parity report: who fares differently, in what, and why (R12)."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, ChannelName, ContactPoint, Directory, PostalAddress, Relationship
from gateway.rules.answer import Decision, Outcome, Request
from gateway.rules.audience import DEFAULT_POLICY, decide
from gateway.rules.categories import CATEGORIES, Audience
from gateway.rules.households import Households
from gateway.rules.lost_routes import lost_routes
from gateway.rules.occasion import occasion_of, pair_of, pupil_of
from gateway.rules.parity import Fate, differences, differences_in_fact
from gateway.rules.treatment import Aspect, Cause, Difference, Trace
from tests.unit.rules.households import PARENT, directory, email, letter, relation, voice
from tests.unit.rules.schools import NOON, SchoolMaker, makers, questions

FAMILIES = Path(__file__).parents[2] / "families"
EVENING = dt.datetime(2026, 6, 15, 20, 30, tzinfo=dt.UTC)

thorough = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def family(number: str) -> Directory:
    """Read one of the worked families."""
    path = next(FAMILIES.glob(f"{number}-*.json"))
    return msgspec.convert(json.loads(path.read_text(encoding="utf-8"))["directory"], Directory)


def found(school: Directory, at: dt.datetime = NOON, **options: Any) -> dict[str, Difference]:
    """Give the differences of a school with one student, by category."""
    return {one.category.value: one for one in differences(DirectoryIndex(school), at, **options)}


def why(difference: Difference, contact: str) -> set[tuple[str, str, str | None]]:
    """Give the aspect, rule and channel of every reason for one parent."""
    parent = next(parent for parent in difference.parents if parent.contact == contact)
    return {(reason.aspect.value, reason.rule, reason.channel) for reason in parent.reasons}


def test_separated_parents_with_equal_facts_differ_only_in_the_ladder() -> None:
    """F2: every other category treats both alike, and the ladder's steps are explained."""
    by_category = found(family("F02"))
    assert set(by_category) == {"attendance", "child_safety"}
    for one in by_category.values():
        assert one.explained
        assert one.aspects == (Aspect.STEP,)
        assert why(one, "cerys") == set()
        assert why(one, "gareth") == {("step", "R31", None)}


@pytest.mark.parametrize("at", [NOON, EVENING])
def test_separated_parents_have_no_unexplained_difference(at: dt.datetime) -> None:
    """F2, by day and in quiet hours (Q01)."""
    assert all(one.explained for one in found(family("F02"), at).values())


def test_a_court_order_explains_everything() -> None:
    """F3: the father is out of every category by R01; the grandmother is no parent and not compared."""
    by_category = found(family("F03"))
    assert set(by_category) == {name for name, row in CATEGORIES.items() if row.audience is not Audience.PERSON}
    for category, one in by_category.items():
        assert one.explained
        assert [parent.contact for parent in one.parents] == ["ines", "tiago"]
        father = one.parents[1].reasons[0]
        assert (father.rule, father.cause) == ("R01", Cause.RESTRICTION)
        assert father.aspect is (Aspect.RULE if category == "fundraising" else Aspect.OUTCOME), "she has not opted in"


def test_an_unexplained_flag_is_the_schools_to_explain() -> None:
    """F22: her own request is explained, his flag is not; reports are not touched by it."""
    by_category = found(family("F22"))
    assert "report" not in by_category
    news, meeting = by_category["newsletter"], by_category["meeting"]
    assert not news.explained
    assert why(news, "jana") == {("outcome", "R10a", None)}
    assert why(news, "marek") == {("outcome", "R10b", None)}
    assert not meeting.explained
    assert why(meeting, "jana") == set()
    assert why(meeting, "marek") == {("outcome", "R10b", None)}


def test_a_shared_mailbox_is_named_as_the_reason() -> None:
    """F7: parents apart with one mailbox have different channels left, each with its rule."""
    by_category = found(family("F07"))
    behaviour = by_category["behaviour"]
    assert behaviour.explained
    assert behaviour.aspects == (Aspect.CHANNELS,)
    assert why(behaviour, "dawn") == {("channels", "R24", "letter")}
    assert why(behaviour, "paul") == {("channels", "R24", "sms")}
    assert why(by_category["attendance"], "paul") == {("outcome", "R29", None)}
    assert why(by_category["emergency"], "paul") == {("channels", "R24", "sms")}
    assert why(by_category["newsletter"], "dawn") == {("channels", "R24", "letter")}


def test_quiet_hours_and_missing_numbers_are_the_only_differences_of_a_father_abroad() -> None:
    """F13: by night he waits for eight o'clock in Dubai; by day nothing waits; alerts never do."""
    night, day = found(family("F13"), EVENING), found(family("F13"))
    assert night["routine"].aspects == (Aspect.WAIT,)
    assert why(night["routine"], "omar") == {("wait", "R32", None)}
    assert "routine" not in day
    assert night["emergency"].aspects == (Aspect.CHANNELS,)
    assert why(night["emergency"], "hina") == {("channels", "R24", "voice")}
    assert all(one.explained for one in (*night.values(), *day.values()))


def test_no_call_for_a_deaf_mother_is_her_own_wish() -> None:
    """F21 with a father who hears: she gets the alert by text and e-mail, and no call."""
    alone = family("F21")
    assert found(alone) == {}
    father = Relationship(student="alma", contact="abuelo", natural_parent=True, lives_with=True, priority=2)
    points = [
        ContactPoint(id="a-m", contact="abuelo", channel=ChannelName.SMS, address="07700 900099"),
        ContactPoint(id="a-e", contact="abuelo", channel=ChannelName.EMAIL, address="abuelo@example.org"),
    ]
    people = tuple(
        msgspec.structs.replace(person, formats=("bsl_video",) * (person.id == "rosa")) for person in alone.contacts
    )
    together = msgspec.structs.replace(
        alone,
        contacts=people,
        contact_points=(*alone.contact_points, *points),
        relationships=(*(row for row in alone.relationships if row.contact == "rosa"), father),
    )
    alert = found(together)["emergency"]
    assert alert.explained
    assert why(alert, "rosa") == {("channels", "P8", "voice")}
    assert why(alert, "abuelo") == set()


def test_a_text_in_one_parents_language_only_is_not_explained() -> None:
    """Who gets another language than the other parent's is the school's to put right."""
    by_category = found(
        family("F13"), is_written=lambda category, language: language == "en" or category is not Category.ROUTINE
    )
    assert by_category["routine"].aspects == (Aspect.LANGUAGE,)
    assert not by_category["routine"].explained
    assert why(by_category["routine"], "hina") == {("language", "R12", None)}


def test_an_own_order_of_channels_is_a_wish() -> None:
    """Letters first for one, e-mail first for the other."""
    by_category = found(
        directory(
            relationships=[relation("mum", **PARENT), relation("dad", **PARENT)],
            contacts=[{"id": "mum", "preferences": {"channels": {"report": ["letter"]}}}],
            contact_points=[email("mum"), letter("mum", "1 Weir Street"), email("dad"), letter("dad", "2 Weir Street")],
        )
    )
    assert set(by_category) == {"report"}
    assert why(by_category["report"], "mum") == {("channels", "R21", None)}


def test_a_step_parent_the_dead_and_the_student_are_not_compared() -> None:
    """Only living parents by law (R07) count, and never the student."""
    rows = [
        relation("mum", **PARENT),
        relation("late", **PARENT),
        relation("gran"),
        relation("kid", relation="self", parental_responsibility="yes"),
    ]
    contacts = [{"id": "late", "deceased": True}]
    assert found(directory(relationships=rows, contacts=contacts, contact_points=[])) == {}


def decided(contact: str, outcome: str = "send", rule: str = "R07") -> Decision:
    """Write down what was decided about one parent of `kid`."""
    return Decision(student="kid", contact=contact, outcome=Outcome(outcome), rule=rule, reason="A reason.")


class TestInFact:
    """What became of one notification."""

    SCHOOL = DirectoryIndex(
        directory(
            relationships=[relation("mum", **PARENT), relation("dad", **PARENT)],
            contact_points=[email("mum"), email("dad"), voice("mum", "07700 900001"), voice("dad", "07700 900002")],
        )
    )

    def compared(self, **fates: Fate) -> list[Difference]:
        """Compare what became of a report for both parents."""
        return list(differences_in_fact(self.SCHOOL, Category.REPORT, NOON, fates.values()))

    def fate(self, contact: str, *states: tuple[str, str, str | None], **fields: Any) -> Fate:
        """Describe a message by e-mail and the states of its deliveries."""
        traces = tuple(Trace(channel=ChannelName(c), state=s, detail=d) for c, s, d in states)
        return Fate(decision=decided(contact), channels=(ChannelName.EMAIL,), traces=traces, **fields)

    def test_both_reached(self) -> None:
        """Accepted here and delivered there is the same."""
        mum, dad = self.fate("mum", ("email", "sent", None)), self.fate("dad", ("email", "delivered", None))
        assert self.compared(mum=mum, dad=dad) == []

    def test_one_bounced(self) -> None:
        """The provider's sentence is the reason."""
        mum = self.fate("mum", ("email", "delivered", None))
        dad = self.fate("dad", ("email", "failed", "The mailbox does not exist."))
        (one,) = self.compared(mum=mum, dad=dad)
        assert one.aspects == (Aspect.ARRIVAL,)
        assert one.explained
        assert [reason.sentence for reason in one.parents[0].reasons] == ["The mailbox does not exist."]
        assert one.parents[1].reasons == ()

    def test_one_was_held(self) -> None:
        """The decision on record is the reason, not what would be decided today."""
        dad = Fate(decision=decided("dad", "hold", "R10b"))
        (one,) = self.compared(mum=self.fate("mum", ("email", "sent", None)), dad=dad)
        assert one.aspects == (Aspect.OUTCOME,)
        assert not one.explained
        assert why(one, "dad") == {("outcome", "R10b", None)}

    def test_one_waits(self) -> None:
        """Quiet hours are named both as a wait and as the reason that nothing has arrived."""
        dad = self.fate("dad", ("email", "queued", None), not_before=EVENING)
        (one,) = self.compared(mum=self.fate("mum", ("email", "sent", None)), dad=dad)
        assert one.aspects == (Aspect.WAIT, Aspect.ARRIVAL)
        assert one.explained
        assert ("wait", "R32", None) in why(one, "dad")

    def test_a_parent_who_has_left_the_directory(self) -> None:
        """Who is not in the directory any more is not compared; nothing breaks."""
        gone = Fate(decision=decided("gone", "exclude", "R01"))
        assert self.compared(mum=self.fate("mum", ("email", "sent", None)), gone=gone) == []


def twins(maker: SchoolMaker) -> Directory:
    """Give a random school two parents who differ in nothing but id and the digits of their own addresses."""
    school = maker.school()
    rows = []
    for student in school.students:
        row = msgspec.structs.replace(maker.row(student.id, "c0"), relation="mother", natural_parent=True)
        rows += [msgspec.structs.replace(row, contact=contact) for contact in ("t0", "t1")]
    model = maker.contact(0)
    points = []
    for number in range(3):
        point = maker.point("c0", number)
        for contact in ("t0", "t1"):
            own: str | PostalAddress = (
                f"{contact}@example.org" if point.channel == "email" else f"0770090091{contact[1]}"
            )
            if point.channel is ChannelName.LETTER:
                own = PostalAddress(lines=(f"{contact} Weir Street",))
            points.append(msgspec.structs.replace(point, id=f"{contact}-{number}", contact=contact, address=own))
    return msgspec.structs.replace(
        school,
        students=tuple(msgspec.structs.replace(student, objections=()) for student in school.students),
        contacts=tuple(msgspec.structs.replace(model, id=contact) for contact in ("t0", "t1")),
        contact_points=tuple(points),
        households=(),
        relationships=tuple(rows),
        restrictions=(),
        placement_plans=(),
    )


@thorough
@given(makers(), st.sampled_from([NOON, EVENING]))
def test_parents_with_equal_facts_never_appear(maker: SchoolMaker, at: dt.datetime) -> None:
    """Invariant 9, whatever the facts are."""
    assert list(differences(DirectoryIndex(twins(maker)), at)) == []


@thorough
@given(makers())
def test_every_difference_has_its_reason(maker: SchoolMaker) -> None:
    """In any school each aspect is accounted for, and what is not explained is a flag."""
    for one in differences(DirectoryIndex(maker.school()), EVENING):
        reasons = [reason for parent in one.parents for reason in parent.reasons]
        assert {reason.aspect for reason in reasons} == set(one.aspects)
        assert one.explained != any(reason.cause is Cause.UNEXPLAINED_FLAG for reason in reasons)


@thorough
@given(makers())
def test_the_report_is_the_same_for_a_student_alone(maker: SchoolMaker) -> None:
    """Asking about one student gives that student's part of the whole."""
    index = DirectoryIndex(maker.school())
    whole = list(differences(index, NOON))
    assert [one for student in sorted(index.students) for one in differences(index, NOON, students=[student])] == whole


@thorough
@given(questions())
def test_lost_routes_are_exactly_those_that_the_rules_do_not_give(question: tuple[Directory, Request]) -> None:
    """Told channel by channel, P8 comes to the same channels."""
    school, request = question
    index = DirectoryIndex(school)
    answer = decide(index, request)
    occasion = occasion_of(index, request, DEFAULT_POLICY)
    households = Households(index, occasion.today, DEFAULT_POLICY)
    routes = {(s, m.contact): {d.channel for d in m.deliveries} for m in answer.messages for s in m.students}
    for decision in answer.decisions:
        contested = (decision.outcome, decision.rule) == (Outcome.HOLD, "R29")
        if contested or decision.outcome in (Outcome.SEND, Outcome.UNREACHABLE):
            pupil = pupil_of(occasion, index.students[decision.student])
            pair = pair_of(pupil, index.contacts[decision.contact], pupil.rows[decision.contact])
            losses = lost_routes(pair, households)
            left = routes.get((decision.student, decision.contact), set())
            assert set(occasion.row.channels) - losses.keys() == left
