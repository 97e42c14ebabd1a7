"""What a file may not change, whatever it says."""

import datetime as dt
import json
from typing import Any

import msgspec
import pytest

from gateway.directory.changes import COLLECTIONS, Key, Recorded, compare
from gateway.directory.documents import RestrictionsRefusedError, read_directory
from gateway.directory.doubts import find_doubts
from gateway.directory.model import ContactPoint, Directory
from tests.flow.families import DAD, KID, MUM, parents
from tests.unit.rules.households import deny, directory, email, letter

TODAY = dt.date(2026, 6, 15)


def on_record(known: Directory) -> dict[str, dict[Key, Recorded]]:
    """Put a directory on record."""
    return {
        collection.name: {
            collection.key(row): Recorded(document=msgspec.json.encode(row), ended=False)
            for row in getattr(known, collection.name)
        }
        for collection in COLLECTIONS
    }


def points(before: list[Any], after: list[Any]) -> tuple[dict[Key, ContactPoint], list[str]]:
    """Give the contact points that a file adds or changes, and those a person must look at."""
    changes = compare(on_record(directory(contact_points=before)), directory(contact_points=after), today=TODAY)
    found = changes.collections["contact_points"]
    return {**found.added, **found.changed}, [held.id for held in changes.held]


def test_a_confidential_address_stays_so_under_its_id() -> None:
    """The flag alone cannot be taken away."""
    hidden = letter("mum", "9 Refuge Lane", confidential=True)
    changed, held = points([hidden], [{**hidden, "confidential": False}])
    assert changed == {}
    assert held == [hidden["id"]]


def test_a_confidential_address_stays_so_under_another_id() -> None:
    """The same contact's same address is as confidential in a feed that numbers its points otherwise."""
    hidden = letter("mum", "9 Refuge Lane", confidential=True)
    changed, held = points([hidden], [{**hidden, "id": "other", "confidential": False}])
    assert changed[("other",)].confidential
    assert held == ["other"]


def test_another_address_may_be_open() -> None:
    """What is not that address is nobody's secret."""
    hidden = letter("mum", "9 Refuge Lane", confidential=True)
    changed, held = points([hidden], [hidden, email("mum")])
    assert [point.confidential for point in changed.values()] == [False]
    assert held == []


def test_a_document_with_an_unreadable_restriction_is_refused_whole() -> None:
    """A typo in an order's date must not let the barred parent be told; the sentence names the row and the field."""
    document = {
        "school": {"id": "school", "name": "School"},
        "restrictions": [
            {
                "id": "x1",
                "student": "kid",
                "contact": "dad",
                "effect": "deny",
                "basis": "court_order",
                "from": "2026-13-01",
            }
        ],
    }
    with pytest.raises(RestrictionsRefusedError, match="restrictions x1: The field 'from' must be a date"):
        read_directory(json.dumps(document).encode(), today=TODAY)


@pytest.mark.parametrize(
    ("entity", "row"),
    [
        ("contacts", {"id": "mum", "given_name": "A\r\nBcc: b"}),
        ("contact_points", {"id": "e", "contact": "mum", "channel": "email", "address": "mum@example.org\r\nX: y"}),
        ("students", {"id": "kid\n", "given_name": "Kid"}),
    ],
)
def test_line_ends_never_enter_the_directory(entity: str, row: dict[str, Any]) -> None:
    """Names, ids and addresses end in mail headers: a row with a line end is refused, in words."""
    document = {"school": {"id": "school", "name": "School"}, "contacts": [{"id": "mum"}]} | {entity: [row]}
    (refused,) = read_directory(json.dumps(document).encode(), today=TODAY).refused
    assert "one line without control characters" in refused.reason


def test_contradictions_are_shown_to_a_person() -> None:
    """Nobody is dropped for them, and nobody is told more."""
    doubtful = directory(
        students=[KID],
        contacts=[MUM, {"id": "kid"}, DAD, {"id": "other"}],
        relationships=parents("mum", "dad", "other"),
        households=[{"id": "empty", "members": []}],
        restrictions=[deny("kid")],
    )
    assert sorted((held.entity, held.id) for held in find_doubts(doubtful)) == [
        ("contacts", "kid"),
        ("households", "empty"),
        ("restrictions", doubtful.restrictions[0].id),
        ("students", "kid"),
    ]
