"""What makes a directory inconsistent."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from gateway.directory.model import Directory
from gateway.directory.validation import find_problems

TODAY = dt.date(2026, 6, 15)
SOUND: dict[str, list[dict[str, Any]]] = {
    "students": [{"id": "s1"}, {"id": "s2", "objections": ["*", "c1"]}],
    "contacts": [{"id": "c1", "language": "pt-BR", "timezone": "Asia/Dubai"}, {"id": "c2"}],
    "contact_points": [
        {"id": "p1", "contact": "c1", "channel": "email", "address": "c1@example.org"},
        {"id": "p2", "contact": "c1", "channel": "letter", "address": {"lines": ["1 Weir Street"]}},
    ],
    "households": [{"id": "h1", "members": ["c1", "c2"], "from": "2026-01-01", "to": "2026-01-01"}],
    "relationships": [
        {"student": "s1", "contact": "c1", "valid_to": "2026-06-14"},
        {"student": "s1", "contact": "c1", "valid_from": "2026-06-15"},
        {"student": "s1", "contact": "c2"},
    ],
    "restrictions": [{"id": "x1", "student": "s1", "contact": "c2", "effect": "deny", "basis": "statute"}],
    "placement_plans": [{"student": "s1", "contact": "c1", "share": ["*"]}],
}


def directory(**added: list[dict[str, Any]]) -> Directory:
    """Add rows to the sound directory."""
    rows = {entity: [*known, *added.get(entity, [])] for entity, known in SOUND.items()}
    return msgspec.convert({"school": {"id": "x", "name": "X"}, **rows}, Directory)


def test_a_sound_directory_has_no_problem() -> None:
    """Ended rows beside a current one, open dates and one-day ranges are in order."""
    assert find_problems(directory(), TODAY) == []


@pytest.mark.parametrize(
    ("entity", "row", "id_", "field"),
    [
        ("students", {"id": "s1"}, "s1", "id"),
        ("contacts", {"id": "c1"}, "c1", "id"),
        ("contact_points", {"id": "p1", "contact": "c1", "channel": "email", "address": "x@example.org"}, "p1", "id"),
        ("households", {"id": "h1"}, "h1", "id"),
        ("restrictions", {**SOUND["restrictions"][0]}, "x1", "id"),
        ("contact_points", {"id": "p3", "contact": "c9", "channel": "sms", "address": "1"}, "p3", "contact"),
        ("households", {"id": "h2", "members": ["c1", "c9"]}, "h2", "members"),
        ("students", {"id": "s3", "objections": ["c9"]}, "s3", "objections"),
        ("relationships", {"student": "s9", "contact": "c1"}, "s9/c1", "student"),
        ("relationships", {"student": "s1", "contact": "c9"}, "s1/c9", "contact"),
        ("restrictions", {**SOUND["restrictions"][0], "id": "x2", "student": "s9"}, "x2", "student"),
        ("placement_plans", {"student": "s1", "contact": "c9"}, "s1/c9", "contact"),
        ("students", {"id": "s3", "enrolled_from": "2026-02-01", "enrolled_to": "2026-01-01"}, "s3", "enrolled_to"),
        ("households", {"id": "h2", "from": "2026-02-01", "to": "2026-01-01"}, "h2", "to"),
        (
            "relationships",
            {"student": "s2", "contact": "c1", "valid_from": "2026-02-01", "valid_to": "2026-01-01"},
            "s2/c1",
            "valid_to",
        ),
        (
            "restrictions",
            {**SOUND["restrictions"][0], "id": "x2", "from": "2026-02-01", "until": "2026-01-01"},
            "x2",
            "until",
        ),
        ("relationships", {"student": "s1", "contact": "c2"}, "s1/c2", "valid_to"),
        ("contacts", {"id": "c3", "timezone": "Europe/Londres"}, "c3", "timezone"),
        ("contacts", {"id": "c3", "timezone": "../etc"}, "c3", "timezone"),
        ("contacts", {"id": "c3", "language": "Polish please"}, "c3", "language"),
        ("contact_points", {"id": "p3", "contact": "c1", "channel": "letter", "address": "1 Weir St"}, "p3", "address"),
        ("contact_points", {"id": "p3", "contact": "c1", "channel": "sms", "address": {"lines": []}}, "p3", "address"),
    ],
)
def test_one_problem_is_named(entity: str, row: dict[str, Any], id_: str, field: str) -> None:
    """Each fault gives one problem with its list, row and field."""
    problems = find_problems(directory(**{entity: [row]}), TODAY)
    assert [(problem.entity, problem.id, problem.field) for problem in problems] == [(entity, id_, field)]


def test_two_rows_may_follow_each_other() -> None:
    """Rows compete only on a day on which both are current."""
    later = {"student": "s1", "contact": "c2", "valid_from": "2026-06-16"}
    both = directory(relationships=[later])
    assert find_problems(both, TODAY) == []
    assert len(find_problems(both, TODAY + dt.timedelta(days=1))) == 1


def test_an_unknown_school_zone_is_a_problem() -> None:
    """Without a zone nobody knows what day it is at the school."""
    unknown = msgspec.convert({"school": {"id": "x", "name": "X", "timezone": "Nowhere"}}, Directory)
    assert [str(problem) for problem in find_problems(unknown, TODAY)] == [
        "school x: timezone must be a zone of the IANA database."
    ]
