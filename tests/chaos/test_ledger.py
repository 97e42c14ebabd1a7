"""The ledger finds what a fault could do: each kind of loss and of doubling."""

from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos import ledger
from tests.chaos.ledger import Received, _Books

POSTED = {"n1": "report"}


def books(*, state: str = "sent", doubts: int = 0, due_at: object = None, **more: Any) -> _Books:
    """One report to one contact, in order unless something is said."""
    delivery = SimpleNamespace(
        id="d1", notification="n1", contact="c1", message="m1", channel="email", state=state, due_at=due_at, attempts=1
    )
    return _Books(
        **{
            "notifications": [SimpleNamespace(id="n1", reference="first", status="finished")],
            "decided": {("n1", "c1")},
            "messages": [SimpleNamespace(id="m1", notification="n1", contact="c1")],
            "deliveries": [delivery],
            "doubts": Counter({"d1": doubts}),
            "settled_by_hand": frozenset[str](),
            "reached_by_hand": frozenset[tuple[str, str]](),
            "tasks": 0,
        }
        | more
    )


def faults(of: _Books, copies: Mapping[str, int], told: Mapping[str, str] | None = None) -> list[str]:
    """List what the ledger finds."""
    return ledger.faults_of(of, POSTED, ["c1"], Received(copies=Counter(copies), lately=copies, told=told or {}))


@pytest.mark.parametrize(
    ("of", "copies"),
    [
        (books(), {"d1": 1}),
        (books(doubts=1), {"d1": 2}),
        (books(state="failed", reached_by_hand=frozenset({("n1", "c1")})), {}),
        (books(state="unknown", doubts=1, settled_by_hand=frozenset({"d1"})), {"d1": 1}),
        (books(elsewhere=frozenset({"d0"})), {"d1": 1, "d0": 2}),
    ],
    ids=["sent", "doubled while unknown", "failed, somebody's task", "unknown, somebody's task", "late, of another"],
)
def test_what_is_in_order_is_no_fault(of: _Books, copies: Mapping[str, int]) -> None:
    """Sent once, or doubled while nobody knew, or somebody's task."""
    assert faults(of, copies) == []


@pytest.mark.parametrize(
    ("of", "copies", "sentence"),
    [
        (books(), {}, "never left"),
        (books(), {"d1": 2}, "left 2 times with 0 doubts"),
        (books(doubts=1), {"d1": 3}, "left 3 times with 1 doubts"),
        (books(state="failed", reached_by_hand=frozenset({("n1", "c1")})), {"d1": 1}, "without any doubt"),
        (books(state="failed"), {}, "lost"),
        (books(state="queued"), {}, "is queued"),
        (books(state="unknown", doubts=1), {"d1": 1}, "nobody's task"),
        (books(), {"d1": 1, "d2": 1}, "d2 left and is not on record"),
        (books(notifications=[]), {"d1": 1}, "accepted and is not on record"),
        (books(decided=set[tuple[str, str]]()), {"d1": 1}, "nothing was decided about c1"),
        (books(deliveries=[]), {}, "0 deliveries by email"),
        (books(messages=[]), {"d1": 1}, "0 messages"),
    ],
)
def test_each_fault_is_found(of: _Books, copies: Mapping[str, int], sentence: str) -> None:
    """Every kind of loss and doubling has its sentence."""
    assert any(sentence in fault for fault in faults(of, copies)), faults(of, copies)


def test_a_forgotten_receipt_is_found() -> None:
    """A text that the provider has reported delivered must not stay sent."""
    assert any("reported delivered" in fault for fault in faults(books(), {"d1": 1}, {"d1": "delivered"}))
