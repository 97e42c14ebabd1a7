"""What a file may not change, whatever it says."""

import datetime as dt
from typing import Any

import msgspec

from gateway.directory.changes import COLLECTIONS, Key, Recorded, compare
from gateway.directory.model import ContactPoint, Directory
from tests.unit.rules.households import directory, email, letter

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
