"""Rows of one notification belong together: they are decided about, taken back and rung up in one go. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any


def by_notification(rows: Iterable[Any]) -> dict[str, list[Any]]:
    """Gather rows by the notification they name, in the order in which they come."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.notification].append(row)
    return groups
