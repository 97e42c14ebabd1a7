"""Data quality: each kind of finding from the smallest record that shows it, and none from a record in order."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Directory
from gateway.directory.quality import Finding, FindingKind
from gateway.dispatch.reports import quality_tasks
from gateway.rules.quality import place, quality
from tests.unit.rules.households import PARENT, deny, directory, email, letter, mobile, order, relation, voice
from tests.unit.rules.schools import NOON, schools
from tests.unit.rules.test_parity import family

thorough = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def found(school: Directory) -> list[Finding]:
    """Look a school through, without the languages that most small schools here lack."""
    kinds = quality(DirectoryIndex(school), NOON).findings
    return [one for one in kinds if one.kind is not FindingKind.NO_LANGUAGE]


def shown(one: Finding) -> tuple[str, str, str, str]:
    """Give what tells findings apart, with the rule."""
    return one.kind.value, one.id, one.field, one.rule


PARENTS = [relation(**PARENT), relation("dad", **PARENT)]
SHARED = [email("mum", "us@example.org"), email("dad", " US@example.org")]
TOGETHER = [{"id": "h1", "members": ["mum", "dad"]}]
APART = [{"id": "h2", "members": ["mum", "dad"], "separated": True}]

CASES: list[tuple[str, dict[str, Any], tuple[str, str, str, str]]] = [
    (
        "a flag on a parent without a reason",
        {"relationships": [relation(correspondence="no", **PARENT)]},
        ("unexplained_flag", "kid/mum", "correspondence", "R10b"),
    ),
    (
        "a flag for another reason",
        {"relationships": [relation(reports="no", reports_reason="other_parent_request", **PARENT)]},
        ("unexplained_flag", "kid/mum", "reports", "R10b"),
    ),
    (
        "one mailbox of people who live apart",
        {"relationships": PARENTS, "contact_points": SHARED},
        ("shared_apart", "dad-e", "address", "R29"),
    ),
    (
        "a dead mailbox",
        {
            "relationships": [relation(**PARENT)],
            "contact_points": [email("mum", state="dead"), mobile("mum", "07700 900001")],
        },
        ("dead_point", "mum-e", "state", "R34"),
    ),
    (
        "a number that wrote STOP",
        {
            "relationships": [relation(**PARENT)],
            "contact_points": [email("mum"), mobile("mum", "07700 900001", state="carrier_blocked")],
        },
        ("blocked_point", "mum-m", "state", "R33"),
    ),
    (
        "a landline for texts",
        {"relationships": [relation(**PARENT)], "contact_points": [email("mum"), mobile("mum", "020 7946 0123")]},
        ("unreachable_address", "mum-m", "address", "R22"),
    ),
    (
        "nobody can be written to",
        {"relationships": [relation(**PARENT)], "contact_points": []},
        ("no_route", "mum", "contact_points", "R24"),
    ),
    (
        "work mail that nobody chose",
        {"relationships": [relation(**PARENT)], "contact_points": [email("mum", label="work")]},
        ("work_point", "mum-e", "label", "R27"),
    ),
    (
        "no natural parent",
        {"relationships": [relation(parental_responsibility="yes")]},
        ("no_natural_parent", "kid", "natural_parent", "R07"),
    ),
    (
        "a partner of unknown standing",
        {"relationships": [relation(**PARENT), relation("partner", lives_with=True)]},
        ("unknown_responsibility", "kid/partner", "parental_responsibility", "R13"),
    ),
    (
        "two households that disagree",
        {"relationships": PARENTS, "households": [*TOGETHER, *APART]},
        ("households_disagree", "h1/h2", "separated", "R26"),
    ),
    (
        "a block that ran out",
        {"relationships": [relation(**PARENT)], "restrictions": [deny(id="x", until="2026-06-14")]},
        ("lapsed_restriction", "x", "until", "R05"),
    ),
    (
        "a block near its end",
        {"relationships": [relation(**PARENT)], "restrictions": [deny(id="x", until="2026-07-15")]},
        ("ending_restriction", "x", "until", "R05"),
    ),
    (
        "an order to send near its end",
        {"relationships": [relation(**PARENT)], "restrictions": [order(id="x", until="2026-06-15")]},
        ("ending_restriction", "x", "until", "R05"),
    ),
    (
        "a block that awaits its second person",
        {"relationships": [relation(**PARENT)], "restrictions": [deny(id="x", status="draft")]},
        ("draft_restriction", "x", "status", "R06a"),
    ),
]


@pytest.mark.parametrize(("entities", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_a_finding(entities: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    """The smallest record that shows it gives this finding and no other."""
    assert [shown(one) for one in found(directory(**entities))] == [expected]


IN_ORDER: list[tuple[str, dict[str, Any]]] = [
    ("both at home", {"relationships": PARENTS, "contact_points": SHARED, "households": TOGETHER}),
    ("own request", {"relationships": [relation(reports="no", reports_reason="self_requested", **PARENT)]}),
    ("flag on a neighbour", {"relationships": [relation(**PARENT), relation("neighbour", correspondence="no")]}),
    (
        "work mail chosen",
        {
            "relationships": [relation(**PARENT)],
            "contacts": [{"id": "mum", "preferences": {"work_points": True}}],
            "contact_points": [email("mum", label="work")],
        },
    ),
    (
        "a social worker's office",
        {
            "relationships": [relation(**PARENT), relation("worker", professional="social_worker", lives_with=True)],
            "contact_points": [email("mum"), email("worker", label="work")],
        },
    ),
    (
        "two houses' letters",
        {"relationships": PARENTS, "contact_points": [letter("mum", "1 Weir Street"), letter("dad", "1 Weir Street")]},
    ),
    (
        "reviewed",
        {"relationships": [relation(**PARENT)], "restrictions": [deny(until="2026-07-01", reviewed_on="2026-06-10")]},
    ),
    ("far end", {"relationships": [relation(**PARENT)], "restrictions": [deny(until="2026-07-16")]}),
    ("superseded draft", {"relationships": [relation(**PARENT)], "restrictions": [deny(status="superseded")]}),
    (
        "the dead",
        {"relationships": [relation(**PARENT)], "contacts": [{"id": "mum", "deceased": True}], "contact_points": []},
    ),
    ("ended", {"relationships": [relation(valid_to="2026-06-14", **PARENT)], "contact_points": []}),
    (
        "left",
        {"students": [{"id": "kid", "enrolled_to": "2026-06-14"}], "relationships": [relation()], "contact_points": []},
    ),
    (
        "a partner in the United States",
        {
            "school": [{"jurisdiction": "US-CA"}],
            "relationships": [relation(**PARENT), relation("partner", lives_with=True)],
        },
    ),
]


@pytest.mark.parametrize("entities", [pytest.param(case[1], id=case[0]) for case in IN_ORDER])
def test_a_record_in_order(entities: dict[str, Any]) -> None:
    """What needs nobody's attention is not reported."""
    assert found(directory(**entities)) == []


def test_an_address_shared_with_a_barred_person() -> None:
    """R30 is a finding for the child concerned, beside the contest about the address itself."""
    school = directory(relationships=PARENTS, contact_points=SHARED, restrictions=[deny("dad", id="x")])
    barred = [one for one in found(school) if one.kind is FindingKind.SHARED_WITH_BARRED]
    assert [(shown(one), one.student, one.contact) for one in barred] == [
        (("shared_with_barred", "mum-e", "address", "R30"), "kid", "mum")
    ]


def test_one_number_for_texts_and_calls_is_one_finding() -> None:
    """People who share a telephone are asked once."""
    points = [make(who, "07700 900001") for who in ("mum", "dad") for make in (mobile, voice)]
    shared = found(directory(relationships=PARENTS, contact_points=points))
    assert [shown(one) for one in shared] == [("shared_apart", "dad-m", "address", "R29")]


def test_missing_languages_and_unverified_points() -> None:
    """Who has no language is named; points are only counted, for the records hold no date."""
    whole = quality(DirectoryIndex(directory(relationships=PARENTS, contacts=[{"id": "mum", "language": "pl"}])), NOON)
    assert [(one.kind, one.contact) for one in whole.findings] == [(FindingKind.NO_LANGUAGE, "dad")]
    assert whole.never_verified == 2


def test_an_unexplained_flag_of_the_families() -> None:
    """F22: his flag is a finding, hers is her own request."""
    flags = [one for one in found(family("F22")) if one.kind is FindingKind.UNEXPLAINED_FLAG]
    assert [one.contact for one in flags] == ["marek"]


@thorough
@given(schools())
def test_findings_are_ordered_and_name_nobody(school: Directory) -> None:
    """No two have the same place, and none holds a name, an address or a number."""
    findings = quality(DirectoryIndex(school), NOON).findings
    places = [place(one) for one in findings]
    assert places == sorted(set(places))
    text = msgspec.json.encode(findings).decode()
    assert not any(value in text for value in ("Person", "Family", "example.org", "07700", "Weir"))


@thorough
@given(schools())
def test_tasks_are_the_same_at_any_time(school: Directory) -> None:
    """Ids come from the finding alone, each finding has its own, and restrictions have theirs from the register."""
    findings = quality(DirectoryIndex(school), NOON).findings
    first = [task["id"] for task in quality_tasks(findings, "school", at=NOON)]
    later = [task["id"] for task in quality_tasks(findings, "school", at=NOON + dt.timedelta(days=9))]
    assert first == later
    assert len(set(first)) == len(first) == sum(one.entity != "restrictions" for one in findings)
    assert not set(first) & {task["id"] for task in quality_tasks(findings, "other", at=NOON)}
