"""What of a provider's raw news may be shown: statuses, codes, ids and times; of all else its length."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.redaction import MOST_ENTRIES, redacted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MessageStatus", "delivered"),
        ("SmsSid", "SM0123456789abcdef"),
        ("ErrorCode", "30003"),
        ("error_code", 30003),
        ("NumSegments", "2"),
        ("status", "Delivered"),
        ("batch_id", "01FC66621XXXXX119Z8PMV1QPQ"),
        ("id", "1234567890123"),
        ("at", "2026-06-15T11:00:00.123Z"),
        ("operator_status_at", "2026-06-15T11:00:00Z"),
        ("Timestamp", "1750000000000"),
        ("AnsweredBy", "machine_end_beep"),
        ("CallDuration", "31"),
        ("type", None),
        ("anything", None),
        ("anything", True),
    ],
)
def test_what_names_nobody_is_shown(name: str, value: Any) -> None:
    """It is what one needs to talk to a provider's support."""
    assert redacted({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("To", "+447700900001"),
        ("From", "447700900001"),
        ("Body", "Dear Ada"),
        ("Digits", "1"),
        ("ErrorMessage", "Handset +447700900001 is off"),
        ("subject", "About Ada"),
        ("recipients", "447700900001"),
        ("FromCity", "Leeds"),
        ("email", "cleo@example.org"),
        ("address_line_1", "1 School Road"),
        # What a provider may put where its documents promise something else.
        ("MessageStatus", "cleo@example.org"),
        ("status", "failed for 447700900001"),
        ("ErrorCode", "+447700900001"),
        ("id", "+447700900001"),
        ("reason", "x" * 200),
        ("status", "Adas Mütter"),
    ],
)
def test_what_may_name_somebody_is_not(name: str, value: str) -> None:
    """Only its length is told."""
    assert redacted({name: value}) == {name: f"({len(value)} characters)"}


def test_what_lies_deeper_is_treated_alike() -> None:
    """In lists and mappings, however deep; names that are addresses are hidden, too."""
    raw = {
        "statuses": [{"code": 401, "status": "Delivered", "recipients": ["447700900001"]}],
        "cleo@example.org": {"status": "failed"},
        "deep": {"a": {"b": {"c": {"d": {"status": "hidden all the same"}}}}},
    }
    shown = redacted(raw)
    assert shown["statuses"] == [{"code": 401, "status": "Delivered", "recipients": ["(12 characters)"]}]
    assert shown["(16 characters)"] == {"status": "failed"}
    assert "447700900001" not in str(shown)
    assert "hidden" not in str(shown)


def test_a_flood_is_only_counted() -> None:
    """A callback with a thousand fields fits a log line."""
    shown = redacted({f"status{number}": "x" for number in range(MOST_ENTRIES + 5)} | {})
    assert shown["…"] == "5 more"
    assert redacted({"status": ["a"] * (MOST_ENTRIES + 2)})["status"][-1] == "2 more"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text() | st.sampled_from(["status", "id", "code", "at"]), _JSON, max_size=5))
def test_whatever_a_provider_sends_can_be_shown(raw: dict[str, Any]) -> None:
    """It is always JSON, and never holds an address."""
    assert "@" not in json.dumps(redacted(raw))
