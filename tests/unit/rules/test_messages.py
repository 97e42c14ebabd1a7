"""What leaves, when and together with what: siblings, ladder, quiet hours, merging."""

import datetime as dt
from typing import Any

import pytest

from gateway.rules.answer import PlannedMessage
from tests.unit.rules.households import PARENT, Row, answered, deny, email, letter, mobile, relation, routes, voice

HOME = [{"id": "h", "members": ["mum", "dad"]}]
BOTH = [relation(**PARENT), relation("dad", **PARENT)]


def told(messages: tuple[PlannedMessage, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """List contact and students of each message."""
    return [(message.contact, message.students) for message in messages]


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("newsletter", [("mum", ("abe", "kid"))]),
        ("progress", [("mum", ("abe", "kid"))]),
        ("report", [("mum", ("abe",)), ("mum", ("kid",))]),
        ("attendance", [("mum", ("abe",)), ("mum", ("kid",))]),
    ],
)
def test_siblings(category: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    """R28: siblings share a message, but not in sensitive and ladder categories."""
    rows = [relation(**PARENT), relation(student="abe", **PARENT)]
    assert told(answered(category, request={"everyone": True}, relationships=rows).messages) == expected


def test_siblings_with_different_points_get_separate_messages() -> None:
    """R28: a mailbox closed for one child splits the message."""
    rows = [relation(student=student, **PARENT) for student in ("abe", "ben", "kid")]
    given = answered(
        "newsletter",
        request={"everyone": True},
        contacts=[{"id": "dad"}],
        relationships=rows,
        contact_points=[
            email("mum", "family@example.org"),
            email("dad", "family@example.org"),
            letter("mum", "1 Mill St"),
        ],
        restrictions=[deny("dad", "ben")],
    )
    assert told(given.messages) == [("mum", ("abe", "kid")), ("mum", ("ben",))]
    assert [len(message.deliveries) for message in given.messages] == [2, 1]


def test_the_ladder() -> None:
    """R31: the student; parents and carers at home; other parents; everyone else; by priority, then id."""
    rows = [
        relation("a-gran", emergency_contact=True, priority=1),
        relation("b-dad", priority=1, **PARENT),
        relation("c-step", lives_with=True, care_of_child=True),
        relation("d-mum", lives_with=True, priority=7, **PARENT),
        relation("e-mam", lives_with=True, priority=7, **PARENT),
        relation("f-late", lives_with=True, priority=1, **PARENT),
    ]
    given = answered(
        "child_safety", contacts=[{"id": "f-late", "deceased": True}], relationships=rows, students=[{"id": "kid"}]
    )
    assert {message.contact: message.step for message in given.messages} == {
        "d-mum": 1,
        "e-mam": 2,
        "c-step": 3,
        "b-dad": 4,
        "a-gran": 5,
    }


def test_the_adult_student_is_the_first_rung() -> None:
    """R31 with R15: herself before her next of kin."""
    rows = [relation("a-mum", lives_with=True, emergency_contact=True, priority=1, **PARENT), relation(relation="self")]
    given = answered("child_safety", students=[{"id": "kid", "birth_date": "2008-01-01"}], relationships=rows)
    assert [(message.contact, message.step) for message in given.messages] == [("a-mum", 2), ("mum", 1)]


@pytest.mark.parametrize(
    ("at", "hours", "zone", "expected"),
    [
        ("2026-06-15T20:59:00+01:00", ["21:00", "07:00"], None, None),
        ("2026-06-15T21:00:00+01:00", ["21:00", "07:00"], None, "2026-06-16T06:00:00+00:00"),
        ("2026-06-16T06:59:59+01:00", ["21:00", "07:00"], None, "2026-06-16T06:00:00+00:00"),
        ("2026-06-16T07:00:00+01:00", ["21:00", "07:00"], None, None),
        ("2026-06-15T12:00:00+01:00", ["09:00", "17:00"], None, "2026-06-15T16:00:00+00:00"),
        ("2026-06-15T18:00:00+01:00", ["09:00", "17:00"], None, None),
        ("2026-06-15T12:00:00+01:00", ["12:00", "12:00"], None, None),
        ("2026-06-15T23:00:00+01:00", None, None, None),
        ("2026-06-15T20:30:00Z", ["21:00", "08:00"], "Asia/Dubai", "2026-06-16T04:00:00+00:00"),
        # The night the clocks go forward and the night they go back in London
        ("2026-03-28T23:00:00Z", ["21:00", "07:00"], None, "2026-03-29T06:00:00+00:00"),
        ("2026-10-24T22:00:00Z", ["21:00", "07:00"], None, "2026-10-25T07:00:00+00:00"),
        # An end at a time that the night skips, and one that it has twice
        ("2026-03-28T23:00:00Z", ["21:00", "01:30"], None, "2026-03-29T01:30:00+00:00"),
        ("2026-10-24T23:00:00Z", ["21:00", "01:30"], None, "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T01:10:00Z", ["21:00", "01:30"], None, "2026-10-25T01:30:00+00:00"),
    ],
)
def test_quiet_hours(at: str, hours: list[str] | None, zone: str | None, expected: str | None) -> None:
    """R32: a message waits for the next end of the contact's quiet hours, in the contact's own zone."""
    contacts = [{"id": "mum", "timezone": zone, "preferences": {"quiet_hours": hours}}]
    (message,) = answered("routine", at, contacts=contacts, relationships=[relation(**PARENT)]).messages
    assert message.not_before == (None if expected is None else dt.datetime.fromisoformat(expected))


@pytest.mark.parametrize(
    ("category", "points", "waits"),
    [
        ("routine", [letter("mum", "1 Mill St")], False),
        ("routine", [letter("mum", "1 Mill St"), email("mum")], True),
        ("attendance", [email("mum")], False),
        ("emergency", [email("mum")], False),
    ],
)
def test_what_never_waits(category: str, points: list[Row], *, waits: bool) -> None:
    """R32: letters and urgent categories leave at night as well."""
    night = "2026-06-15T23:00:00+01:00"
    (message,) = answered(category, night, relationships=[relation(**PARENT)], contact_points=points).messages
    assert (message.not_before is not None) is waits


FAMILY = [email("dad", "family@example.org"), email("mum", "family@example.org")]
LANDLINE = [voice("dad", "020 7946 0123"), voice("mum", "020 7946 0123")]
HOUSE = [letter("dad", "1 Mill St"), letter("mum", "1 mill st.")]


@pytest.mark.parametrize(
    ("category", "facts", "expected"),
    [
        ("newsletter", {}, ["mum-e>dad-e"]),
        ("newsletter", {"households": []}, ["mum-e>dad-e"]),
        ("report", {}, ["mum-e>dad-e"]),
        ("attendance", {}, ["mum-e"]),
        ("newsletter", {"contacts": [{"id": "mum", "language": "pl"}]}, ["mum-e"]),
        ("newsletter", {"contacts": [{"id": "mum", "formats": ["easy_read"]}]}, ["mum-e"]),
        ("newsletter", {"contact_points": [FAMILY[0], {**FAMILY[1], "confidential": True}]}, ["mum-e"]),
        ("newsletter", {"contact_points": [{**FAMILY[0], "confidential": True}, FAMILY[1]]}, ["mum-e"]),
        ("newsletter", {"contact_points": HOUSE}, ["mum-l>dad-l"]),
        ("newsletter", {"contact_points": HOUSE, "households": []}, ["mum-l"]),
        ("newsletter", {"contact_points": [*FAMILY, *HOUSE]}, ["mum-e>dad-e", "mum-l"]),
        ("newsletter", {"contact_points": [FAMILY[1], *HOUSE]}, ["mum-e", "mum-l"]),
        ("emergency", {"contact_points": [*FAMILY, *LANDLINE]}, ["mum-v>dad-v", "mum-e>dad-e"]),
        (
            "emergency",
            {"contact_points": [mobile("dad", "07700 900001"), voice("mum", "07700 900001")]},
            ["mum-v"],
        ),
        ("newsletter", {"relationships": [*BOTH, relation("dad", "abe", **PARENT)]}, ["mum-e"]),
    ],
)
def test_merging(category: str, facts: Row, expected: list[str]) -> None:
    """P9: equal deliveries at one place are carried once, letters only between joint contacts."""
    standard: Any = {"relationships": BOTH, "households": HOME, "contact_points": FAMILY}
    given = answered(category, request={"everyone": True}, **{**standard, **facts})
    assert routes(given) == expected


def test_messages_that_wait_differently_are_not_merged() -> None:
    """P9: `not_before` must be equal, too."""
    contacts = [{"id": "mum", "preferences": {"quiet_hours": None}}]
    night = "2026-06-15T23:00:00+01:00"
    given = answered("newsletter", night, contacts=contacts, relationships=BOTH, households=HOME, contact_points=FAMILY)
    assert routes(given) == ["mum-e"]


def test_all_hang_on_the_first_unmerged_delivery() -> None:
    """P9: a third at the same mailbox hangs on the first, not on the second."""
    rows = [relation(contact, **PARENT) for contact in ("ann", "bob", "cat")]
    points = [email(contact, "family@example.org") for contact in ("ann", "bob", "cat")]
    given = answered("newsletter", relationships=rows, contact_points=points)
    assert [routes(given, contact) for contact in ("ann", "bob", "cat")] == [
        ["ann-e"],
        ["bob-e>ann-e"],
        ["cat-e>ann-e"],
    ]


def test_a_letter_seeks_the_first_joint_one() -> None:
    """P9: of two earlier letters at one address the joint contact's carries."""
    rows = [relation(contact, **PARENT) for contact in ("ann", "bob", "cat")]
    given = answered(
        "newsletter",
        relationships=rows,
        households=[{"id": "h", "members": ["bob", "cat"]}],
        contact_points=[letter(contact, "1 Mill St") for contact in ("ann", "bob", "cat")],
    )
    assert [routes(given, contact) for contact in ("ann", "bob", "cat")] == [["ann-l"], ["bob-l"], ["cat-l>bob-l"]]


def test_language_and_formats_come_from_the_contact() -> None:
    """Section 2: the school's language where the contact has none; formats in one order."""
    contacts = [{"id": "mum", "formats": ["large_print_16", "audio"]}, {"id": "dad", "language": "ur"}]
    given = answered("newsletter", contacts=contacts, relationships=BOTH)
    assert [(m.contact, m.language, m.formats) for m in given.messages] == [
        ("dad", "ur", ()),
        ("mum", "en", ("audio", "large_print_16")),
    ]
