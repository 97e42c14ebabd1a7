"""R39: contacts living apart have separate appointments and see of each other's only that a time is unavailable."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.indexing import DirectoryIndex
from gateway.rules.bookings import Booking, Slot, may_book, may_see_booking, parties, seen_slots
from gateway.rules.households import Households
from gateway.rules.policy import Policy
from tests.unit.rules.households import PARENT, directory, relation

TODAY = dt.datetime(2026, 6, 15, tzinfo=ZoneInfo("Europe/London")).date()
SLOTS = (
    Slot(id="10:00", teacher="art"),
    Slot(id="10:10", teacher="art"),
    Slot(id="10:20", teacher="art", closed=True),
    Slot(id="10:00-m", teacher="maths"),
)
BY_DAD = Booking(slot="10:00", student="kid", contact="dad")


def never(_one: str, _other: str) -> bool:
    """Everybody lives apart."""
    return False


def parents_at_home(one: str, other: str) -> bool:
    """Mother and father live together."""
    return {one, other} == {"mum", "dad"}


def seen(reader: str, *bookings: Booking, student: str = "kid", are_joint: object = never) -> dict[str, str]:
    """Give what a reader sees."""
    found = seen_slots(SLOTS, bookings, reader=reader, student=student, are_joint=are_joint)  # type: ignore[arg-type]  # both are functions of two ids
    return {one.slot: one.availability.value for one in found}


@pytest.mark.parametrize(
    ("reader", "student", "joint", "first"),
    [
        ("dad", "kid", never, "own"),
        ("mum", "kid", never, "unavailable"),
        ("mum", "kid", parents_at_home, "own"),
        ("mum", "sis", parents_at_home, "unavailable"),
        ("dad", "sis", never, "unavailable"),
        ("stranger", "other", parents_at_home, "unavailable"),
    ],
    ids=["his own", "apart", "together", "together, another child", "his other child", "another family"],
)
def test_what_a_reader_sees_of_the_fathers_appointment(reader: str, student: str, joint: object, first: str) -> None:
    """His own party sees that it is theirs; everybody else nothing but that the time is gone."""
    found = seen(reader, BY_DAD, student=student, are_joint=joint)
    assert found == {"10:00": first, "10:10": "free", "10:20": "unavailable", "10:00-m": "free"}


def test_the_other_parents_appointment_looks_like_anybodys() -> None:
    """Whoever has the slot, and a break too: the mother's view is the same to the letter."""
    takers = [BY_DAD, Booking(slot="10:00", student="other", contact="stranger")]
    views = [seen_slots(SLOTS, [taker], reader="mum", student="kid", are_joint=never) for taker in takers]
    closed = (Slot(id="10:00", teacher="art", closed=True), *SLOTS[1:])
    views.append(seen_slots(closed, [], reader="mum", student="kid", are_joint=never))
    assert views[0] == views[1] == views[2]


@pytest.mark.parametrize(
    ("slot", "reader", "joint", "may"),
    [
        (0, "mum", never, False),
        (1, "mum", never, True),
        (1, "mum", parents_at_home, False),
        (1, "dad", never, False),
        (2, "mum", never, False),
        (3, "dad", never, True),
        (3, "mum", parents_at_home, True),
    ],
    ids=["taken", "her own slot", "they have one", "he has one", "closed", "another teacher", "together, another"],
)
def test_who_may_book(slot: int, reader: str, joint: object, may: bool) -> None:  # noqa: FBT001  # a table's column
    """Parents apart may each have an appointment with the same teacher, a household one."""
    asked = may_book(SLOTS[slot], SLOTS, [BY_DAD], reader=reader, student="kid", are_joint=joint)  # type: ignore[arg-type]  # as above
    assert asked is may


def test_a_slot_that_is_not_offered_cannot_be_booked() -> None:
    """An id made up by whoever holds a link."""
    assert not may_book(Slot(id="12:00", teacher="art"), SLOTS, [], reader="mum", student="kid", are_joint=never)


def test_whose_booking_may_be_touched() -> None:
    """One's own and that of whoever one lives with."""
    assert may_see_booking(BY_DAD, reader="dad", are_joint=never)
    assert not may_see_booking(BY_DAD, reader="mum", are_joint=never)
    assert may_see_booking(BY_DAD, reader="mum", are_joint=parents_at_home)


def test_a_link_is_shared_by_a_household_only() -> None:
    """By the households on record: the separated father has a link of his own, though he lives under one roof."""
    index = DirectoryIndex(
        directory(
            relationships=[relation(contact, **PARENT) for contact in ("mum", "partner", "dad", "nan")],
            households=[
                {"id": "new", "members": ["mum", "partner"]},
                {"id": "old", "members": ["mum", "dad"], "separated": True},
            ],
        )
    )
    households = Households(index, TODAY, Policy())
    links = parties(["partner", "nan", "mum", "dad", "mum"], households.are_joint)
    assert links == (("dad",), ("mum", "partner"), ("nan",))


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.frozensets(st.sampled_from("abcdef"), min_size=2, max_size=2)))
def test_nobody_shares_a_link_with_somebody_who_lives_apart(people: set[str], pairs: set[frozenset[str]]) -> None:
    """Everybody is in one party, and all of it live with each other."""

    def are_joint(one: str, other: str) -> bool:
        return frozenset((one, other)) in pairs

    divided = parties(people, are_joint)
    assert sorted(member for party in divided for member in party) == sorted(people)
    assert all(are_joint(one, other) for party in divided for one in party for other in party if one != other)
