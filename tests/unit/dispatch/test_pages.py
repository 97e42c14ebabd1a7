"""R45: what one round of pages consists of, and what an answer makes of a page."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from channels.base import Handover
from channels.errors import Retry, SendError
from gateway.dispatch.duty import DutyContact
from gateway.dispatch.pager import MOST_ATTEMPTS, answered
from gateway.dispatch.paging import pages_of
from gateway.rules.escalation import Advice, Role

NOW = dt.datetime(2026, 6, 15, 9, 2, tzinfo=dt.UTC)
MOBILE, OFFICE_PHONE = "+447700900501", "+442079460123"


def on_duty(name: str, *points: tuple[str, str], role: str = "safeguarding", **fields: Any) -> DutyContact:
    """Put somebody on duty with points of (channel, address)."""
    listed = [{"channel": channel, "address": address} for channel, address in points]
    return msgspec.convert({"id": name, "role": role, "name": name, "points": listed, **fields}, DutyContact)


def holds(*names: str) -> list[Any]:
    """Let holds of one alert wait, each a second longer than the next."""
    return [
        SimpleNamespace(id=name, school="school", notification="n" * 26, due_at=NOW - dt.timedelta(seconds=place))
        for place, name in enumerate(names)
    ]


def rounds(number: int, role: Role, *people: DutyContact) -> list[dict[str, Any]]:
    """Write one round."""
    return list(pages_of(holds("late", "early"), Advice(role=role, number=number), people, language="cy", now=NOW))


def test_everybody_of_the_role_is_paged_on_every_point() -> None:
    """In their own language or the school's; about the hold that waits longest; others' roles are not meant."""
    lead = on_duty("lead", ("sms", MOBILE), ("voice", MOBILE), language="pl")
    deputy = on_duty("deputy", ("voice", OFFICE_PHONE))
    rows = rounds(1, Role.SAFEGUARDING, lead, deputy, on_duty("head", ("sms", "+447700900502"), role="head"))
    assert [(row["person"], row["channel"], row["address"], row["language"]) for row in rows] == [
        ("lead", "sms", MOBILE, "pl"),
        ("lead", "voice", MOBILE, "pl"),
        ("deputy", "voice", OFFICE_PHONE, "cy"),
    ]
    assert {row["task"] for row in rows} == {"early"}


def test_a_telephone_that_two_share_rings_once() -> None:
    """Two leads with one office telephone are one call."""
    shared = ("voice", OFFICE_PHONE)
    assert [row["person"] for row in rounds(1, Role.SAFEGUARDING, on_duty("a", shared), on_duty("b", shared))] == ["a"]


def test_the_same_round_has_the_same_pages_and_the_next_has_others() -> None:
    """The ids keep two clocks from paging twice, and none tells an address."""
    lead = on_duty("lead", ("sms", MOBILE), ("voice", MOBILE))
    first, again, second = ([row["id"] for row in rounds(n, Role.SAFEGUARDING, lead)] for n in (1, 1, 2))
    assert first == again
    assert len({*first, *second}) == 4
    assert not any("900501" in identifier for identifier in first)


@pytest.mark.parametrize(
    ("retry", "asked", "attempt", "state", "seconds"),
    [
        (None, None, 1, "sent", None),
        (Retry.NEVER, None, 1, "failed", None),
        (Retry.LATER, None, 1, "retrying", 20),
        (Retry.LATER, None, 3, "retrying", 60),
        (Retry.LATER, 90, 1, "retrying", 90),
        (Retry.LATER, None, MOST_ATTEMPTS, "failed", None),
        (Retry.UNKNOWN, None, 1, "unknown", 20),
        (Retry.UNKNOWN, None, MOST_ATTEMPTS, "unknown", None),
    ],
)
def test_what_an_answer_makes_of_a_page(
    retry: Retry | None, asked: float | None, attempt: int, state: str, seconds: int | None
) -> None:
    """Refused for good it is over; else it is tried again soon, unknown ones too, four times in all."""
    error = None if retry is None else SendError(retry=retry, code="c", explanation="Why.", retry_after=asked)
    row = SimpleNamespace(id="page", attempts=attempt)
    made = answered(row, Handover(delivery="page", provider="p", error=error), now=NOW)
    assert made["state"] == state
    assert made["due_at"] == (None if seconds is None else NOW + dt.timedelta(seconds=seconds))
    assert made["code"] == (None if error is None else "c")
