"""The worked cases of the recipient rules, as given and with every list shuffled."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.rules.documents import decide_documents

FAMILIES = Path(__file__).parents[2] / "families"
CASES = [
    pytest.param(family["directory"], case, id=f"{family['id']}-{number}-{case['request']['category']}")
    for path in sorted(FAMILIES.glob("*.json"))
    for family in [json.loads(path.read_text(encoding="utf-8"))]
    for number, case in enumerate(family["cases"], start=1)
]
ORDERED_KEYS = frozenset({"lines", "channels", "quiet_hours"})
"""Lists whose order means something."""


def answer(directory: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Ask as a caller with two documents does."""
    given = decide_documents(json.dumps(directory).encode(), json.dumps(request).encode())
    return json.loads(msgspec.json.encode(given))


def shown(full: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare each message on the keys its expectation shows (section 7)."""
    return [
        {key: value for key, value in row.items() if key in pattern}
        for row, pattern in zip(full, expected, strict=True)
    ]


def check(directory: dict[str, Any], case: dict[str, Any], request: dict[str, Any]) -> None:
    """Compare decisions and messages with the case's expectation."""
    given, expected = answer(directory, request), case["expect"]
    assert "error" not in given
    keys = ("student", "contact", "outcome", "rule")
    assert [{key: row[key] for key in keys} for row in given["decisions"]] == expected["decisions"]
    assert len(given["messages"]) == len(expected["messages"])
    assert shown(given["messages"], expected["messages"]) == expected["messages"]


def shuffled(value: Any, chance: random.Random, key: str = "") -> Any:
    """Shuffle every list whose order means nothing."""
    if isinstance(value, dict):
        return {inner: shuffled(item, chance, inner) for inner, item in value.items()}
    if isinstance(value, list):
        items = [shuffled(item, chance, key) for item in value]
        if key not in ORDERED_KEYS:
            chance.shuffle(items)
        return items
    return value


@pytest.mark.parametrize(("directory", "case"), CASES)
def test_family(directory: dict[str, Any], case: dict[str, Any]) -> None:
    """Each worked case gets exactly the decisions and messages it expects."""
    check(directory, case, case["request"])


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("directory", "case"), CASES)
def test_family_in_any_order(directory: dict[str, Any], case: dict[str, Any], seed: int) -> None:
    """The order in which people, points and restrictions are listed changes nothing."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable shuffle, no secret
    check(shuffled(directory, chance), case, shuffled(case["request"], chance))
