"""Rows as the planner writes them, with every column that a test does not care about filled in."""

import datetime as dt
from typing import Any

NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)


def notification(name: str = "n1", **columns: Any) -> dict[str, Any]:
    """Describe an accepted newsletter of the school `school`, due at noon."""
    return {
        "id": name,
        "school": "school",
        "category": "newsletter",
        "purpose": "information",
        "lane": "bulk",
        "status": "accepted",
        "request": '{"category":"newsletter","purpose":"information","audience":{"everyone":true}}',
        "sources": "{}",
        "created_by": "key",
        "created_at": NOON,
        "send_at": NOON,
        "cursor": "",
        **columns,
    }


def delivery(name: str = "d1", **columns: Any) -> dict[str, Any]:
    """Describe a mail that waits in the batch `b1` and is due at noon."""
    return {
        "id": name,
        "school": "school",
        "notification": "n1",
        "message": f"m-{name}",
        "contact": f"c-{name}",
        "point": f"p-{name}",
        "channel": "email",
        "lane": "bulk",
        "position": 0,
        "batch": "b1",
        "address": "masked",
        "language": "en",
        "fell_back": False,
        "neutral": False,
        "bare": False,
        "directory_version": 1,
        "state": "queued",
        "due_at": NOON,
        "attempts": 0,
        "merged_into": None,
        "created_at": NOON,
        "changed_at": NOON,
        **columns,
    }


def message(name: str, contact: str, *students: str, **columns: Any) -> dict[str, Any]:
    """Describe a message in fallback mode without routes."""
    listed = ",".join(f'"{student}"' for student in students)
    return {
        "id": name,
        "school": "school",
        "notification": "n1",
        "contact": contact,
        "students": f"[{listed}]",
        "formats": "[]",
        "routes": "[]",
        "mode": "fallback",
        "language": "en",
        **columns,
    }


def decision(student: str, contact: str, **columns: Any) -> dict[str, Any]:
    """Describe a decision to send."""
    return {
        "notification": "n1",
        "school": "school",
        "student": student,
        "contact": contact,
        "outcome": "send",
        "rule": "R07",
        "reason": "A parent.",
        "message": None,
        "at": NOON,
        **columns,
    }
