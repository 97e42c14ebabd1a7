"""What other systems are told names nobody, whatever stands in the rows."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.tables import deliveries, notifications
from gateway.tracking.announcements import (
    TOLD,
    EventType,
    body_of,
    news_of_delivery,
    news_of_notification,
)
from gateway.tracking.states import SETTLED, State
from tests.store.rows import NOON

PERSONAL = "Zinnia Quillfeather zinnia@example.org +447700900111 Weir-Street"
ABOUT_DELIVERIES = {"id", "notification", "contact", "channel", "state", "code", "attempts", "merged_into"}
ABOUT_NOTIFICATIONS = {"id", "status", "category", "purpose", "reference"}
COUNTS: dict[str, Any] = {
    "messages": 10**6, "sent": 10**6, "held": 1, "excluded": 2, "unreachable": 3,
    "deliveries": {state.value: 10**6 for state in State},
    "channels": {PERSONAL: {}}, "languages": {PERSONAL: 1},
}  # fmt: skip


def row_of(table: Any, told: set[str], **values: Any) -> Any:
    """Make a row in which every column that is none of theirs holds a person's data."""
    others = {column.name: PERSONAL for column in table.c if column.name not in told}
    return SimpleNamespace(**{**others, **values})


def delivery_row(**values: Any) -> Any:
    """Make a delivery's row, joined with its notification."""
    given_values = {
        "id": "d" * 34, "notification": "n" * 26, "contact": "c" * 200, "channel": "letter", "state": "delivered",
        "code": "R44", "attempts": 3, "merged_into": "m" * 34,
        "category": "attendance", "purpose": "information", "reference": None,
    }  # fmt: skip
    return row_of(deliveries, ABOUT_DELIVERIES, **{**given_values, **values})


@given(
    st.sampled_from(sorted(TOLD)),
    st.none() | st.text(max_size=60) | st.just("zinnia@example.org") | st.just("Mrs Quillfeather"),
)
def test_a_deliverys_news_holds_ids_states_and_codes(state: State, code: str | None) -> None:
    """Nothing of the address, the language, the provider's sentence; a code that is no code is left out."""
    body = body_of(TOLD[state], NOON, news_of_delivery(delivery_row(state=state.value, code=code)))
    assert not any(word in body for word in PERSONAL.split())
    decoded = json.loads(body)
    assert decoded["type"] == f"delivery.{state}"
    assert decoded["timestamp"] == "2026-06-15T11:00:00Z"
    assert decoded["data"]["code"] in {None, code}
    assert "@" not in (decoded["data"]["code"] or "")
    assert " " not in (decoded["data"]["code"] or "")


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind.startswith("notification.")])
def test_a_notifications_news_holds_figures(kind: EventType) -> None:
    """Nothing of what was asked for, or of who asked."""
    values = {"id": "n" * 26, "status": "finished", "category": "emergency", "purpose": "safety", "reference": "case 7"}
    body = body_of(kind, NOON, news_of_notification(row_of(notifications, ABOUT_NOTIFICATIONS, **values), COUNTS))
    assert not any(word in body for word in PERSONAL.split())
    assert json.loads(body)["data"]["reference"] == "case 7"


def test_a_body_stays_small() -> None:
    """20 kB is the standard's advice; the longest reference of the costliest signs is far below it."""
    longest = "\x01" * 1000
    delivery = body_of(EventType.DELIVERY_SENT, NOON, news_of_delivery(delivery_row(reference=longest)))
    row = row_of(notifications, ABOUT_NOTIFICATIONS, id="n", status="s", category="c", purpose="p", reference=longest)
    notification = body_of(EventType.NOTIFICATION_PLANNED, NOON, news_of_notification(row, COUNTS))
    assert max(len(delivery.encode()), len(notification.encode())) < 10_000


def test_every_state_that_needs_nothing_more_is_told() -> None:
    """And the one that nobody knows; a step on the way is not, nor what a person has yet to decide."""
    assert set(TOLD) == SETTLED | {State.UNKNOWN}
    assert set(TOLD.values()) == {kind for kind in EventType if kind.startswith("delivery.")}
