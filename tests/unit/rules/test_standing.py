"""P1 to P7 as tables: what each rule decides for one student and one contact."""

from typing import Any

import pytest

from gateway.rules.reasons import REASONS
from tests.unit.rules.households import PARENT, Row, answered, deny, fate, order, relation

CASES_P2: list[tuple[str, list[Row], str]] = [
    ("newsletter", [deny()], "exclude R01"),
    ("emergency", [deny(basis="statute")], "exclude R01"),
    ("report", [deny(basis="safeguarding")], "exclude R02"),
    ("report", [deny(basis="safeguarding"), deny(id="x2")], "exclude R01"),
    ("report", [deny(status="superseded")], "send R07"),
    ("report", [deny(**{"from": "2026-06-16"})], "send R07"),
    ("report", [deny(**{"from": "2026-06-15"})], "exclude R01"),
    ("report", [deny(categories=[])], "send R07"),
    ("report", [deny(categories=["newsletter"])], "send R07"),
    ("report", [deny(channels=["voice"])], "send R07"),
    ("report", [deny(channels=["email", "sms", "voice", "letter"])], "exclude R01"),
    ("report", [deny(status="draft")], "exclude R06a"),
    ("newsletter", [deny(status="draft")], "hold R06a"),
    ("report", [deny(status="draft"), deny(id="x2", until="2026-06-14")], "exclude R06a"),
    ("newsletter", [deny(status="draft"), deny(id="x2", until="2026-06-14")], "hold R05"),
    ("report", [deny(until="2026-06-15")], "exclude R01"),
    ("report", [deny(until="2026-06-14")], "hold R05"),
    ("report", [deny(until="2026-06-14", status="draft")], "hold R05"),
    ("report", [deny(until="2026-06-14", reviewed_on="2026-05-15")], "send R07"),
    ("report", [deny(until="2026-06-14", reviewed_on="2026-05-14")], "hold R05"),
    ("report", [deny(until="2026-06-14", reviewed_on="2026-06-15")], "send R07"),
    ("report", [deny(until="2026-06-14", reviewed_on="2026-06-16")], "hold R05"),
    ("report", [deny(basis="safeguarding", **{"from": "2026-03-17"})], "exclude R02"),
    ("report", [deny(basis="safeguarding", **{"from": "2026-03-16"})], "hold R05"),
    ("report", [deny(basis="safeguarding", reviewed_on="2026-03-17", **{"from": "2025-01-01"})], "exclude R02"),
    ("report", [deny(basis="safeguarding", reviewed_on="2026-03-16", **{"from": "2025-01-01"})], "hold R05"),
    ("report", [deny(reviewed_on="9999-12-31", basis="safeguarding")], "exclude R02"),
    ("report", [deny(), order()], "hold R06"),
    ("report", [deny(), order(status="draft")], "exclude R01"),
    ("report", [deny(), order(until="2026-06-14")], "exclude R01"),
    ("report", [deny(), order(categories=["newsletter"])], "exclude R01"),
    ("report", [deny(), order(channels=["letter"])], "hold R06"),
]


@pytest.mark.parametrize(("category", "restrictions", "expected"), CASES_P2)
def test_blocks(category: str, restrictions: list[Row], expected: str) -> None:
    """P2: what live denies and orders decide for a mother who is otherwise sent to."""
    assert fate(answered(category, relationships=[relation(**PARENT)], restrictions=restrictions)) == expected


@pytest.mark.parametrize(
    ("student", "row", "category", "expected"),
    [
        ({}, {"relation": "self"}, "report", "exclude R15"),
        ({}, {"relation": "self"}, "account", "send R15"),
        ({"birth_date": "2008-06-15"}, {"relation": "self"}, "report", "send R15"),
        ({"birth_date": "2008-06-16"}, {"relation": "self"}, "report", "exclude R15"),
        ({"birth_date": "2008-06-15"}, {"relation": "self"}, "fundraising", "exclude R21"),
        ({"birth_date": "2008-06-15"}, PARENT, "report", "exclude R15"),
        ({"birth_date": "2008-06-15", "sharing_after_18": {"*": "consented"}}, PARENT, "report", "send R15"),
        (
            {"birth_date": "2008-06-15", "sharing_after_18": {"*": "consented", "report": "refused"}},
            PARENT,
            "report",
            "exclude R15",
        ),
        ({"birth_date": "2008-06-15", "sharing_after_18": {"*": "consented"}}, {}, "report", "exclude R07"),
        ({"birth_date": "2008-06-15"}, PARENT, "account", "send P5"),
        ({"birth_date": "2008-06-15"}, {"emergency_contact": True}, "emergency", "send R16"),
        ({"birth_date": "2008-06-15"}, {"emergency_contact": True}, "attendance", "exclude R15"),
        (
            {"birth_date": "2008-06-15", "sharing_after_18": {"*": "refused"}},
            {"emergency_contact": True},
            "emergency",
            "send R16",
        ),
        (
            {"birth_date": "2008-06-15", "sharing_after_18": {"emergency": "refused"}},
            {"emergency_contact": True},
            "emergency",
            "exclude R15",
        ),
        ({"birth_date": "2008-06-15", "dependent_verified": True}, PARENT, "report", "exclude R15"),
    ],
)
def test_adult_students(student: Row, row: Row, category: str, expected: str) -> None:
    """P3: who is told about a student of 18 in England."""
    given = answered(category, students=[{"id": "kid", **student}], relationships=[relation(**row)])
    assert fate(given) == expected


@pytest.mark.parametrize(
    ("student", "row", "expected"),
    [
        ({"dependent_verified": True}, PARENT, "send R16"),
        ({"dependent_verified": True}, {"legal_guardian": True}, "send R16"),
        ({"dependent_verified": True}, {"parental_responsibility": "yes"}, "exclude R15"),
        ({"dependent_verified": True, "sharing_after_18": {"*": "refused"}}, PARENT, "exclude R15"),
        ({"dependent_verified": True, "sharing_after_18": {"*": "consented"}}, PARENT, "send R15"),
        ({}, PARENT, "exclude R15"),
    ],
)
def test_adult_students_in_the_united_states(student: Row, row: Row, expected: str) -> None:
    """R16: parents of a verified dependent are told unless the student chose otherwise."""
    adult = {"id": "kid", "birth_date": "2005-01-01", **student}
    school = [{"jurisdiction": "US-NY"}]
    assert fate(answered("report", school=school, students=[adult], relationships=[relation(**row)])) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-02-28T10:00:00Z", "send R07"), ("2026-03-01T10:00:00Z", "exclude R15")],
)
def test_29_february_counts_on_1_march(at: str, expected: str) -> None:
    """R15: who was born on a leap day turns 18 the day after 28 February."""
    student = {"id": "kid", "birth_date": "2008-02-29"}
    assert fate(answered("report", at, students=[student], relationships=[relation(**PARENT)])) == expected


WORKER: Row = {"professional": "social_worker"}
CARER: Row = {"relation": "foster_carer", "care_of_child": True, "parental_responsibility": "no"}
CASES_P4: list[tuple[str, str, Row, str]] = [
    ("s20", "report", WORKER, "send R17"),
    ("s20", "progress", WORKER, "exclude R42"),
    ("s20", "report", CARER, "send R17"),
    ("s20", "billing", CARER, "exclude R07"),
    ("s20", "report", {"relation": "foster_carer", "parental_responsibility": "no"}, "exclude R07"),
    ("s20", "report", PARENT, "send R07"),
    ("care_order", "attendance", WORKER, "send R18"),
    ("care_order", "newsletter", WORKER, "exclude R42"),
    ("care_order", "billing", WORKER, "exclude R42"),
    ("interim_care_order", "report", CARER, "send R18"),
    ("care_order", "billing", CARER, "exclude R07"),
    ("care_order", "report", PARENT, "hold R18"),
    ("care_order", "report", {"lives_with": True}, "hold R18"),
    ("care_order", "report", {"parental_responsibility": "no"}, "exclude R07"),
    ("care_order", "emergency", {"emergency_contact": True}, "hold R18"),
    ("care_order", "account", PARENT, "hold R18"),
    ("epo", "emergency", WORKER, "send R19"),
    ("epo", "report", CARER, "exclude R07"),
    ("epo", "report", {**CARER, "lives_with": True}, "hold R19"),
    ("epo", "report", PARENT, "hold R19"),
    ("epo", "safeguarding", {"professional": "tutor"}, "send R42"),
    ("adopted", "newsletter", {**PARENT, "parental_responsibility": "no"}, "exclude R20"),
    ("adopted", "newsletter", PARENT, "hold R20"),
    ("adopted", "newsletter", {**PARENT, "parental_responsibility": "yes"}, "send R07"),
    ("adopted", "report", {"parental_responsibility": "yes"}, "send R07"),
    ("sgo", "report", PARENT, "send R07"),
]


@pytest.mark.parametrize(("status", "category", "row", "expected"), CASES_P4)
def test_children_in_care(status: str, category: str, row: Row, expected: str) -> None:
    """P4: what the care status decides before, or together with, entitlement."""
    student = {"id": "kid", "care_status": status}
    assert fate(answered(category, students=[student], relationships=[relation(**row)])) == expected


@pytest.mark.parametrize(
    ("status", "share", "category", "expected"),
    [
        ("care_order", ["report"], "report", "send R18"),
        ("care_order", ["*"], "newsletter", "send R18"),
        ("care_order", [], "report", "exclude R18"),
        ("care_order", ["report"], "newsletter", "exclude R18"),
        ("epo", ["*"], "report", "hold R19"),
        ("none", [], "report", "send R07"),
    ],
)
def test_placement_plans(status: str, share: list[str], category: str, expected: str) -> None:
    """R18 and R19: a plan decides for everyone else, but has no force under emergency protection."""
    given = answered(
        category,
        students=[{"id": "kid", "care_status": status}],
        relationships=[relation(**PARENT)],
        placement_plans=[{"student": "kid", "contact": "mum", "share": share}],
    )
    assert fate(given) == expected


@pytest.mark.parametrize(
    ("row", "reason", "expected"),
    [
        ({}, None, "hold R10b"),
        ({}, "self_requested", "exclude R10a"),
        (CARER, None, "hold R10b"),
        (WORKER, None, "exclude R10c"),
    ],
)
def test_flags_of_who_is_told_by_the_care_order(row: Row, reason: str | None, expected: str) -> None:
    """P6: a flag on someone admitted as carer or by plan is read as a parent's, on the worker as a stranger's."""
    given = answered(
        "progress",
        students=[{"id": "kid", "care_status": "care_order"}],
        relationships=[relation(reports="no", reports_reason=reason, **row)],
        placement_plans=[{"student": "kid", "contact": "mum", "share": ["progress"]}],
    )
    assert fate(given) == expected


@pytest.mark.parametrize(
    ("status", "row", "expected"),
    [
        ("none", {"parental_responsibility": "no"}, "send R06"),
        ("none", {**PARENT, "correspondence": "no"}, "send R06"),
        ("s20", {}, "send R06"),
        ("epo", {}, "hold R06"),
        ("care_order", CARER, "send R06"),
        ("adopted", {**PARENT, "parental_responsibility": "no"}, "hold R06"),
    ],
)
def test_orders_to_send(status: str, row: Row, expected: str) -> None:
    """R06: an order beats entitlement, flags and opt-outs, but not the care status."""
    given = answered(
        "newsletter",
        students=[{"id": "kid", "care_status": status}],
        contacts=[{"id": "mum", "preferences": {"opted_out": ["*"]}}],
        relationships=[relation(**row)],
        restrictions=[order()],
    )
    assert fate(given) == expected


def test_an_order_to_send_does_not_bind_an_adult_student() -> None:
    """P2: at 18 no order to send is left."""
    adult = {"id": "kid", "birth_date": "2008-06-15"}
    assert fate(answered("report", students=[adult], relationships=[relation(**PARENT)], restrictions=[order()])) == (
        "exclude R15"
    )


CASES_P5: list[tuple[str, Row, str]] = [
    ("report", {"legal_guardian": True}, "send R07"),
    ("report", {"parental_responsibility": "yes"}, "send R07"),
    ("report", {"lives_with": True, "care_of_child": True}, "send R07"),
    ("report", {"lives_with": True}, "hold R13"),
    ("report", {"care_of_child": True}, "exclude R07"),
    ("routine", {"lives_with": True}, "send R13"),
    ("routine", {"lives_with": True, "parental_responsibility": "no"}, "exclude R07"),
    ("routine", {"lives_with": True, "correspondence": "no"}, "exclude R10c"),
    ("billing", {"lives_with": True, "correspondence": "no"}, "hold R13"),
    ("billing", {"correspondence": "yes", "consented_categories": ["billing"]}, "exclude R07"),
    ("report", {"correspondence": "yes"}, "exclude R07"),
    ("report", {"reports": "yes"}, "exclude R10e"),
    ("report", {"reports": "yes", "consented_categories": ["report"]}, "send R10e"),
    ("progress", {"reports": "no"}, "exclude R10c"),
    ("emergency", {"correspondence": "yes"}, "exclude R10e"),
    ("emergency", {"emergency_contact": True, "correspondence": "no"}, "send R11"),
    ("attendance", {"emergency_contact": True}, "exclude R07"),
    ("emergency", {"professional": "tutor", "emergency_contact": True}, "send R11"),
    ("reply", {"professional": "tutor"}, "send R42"),
    ("report", {"professional": "tutor", **PARENT}, "exclude R42"),
    ("report", {**PARENT, "reports": "no"}, "hold R10b"),
    ("progress", {**PARENT, "reports": "no", "reports_reason": "self_requested"}, "exclude R10a"),
    ("report", {**PARENT, "reports": "no", "reports_reason": "self_requested"}, "send R07"),
    ("safeguarding", {"professional": "tutor", "correspondence": "no"}, "exclude R10c"),
    ("account", {"correspondence": "no"}, "send P5"),
    ("safeguarding", {}, "exclude R07"),
]


@pytest.mark.parametrize(("category", "row", "expected"), CASES_P5)
def test_entitlement_and_flags(category: str, row: Row, expected: str) -> None:
    """P5 and P6 in England."""
    assert fate(answered(category, relationships=[relation(**row)])) == expected


@pytest.mark.parametrize(
    ("row", "others", "expected"),
    [
        ({"parental_responsibility": "yes"}, [], "exclude R07"),
        ({"lives_with": True}, [], "exclude R07"),
        ({"lives_with": True, "care_of_child": True}, [], "send R07"),
        ({"lives_with": True, "care_of_child": True}, [{**PARENT}], "send R07"),
        ({"lives_with": True, "care_of_child": True}, [{**PARENT, "lives_with": True}], "exclude R07"),
        ({"lives_with": True, "care_of_child": True}, [{"legal_guardian": True, "lives_with": True}], "exclude R07"),
        (
            {"lives_with": True, "care_of_child": True},
            [{**PARENT, "lives_with": True, "valid_to": "2026-06-14"}],
            "send R07",
        ),
        (
            {"relation": "step_parent", "lives_with": True, "care_of_child": True},
            [{**PARENT, "lives_with": True}],
            "send R07",
        ),
        (
            {"relation": "step_parent", "lives_with": True, "care_of_child": True},
            [{**PARENT, "lives_with": True}, {**PARENT, "lives_with": True}],
            "exclude R07",
        ),
    ],
)
def test_parents_in_the_united_states(row: Row, others: list[Row], expected: str) -> None:
    """R07: acting as a parent counts while no other parent lives with the child, one beside a step-parent."""
    rows = [relation(**row), *(relation(f"other{number}", **other) for number, other in enumerate(others))]
    assert fate(answered("report", school=[{"jurisdiction": "US-CA"}], relationships=rows)) == expected


@pytest.mark.parametrize(
    ("payers", "contacts", "expected"),
    [
        ([], [], "send R07"),
        ([{"bill_payer": True}], [], "exclude P5"),
        ([{"bill_payer": True, "valid_to": "2026-06-14"}], [], "send R07"),
        ([{"bill_payer": True}], [{"id": "payer0", "deceased": True}], "send R07"),
    ],
)
def test_bills(payers: list[Row], contacts: list[Row], expected: str) -> None:
    """P5: bills go to the living, current payer, and to the parents when there is none."""
    rows = [relation(**PARENT), *(relation(f"payer{number}", **payer) for number, payer in enumerate(payers))]
    assert fate(answered("billing", contacts=contacts, relationships=rows)) == expected


@pytest.mark.parametrize(
    ("birth_date", "objections", "row", "category", "expected"),
    [
        ("2010-06-15", ["mum"], PARENT, "behaviour", "hold R16"),
        ("2010-06-15", ["*"], PARENT, "report", "hold R16"),
        ("2010-06-15", ["dad"], PARENT, "report", "send R07"),
        ("2010-06-16", ["mum"], PARENT, "report", "send R07"),
        ("2008-06-16", ["mum"], PARENT, "report", "hold R16"),
        ("2010-06-15", ["mum"], PARENT, "progress", "send R07"),
        ("2010-06-15", ["*"], {"professional": "tutor"}, "safeguarding", "send R42"),
        (None, ["*"], PARENT, "report", "send R07"),
    ],
)
def test_objections(birth_date: str | None, objections: list[str], row: Row, category: str, expected: str) -> None:
    """R16: at 16 and 17 a student may object to sharing sensitive matters."""
    student = {"id": "kid", "birth_date": birth_date, "objections": objections}
    contacts = [{"id": "dad"}]
    given = answered(category, students=[student], contacts=contacts, relationships=[relation(**row)])
    assert fate(given) == expected


@pytest.mark.parametrize(
    ("category", "preferences", "expected"),
    [
        ("newsletter", {"opted_out": ["newsletter"]}, "exclude R21"),
        ("progress", {"opted_out": ["*"]}, "exclude R21"),
        ("report", {"opted_out": ["report", "*"]}, "send R07"),
        ("billing", {"opted_out": ["*"]}, "send R07"),
        ("fundraising", {}, "exclude R21"),
        ("fundraising", {"opted_in": ["fundraising"]}, "send R07"),
        ("emergency", {"opted_out": ["*"]}, "send R07"),
    ],
)
def test_wishes(category: str, preferences: dict[str, Any], expected: str) -> None:
    """P7: a wish counts where the category allows or requires it."""
    contacts = [{"id": "mum", "preferences": preferences}]
    assert fate(answered(category, contacts=contacts, relationships=[relation(**PARENT)])) == expected


@pytest.mark.parametrize(
    ("student", "contact", "row", "reason"),
    [
        ({}, {}, {"valid_to": "2026-06-14"}, "no current relationship"),
        ({}, {}, {"valid_from": "2026-06-16"}, "no current relationship"),
        ({}, {"deceased": True}, {}, "has died"),
        ({"enrolled_to": "2026-06-14"}, {}, {}, "not enrolled"),
        ({"enrolled_from": "2026-06-16"}, {}, {}, "not enrolled"),
    ],
)
def test_absence(student: Row, contact: Row, row: Row, reason: str) -> None:
    """P1 comes before everything, a deny included, and says why."""
    given = answered(
        "newsletter",
        students=[{"id": "kid", **student}],
        contacts=[{"id": "mum", **contact}],
        relationships=[relation(**PARENT, **row)],
        restrictions=[deny()],
    )
    assert fate(given) == "exclude P1"
    assert reason in given.decisions[0].reason


def test_named_contacts_without_a_relationship_are_excluded() -> None:
    """P1: a person category gives a decision for everybody named, and for everybody related."""
    given = answered(
        "reply",
        request={"contacts": ["stranger", "mum"]},
        contacts=[{"id": "stranger"}],
        relationships=[relation(**PARENT), relation("dad", **PARENT)],
    )
    assert [f"{d.contact} {d.outcome} {d.rule}" for d in given.decisions] == [
        "dad exclude P1",
        "mum send R07",
        "stranger exclude P1",
    ]


def test_groups_and_everyone_reach_only_the_enrolled() -> None:
    """Section 2: a student named by id is decided even when not enrolled, one in a group is left out."""
    students = [{"id": "kid", "groups": ["3A"]}, {"id": "gone", "groups": ["3A"], "enrolled_to": "2026-06-14"}]
    rows = [relation(**PARENT), relation(student="gone", **PARENT)]
    for asked_for in ({"groups": ["3A"]}, {"everyone": True}):
        given = answered("routine", request=asked_for, students=students, relationships=rows)
        assert [d.student for d in given.decisions] == ["kid"]
    both = answered("routine", request={"students": ["kid", "gone"]}, students=students, relationships=rows)
    assert [f"{d.student} {d.rule}" for d in both.decisions] == ["gone P1", "kid R07"]


def test_reasons_are_plain_sentences() -> None:
    """Every reason is one short sentence."""
    assert all(reason[0].isupper() and reason.endswith(".") and len(reason) < 100 for reason in REASONS.values())
