"""The contact map and the unreachable report: who is told what about a student, and whom nothing reaches."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, ChannelName, Directory, PointState
from gateway.rules.answer import Decision, Outcome, Request
from gateway.rules.audience import decide
from gateway.rules.contact_map import ContactMap, MappedContact, contact_map
from gateway.rules.parity import Fate
from gateway.rules.treatment import Trace
from gateway.rules.unreachable import NotReached, Unreached, unreachable, unreached
from tests.unit.rules.households import PARENT, deny, directory, email, letter, mobile, order, relation, voice
from tests.unit.rules.schools import NOON, schools
from tests.unit.rules.test_parity import family

thorough = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def mapped(school: Directory, student: str = "kid") -> dict[str, MappedContact]:
    """Map a student's contacts, by id."""
    return {one.contact: one for one in contact_map(DirectoryIndex(school), student, NOON).contacts}


def told(contact: MappedContact) -> dict[str, str]:
    """Give outcome and rule by category."""
    return {one.category.value: f"{one.outcome} {one.rule}" for one in contact.entitlements}


def test_both_separated_parents_are_on_the_map() -> None:
    """F2: two parents, one at home, both entitled in every category that names nobody but the one to opt in for."""
    contacts = mapped(family("F02"), "rhys")
    assert [(one.contact, one.parent, one.lives_with) for one in contacts.values()] == [
        ("cerys", True, True),
        ("gareth", True, False),
    ]
    for one in contacts.values():
        assert told(one)["report"] == "send R07"
        assert told(one)["fundraising"] == "exclude R21"
        assert set(told(one)) == set(Category)
        assert {e.category for e in one.entitlements if e.if_named} == {"account", "reply", "safeguarding"}


def test_a_restriction_shows_as_its_rule_and_no_more() -> None:
    """F3: the map tells that an order works, not what it rests on; the grandmother is told in alerts only."""
    contacts = mapped(family("F03"), "ana")
    assert contacts["tiago"].restrictions == ("R01",)
    assert contacts["ines"].restrictions == ()
    assert set(told(contacts["tiago"]).values()) == {"exclude R01"}
    assert told(contacts["zelia"])["emergency"] == "send R11"
    assert told(contacts["zelia"])["report"] == "exclude R07"
    assert b"court_order" not in msgspec.json.encode(contact_map(DirectoryIndex(family("F03")), "ana", NOON))


@pytest.mark.parametrize(
    ("restriction", "rules"),
    [
        (deny(), ("R01",)),
        (deny(basis="safeguarding", reviewed_on="2026-06-01"), ("R02",)),
        (deny(until="2026-06-14"), ("R05",)),
        (deny(status="draft"), ("R06a",)),
        (order(), ("R06",)),
        (deny(categories=[]), ()),
        (deny(status="superseded"), ()),
        (deny(until="2026-06-14", reviewed_on="2026-06-10"), ()),
    ],
)
def test_the_rule_of_a_restriction(restriction: Any, rules: tuple[str, ...]) -> None:
    """Each live restriction that covers anything counts, by the rule it works under."""
    school = directory(relationships=[relation(**PARENT)], restrictions=[restriction])
    assert mapped(school)["mum"].restrictions == rules


def test_points_are_masked_with_their_state() -> None:
    """No address can be used from the map; a confidential one shows nothing."""
    points = [
        email("mum", state="dead"),
        mobile("mum", "07700 900123"),
        letter("mum", "4 Hidden Lane", confidential=True),
        email("gran", "mum@example.org"),
    ]
    school = directory(relationships=[relation(**PARENT), relation("gran")], contact_points=points)
    mail, text, post = mapped(school)["mum"].points
    assert (mail.channel, mail.address, mail.state, mail.shared) == (
        ChannelName.EMAIL,
        "m•••@example.org",
        PointState.DEAD,
        True,
    )
    assert (text.address, text.shared) == ("••• 123", False)
    assert post.address == "confidential"
    whole = msgspec.json.encode(contact_map(DirectoryIndex(school), "kid", NOON))
    assert not any(value in whole for value in (b"mum@", b"900123", b"Hidden", b"9ZZ"))


def test_ended_and_dead_contacts_stay_on_the_map() -> None:
    """They are listed with what they are, and excluded by P1 in every category."""
    rows = [relation("late", **PARENT), relation("old", valid_to="2026-01-01"), relation("old", valid_to="2025-01-01")]
    contacts = mapped(directory(relationships=rows, contacts=[{"id": "late", "deceased": True}]))
    assert [(one.current, one.deceased, one.parent) for one in contacts.values()] == [
        (True, True, False),
        (False, False, False),
    ]
    assert {rule for one in contacts.values() for rule in told(one).values()} == {"exclude P1"}


def test_a_student_without_contacts() -> None:
    """Nobody is on the map, and nothing breaks."""
    assert mapped(directory(students=[{"id": "kid"}])) == {}


@thorough
@given(schools())
def test_the_map_says_what_the_rules_decide(school: Directory) -> None:
    """Each entitlement is the decision of a request about that student."""
    index = DirectoryIndex(school)
    for student in index.students:
        shown: ContactMap = contact_map(index, student, NOON)
        for category in (Category.EMERGENCY, Category.REPORT, Category.ROUTINE):
            answer = decide(index, Request(category=category, at=NOON, students=(student,)))
            assert [(d.contact, f"{d.outcome} {d.rule}") for d in answer.decisions] == [
                (one.contact, told(one)[category]) for one in shown.contacts
            ]


def lacking(school: Directory) -> list[tuple[str, str, str]]:
    """List category, contact and rule of whoever cannot be reached."""
    return [(one.category.value, one.contact, one.rule) for one in unreachable(DirectoryIndex(school), NOON)]


def test_who_has_only_a_postal_address() -> None:
    """F19: nothing fast reaches them, and the report says what is missing on each channel."""
    found = [one for one in unreachable(DirectoryIndex(family("F19")), NOON) if one.category is Category.EMERGENCY]
    assert found
    for one in found:
        assert (one.kind, one.rule) == (NotReached.NO_ROUTE, "R24")
        assert [obstacle.channel for obstacle in one.obstacles] == ["sms", "voice", "email"]
        assert one.phones == ()
        assert one.given_name


def test_a_contested_and_a_barred_mailbox() -> None:
    """F7 and F8: a mailbox that cannot be used for a child leaves its owner without a route, by its own rule."""
    school = directory(
        relationships=[relation(**PARENT), relation("dad", **PARENT)],
        contact_points=[email("mum", "us@example.org"), email("dad", "us@example.org")],
    )
    assert lacking(school) == [("report", "dad", "R29"), ("report", "mum", "R29")]
    barred = msgspec.structs.replace(
        school, restrictions=directory(relationships=[relation()], restrictions=[deny("dad")]).restrictions
    )
    assert lacking(barred) == [(category, "mum", "R30") for category in ("emergency", "newsletter", "report")]


def test_siblings_are_one_line_and_telephones_come_masked() -> None:
    """One contact to ring, with dead numbers too."""
    school = directory(
        relationships=[relation(student="kid", **PARENT), relation(student="sib", **PARENT)],
        contact_points=[voice("mum", "07700 900123", state="dead")],
    )
    emergency = next(iter(unreachable(DirectoryIndex(school), NOON)))
    assert emergency.students == ("kid", "sib")
    assert [(point.address, point.state) for point in emergency.phones] == [("••• 123", PointState.DEAD)]


FATES = {
    "reached": ("send", ["failed", "sent"], None),
    "waiting": ("send", ["failed", "queued"], None),
    "planned": ("send", [], None),
    "withdrawn": ("send", ["suppressed"], None),
    "failed": ("send", ["failed", "expired"], NotReached.FAILED),
    "unknown": ("send", ["failed", "unknown"], NotReached.UNKNOWN),
    "held": ("hold", [], NotReached.HELD),
    "unreachable": ("unreachable", [], NotReached.NO_ROUTE),
    "excluded": ("exclude", [], None),
}


@pytest.mark.parametrize("case", FATES)
def test_whom_a_notification_did_not_reach(case: str) -> None:
    """All failed, nobody knows, held and without a route are listed; what may still arrive and exclusions are not."""
    outcome, states, kind = FATES[case]
    rule = {"send": "R07", "hold": "R10b", "unreachable": "R24", "exclude": "R01"}[outcome]
    fate = Fate(
        decision=Decision(student="kid", contact="mum", outcome=Outcome(outcome), rule=rule, reason="A reason."),
        traces=tuple(Trace(channel=ChannelName.EMAIL, state=state) for state in states),
    )
    school = DirectoryIndex(
        directory(relationships=[relation(**PARENT)], contact_points=[mobile("mum", "07700 900123")])
    )
    found: list[Unreached] = list(unreached(school, Category.REPORT, NOON + dt.timedelta(days=1), [fate]))
    assert [one.kind for one in found] == ([] if kind is None else [kind])
    assert all([point.address for point in one.phones] == ["••• 123"] for one in found)
