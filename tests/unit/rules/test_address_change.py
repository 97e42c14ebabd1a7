"""R37: what counts as a change of address, and which contact points may tell of it."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import ContactPoint
from gateway.rules.address_change import (
    AddressChange,
    Arrival,
    Place,
    address_changes,
    is_verified,
    limited,
    may_tell,
    notice_id_parts,
)
from gateway.rules.audience import evaluate
from tests.unit.rules.households import PARENT, asked, directory, email, fate, mobile, relation, routes

NOW = dt.datetime(2026, 5, 3, 12, 0, tzinfo=dt.UTC)
OLD: Place = ("email", "old@example.org")
NEW: Place = ("email", "new@example.org")
PHONE: Place = ("sms", "+447700900111")
NUMBER = "+447700900111"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"mum": {OLD}}, {"mum": {OLD}}, []),
        ({"mum": {OLD}}, {"mum": {NEW}}, [("mum", {NEW}, {OLD})]),
        ({"mum": {OLD}}, {"mum": {OLD, NEW}}, [("mum", {NEW}, set())]),
        ({"mum": {OLD, PHONE}}, {"mum": {PHONE}}, [("mum", set(), {OLD})]),
        ({}, {"mum": {NEW}}, []),
        ({"mum": set()}, {"mum": {NEW}}, [("mum", {NEW}, set())]),
        ({"mum": {OLD}, "dad": {NEW}}, {"mum": {NEW}, "dad": {OLD}}, [("dad", {OLD}, {NEW}), ("mum", {NEW}, {OLD})]),
    ],
    ids=["nothing", "moved", "one more", "one less", "first import", "first address of a known contact", "exchanged"],
)
def test_a_change_is_another_set_of_places(
    before: dict[str, set[Place]], after: dict[str, set[Place]], expected: list[tuple[str, set[Place], set[Place]]]
) -> None:
    """Whatever ids the points have; somebody new to the directory changes nothing."""
    found = address_changes(
        {contact: frozenset(places) for contact, places in before.items()},
        {contact: frozenset(places) for contact, places in after.items()},
    )
    assert [(change.contact, change.new, change.gone) for change in found] == expected


@pytest.mark.parametrize(
    ("arrivals", "verified"),
    [
        ([], False),
        ([Arrival(at=NOW, delivered=True)], True),
        ([Arrival(at=NOW, opened=True)], True),
        ([Arrival(at=NOW - dt.timedelta(days=7), accepted=True)], True),
        ([Arrival(at=NOW - dt.timedelta(days=7, seconds=-1), accepted=True)], False),
        ([Arrival(at=NOW - dt.timedelta(days=400), delivered=True)], True),
        ([Arrival(at=NOW - dt.timedelta(days=400, seconds=1), delivered=True)], False),
        ([Arrival(at=NOW - dt.timedelta(days=30))], False),
        ([Arrival(at=NOW, accepted=True), Arrival(at=NOW, delivered=True)], True),
    ],
    ids=["nothing", "delivered", "opened", "a week ago", "less than a week", "400 days", "too old", "failed", "any"],
)
def test_what_proves_that_a_place_reaches_its_owner(arrivals: list[Arrival], verified: bool) -> None:  # noqa: FBT001  # a table's column
    """Delivered, opened after the identity check, or a week without a bounce, and not too long ago."""
    assert is_verified(arrivals, NOW) is verified


@pytest.mark.parametrize(
    ("fields", "options", "tells"),
    [
        ({}, {}, True),
        ({}, {"verified": False}, False),
        ({}, {"shared": True}, False),
        ({"state": "suspect"}, {}, False),
        ({"state": "opted_out"}, {}, False),
        ({"channel": "voice", "address": NUMBER}, {}, False),
        ({"confidential": True}, {}, True),
    ],
    ids=["fit", "unverified", "shared", "in doubt", "opted out", "no channel of the category", "confidential"],
)
def test_which_point_may_tell(fields: dict[str, Any], options: dict[str, bool], tells: bool) -> None:  # noqa: FBT001  # a table's column
    """Verified, the contact's alone, in order, and on a channel of the category."""
    point = msgspec.convert(email("mum", OLD[1]) | fields, ContactPoint)
    change = AddressChange(contact="mum", new=frozenset({NEW}), gone=frozenset())
    assert may_tell(point, OLD, change, **({"verified": True, "shared": False} | options)) is tells


def test_the_new_place_never_tells() -> None:
    """However well it is proved: the thief may have had mail there before."""
    point = msgspec.convert(email("mum", NEW[1]), ContactPoint)
    change = AddressChange(contact="mum", new=frozenset({NEW}), gone=frozenset({OLD}))
    assert not may_tell(point, NEW, change, verified=True, shared=False)


def told(points: set[str], *contact_points: dict[str, Any], category: str = "account") -> Any:
    """Evaluate a question about `mum` and leave these points."""
    index = DirectoryIndex(
        directory(
            contacts=[{"id": "nan"}], relationships=[relation("mum", **PARENT)], contact_points=list(contact_points)
        )
    )
    return limited(evaluate(index, asked(category)), points, index).answer


@pytest.mark.parametrize(
    ("points", "kept"),
    [({"mum-e", "mum-m"}, ["mum-e", "mum-m"]), ({"mum-m"}, ["mum-m"]), ({"mum-m", "elsewhere"}, ["mum-m"])],
)
def test_an_answer_is_only_ever_narrowed(points: set[str], kept: list[str]) -> None:
    """In the order of the rules; a point that they do not give is not added."""
    answer = told(points, email("mum"), mobile("mum", NUMBER))
    assert routes(answer) == kept
    assert fate(answer) == "send P5"


@pytest.mark.parametrize("points", [set(), {"elsewhere"}])
def test_nothing_left_is_out_of_reach(points: set[str]) -> None:
    """No message, and a decision that makes a task."""
    answer = told(points, email("mum"), mobile("mum", NUMBER))
    assert answer.messages == ()
    assert fate(answer) == "unreachable R37"


def test_a_point_that_somebody_else_has_got_since_does_not_tell() -> None:
    """Shared between the decision to tell and the moment of sending."""
    answer = told({"mum-e", "mum-m"}, email("mum"), mobile("mum", NUMBER), mobile("nan", NUMBER))
    assert routes(answer) == ["mum-e"]


def test_other_outcomes_stay() -> None:
    """Who is excluded is not made a task."""
    assert fate(told(set(), email("mum"), category="fundraising")) == "exclude R21"


def test_the_same_change_has_the_same_name() -> None:
    """The same contact, day and places; anything else is another notice."""
    change = AddressChange(contact="mum", new=frozenset({NEW, PHONE}), gone=frozenset({OLD}))
    same = AddressChange(contact="mum", new=frozenset({PHONE, NEW}), gone=frozenset({OLD}))
    back = AddressChange(contact="mum", new=change.gone, gone=change.new)
    day = NOW.date()
    assert notice_id_parts(change, day) == notice_id_parts(same, day)
    assert len({notice_id_parts(one, day) for one in (change, back)}) == 2
    assert notice_id_parts(change, day) != notice_id_parts(change, day + dt.timedelta(days=1))
