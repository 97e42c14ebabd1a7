"""A school's settings as a document: what it may say, what it may not and why, and that it survives a round trip."""

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Mode
from gateway.rules.categories import CATEGORIES, UNSUBSCRIBABLE, Audience, CategoryRow
from gateway.rules.policy import Policy
from gateway.rules.policy_document import (
    CategorySettings,
    CategoryTable,
    PolicyDocument,
    described,
    difference,
    merged,
)
from gateway.rules.policy_faults import policy_faults
from tests.unit.rules.settings import documents

DEFAULT = Policy()


def of(category: str, **fields: Any) -> dict[str, Any]:
    """Write a document that sets something of one category."""
    return {"categories": {category: fields}}


def read(document: dict[str, Any]) -> PolicyDocument:
    """Decode a document strictly."""
    return msgspec.convert(document, PolicyDocument)


def test_the_document_covers_all_that_is_set() -> None:
    """Every field of `Policy`, every category and every column of the table has its place, by the same name."""
    ours = {field.name for field in dataclasses.fields(Policy)} - {"ladder_minutes"}
    assert set(PolicyDocument.__struct_fields__) == ours
    assert CategoryTable.__struct_fields__ == tuple(category.value for category in Category)
    columns = {field.name for field in dataclasses.fields(CategoryRow)}
    assert set(CategorySettings.__struct_fields__) == columns | {"ladder_minutes"}


def test_only_three_categories_can_be_unsubscribed_from() -> None:
    """Section 3: those that carry it in the table are all that ever may."""
    assert {category for category, row in CATEGORIES.items() if row.unsubscribe} == UNSUBSCRIBABLE


ACCEPTED: list[tuple[dict[str, Any], Any, Any]] = [
    ({}, lambda _: True, True),
    ({"quiet_hours": ["20:00", "07:30"]}, lambda p: p.quiet_hours, ("20:00", "07:30")),
    ({"quiet_hours": ["00:00", "00:00"]}, lambda p: p.quiet_hours, ("00:00", "00:00")),
    ({"united_states_prefixes": ["US", "CA-ON"]}, lambda p: p.united_states_prefixes, ("US", "CA-ON")),
    ({"united_states_prefixes": []}, lambda p: p.united_states_prefixes, ()),
    ({"safeguarding_review_days": 31}, lambda p: p.safeguarding_review_days, 31),
    ({"lapsed_escalation_days": 1}, lambda p: p.lapsed_escalation_days, 1),
    ({"draft_escalation_days": 3650}, lambda p: p.draft_escalation_days, 3650),
    ({"hold_page_minutes": 1}, lambda p: p.hold_page_minutes, 1),
    (of("attendance", ladder_minutes=10), lambda p: p.ladder_minutes[Category.ATTENDANCE], 10),
    (of("attendance", mode="simultaneous"), lambda p: set(p.ladder_minutes), {Category.CHILD_SAFETY}),
    (of("meeting", mode="ladder", ladder_minutes=60), lambda p: p.ladder_minutes[Category.MEETING], 60),
    (of("emergency", channels=["voice", "sms"]), lambda p: len(p.categories[Category.EMERGENCY].channels), 2),
    (of("emergency", audience="parents"), lambda p: p.categories[Category.EMERGENCY].audience, Audience.PARENTS),
    (of("billing", audience="parents"), lambda p: p.categories[Category.BILLING].audience, Audience.PARENTS),
    (of("report", statutory=False, may_opt_out=True), lambda p: p.categories[Category.REPORT].may_opt_out, True),
    (of("newsletter", unsubscribe=False), lambda p: p.categories[Category.NEWSLETTER].unsubscribe, False),
    (of("report", sensitivity=2, audience="parents"), lambda p: p.categories == CATEGORIES, True),
]


@pytest.mark.parametrize(("document", "seen", "value"), ACCEPTED, ids=[str(row[0]) for row in ACCEPTED])
def test_what_a_school_may_set(document: dict[str, Any], seen: Any, value: Any) -> None:
    """It is accepted and takes its place in the policy; what is left out stays."""
    assert policy_faults(read(document), DEFAULT) == []
    policy = merged(read(document), DEFAULT)
    assert seen(policy) == value
    untouched = [category for category in Category if category.value not in document.get("categories", {})]
    assert all(policy.categories[category] == CATEGORIES[category] for category in untouched)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"quiet_hours": ["21:00", "24:00"]}, "/quiet_hours/1", "two times of day"),
    ({"quiet_hours": ["night", "morning"]}, "/quiet_hours/0", "two times of day"),
    ({"quiet_hours": ["7:00", "21:00"]}, "/quiet_hours/0", "two times of day"),
    ({"quiet_hours": ["21:00", "07:00\n"]}, "/quiet_hours/1", "two times of day"),
    ({"united_states_prefixes": ["US\n"]}, "/united_states_prefixes/0", "country code"),
    ({"safeguarding_review_days": 30}, "/safeguarding_review_days", "at least 31 days"),
    ({"united_states_prefixes": ["US", ""]}, "/united_states_prefixes/1", "country code"),
    ({"united_states_prefixes": ["usa"]}, "/united_states_prefixes/0", "country code"),
    (of("newsletter", sensitivity=1), "/categories/newsletter/sensitivity", "is fixed at 0"),
    (of("report", audience="person"), "/categories/report/audience", "can only be parents"),
    (of("reply", audience="parents"), "/categories/reply/audience", "can only be person"),
    (of("routine", audience="bill_payers"), "/categories/routine/audience", "can only be parents"),
    (
        of("attendance", audience="parents_and_emergency_contacts"),
        "/categories/attendance/audience",
        "can only be parents",
    ),
    (of("report", channels=["email", "email"]), "/categories/report/channels", "once"),
    (of("emergency", may_opt_out=True), "/categories/emergency/may_opt_out", "no wishes and no quiet hours"),
    (of("child_safety", must_opt_in=True), "/categories/child_safety/must_opt_in", "no wishes"),
    (of("emergency", own_channels=True), "/categories/emergency/own_channels", "no wishes"),
    (of("child_safety", quiet_hours=True), "/categories/child_safety/quiet_hours", "no quiet hours"),
    (of("attendance", quiet_hours=True), "/categories/attendance/quiet_hours", "No absence message may wait"),
    (of("emergency", statutory=False), "/categories/emergency/statutory", "always owed"),
    (of("emergency", mode="fallback"), "/categories/emergency/mode", "simultaneous or ladder"),
    (of("child_safety", channels=["sms", "letter"]), "/categories/child_safety/channels", "too late"),
    (of("report", may_opt_out=True), "/categories/report/may_opt_out", "the law requires"),
    (of("consent", must_opt_in=True), "/categories/consent/must_opt_in", "the law requires"),
    (of("behaviour", statutory=True), "/categories/behaviour/statutory", "or may_opt_out to false"),
    (of("billing", may_opt_out=True), "/categories/billing/may_opt_out", "do without billing"),
    (of("account", statutory=False, must_opt_in=True), "/categories/account/must_opt_in", "do without account"),
    (of("newsletter", must_opt_in=True), "/categories/newsletter/must_opt_in", "Choose one"),
    (
        of("routine", unsubscribe=True),
        "/categories/routine/unsubscribe",
        "Only celebration, fundraising and newsletter",
    ),
    (of("report", unsubscribe=True), "/categories/report/unsubscribe", "Only celebration"),
    (of("celebration", may_opt_out=False), "/categories/celebration/may_opt_out", "cannot be unsubscribed from"),
    (of("routine", mode="ladder"), "/categories/routine/mode", "give ladder_minutes as well"),
    (of("emergency", mode="ladder"), "/categories/emergency/mode", "give ladder_minutes as well"),
    (of("routine", ladder_minutes=5), "/categories/routine/ladder_minutes", "Only a ladder has steps"),
]


@pytest.mark.parametrize(("document", "pointer", "words"), REFUSED, ids=[str(row[0]) for row in REFUSED])
def test_what_a_school_may_not_set(document: dict[str, Any], pointer: str, words: str) -> None:
    """It is refused with a pointer to the field and the way out; nothing else is complained about before."""
    faults = policy_faults(read(document), DEFAULT)
    assert faults[0].pointer == pointer
    assert words in faults[0].sentence
    assert faults[0].sentence.endswith(".")


FORM: list[dict[str, Any]] = [
    {"zebra": 1},
    {"ladder_minutes": {"attendance": 10}},
    {"quiet_hours": None},
    {"quiet_hours": ["21:00"]},
    {"safeguarding_review_days": 0},
    {"draft_escalation_days": -1},
    {"lapsed_escalation_days": 3651},
    {"hold_page_minutes": 121},
    {"hold_page_minutes": 2.5},
    of("zebra"),
    of("report", zebra=True),
    of("report", channels=[]),
    of("report", channels=["fax"]),
    of("report", mode="sometimes"),
    of("report", statutory="yes"),
    of("attendance", ladder_minutes=0),
]


@pytest.mark.parametrize("document", FORM, ids=str)
def test_what_is_no_setting_at_all(document: dict[str, Any]) -> None:
    """The decoder turns it down: unknown names, numbers that are nonsense, values that are none."""
    with pytest.raises(msgspec.ValidationError):
        read(document)


def test_every_fault_is_named_at_once() -> None:
    """Who corrects a document sees all that is wrong with it."""
    document = {"quiet_hours": ["x", "y"], **of("emergency", quiet_hours=True, channels=["letter"])}
    assert [fault.pointer for fault in policy_faults(read(document), DEFAULT)] == [
        "/quiet_hours/0",
        "/quiet_hours/1",
        "/categories/emergency/quiet_hours",
        "/categories/emergency/channels",
    ]


@settings(max_examples=100, deadline=None)
@given(documents())
def test_a_document_survives_the_round_trip(document: PolicyDocument) -> None:
    """The whole policy can be put back as it was read, and the difference alone gives the same policy."""
    policy = merged(document, DEFAULT)
    whole, short = described(policy), difference(policy, DEFAULT)
    assert policy_faults(whole, DEFAULT) == []
    assert merged(whole, DEFAULT) == policy
    assert merged(short, DEFAULT) == policy
    assert difference(merged(short, DEFAULT), DEFAULT) == short
    assert msgspec.json.decode(msgspec.json.encode(short), type=PolicyDocument) == short


def test_what_equals_the_default_does_not_differ() -> None:
    """A setting that repeats the rules is none."""
    assert difference(merged(described(DEFAULT), DEFAULT), DEFAULT) == PolicyDocument()
    repeated = read({"hold_page_minutes": 2, **of("report", mode="fallback", channels=["email", "sms", "letter"])})
    assert difference(merged(repeated, DEFAULT), DEFAULT) == PolicyDocument()


def test_a_school_stands_on_the_installations_defaults() -> None:
    """What the installation has changed holds where the school has said nothing."""
    ours = dataclasses.replace(DEFAULT, hold_page_minutes=4, draft_escalation_days=9)
    policy = merged(read({"draft_escalation_days": 2}), ours)
    assert (policy.hold_page_minutes, policy.draft_escalation_days) == (4, 2)
    assert difference(policy, ours) == read({"draft_escalation_days": 2})


def test_the_defaults_are_not_modified() -> None:
    """Merging makes a policy of its own."""
    before = described(Policy())
    merged(read(of("report", channels=["letter"], mode="ladder", ladder_minutes=9)), DEFAULT)
    assert described(DEFAULT) == before
    assert CATEGORIES[Category.REPORT].channels == (ChannelName.EMAIL, ChannelName.SMS, ChannelName.LETTER)
    assert CATEGORIES[Category.REPORT].mode is Mode.FALLBACK
