"""Until when staff bring a message, and what their reports may say."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from channels.base import ReceiptStatus
from gateway.dispatch.by_hand import due_at
from gateway.dispatch.hand_reports import OUTCOMES, HandOutcome, HandReport, faults_of, receipt_of
from gateway.dispatch.requests import Lane

LONDON = ZoneInfo("Europe/London")
NOW = dt.datetime(2026, 6, 15, 10, tzinfo=LONDON)


@pytest.mark.parametrize(
    ("lane", "now", "due"),
    [
        (Lane.EMERGENCY, "2026-06-20T23:00", "2026-06-20T23:05"),
        (Lane.STANDARD, "2026-06-15T10:00", "2026-06-15T16:00"),
        (Lane.STANDARD, "2026-06-15T06:00", "2026-06-15T16:00"),
        (Lane.BULK, "2026-06-15T14:00", "2026-06-16T16:00"),
        (Lane.LETTERS, "2026-06-19T15:30", "2026-06-22T16:00"),
        (Lane.STANDARD, "2026-06-20T09:00", "2026-06-22T16:00"),
        (Lane.STANDARD, "2026-06-21T23:00", "2026-06-22T16:00"),
    ],
    ids=["an alert", "a morning", "before school", "an afternoon", "Friday afternoon", "Saturday", "Sunday night"],
)
def test_staff_have_until_the_end_of_a_day_of_school(lane: Lane, now: str, due: str) -> None:
    """In the school's own time; only an alert is brought at any hour."""
    here = dt.datetime.fromisoformat(now).replace(tzinfo=LONDON)
    assert due_at(lane, here.astimezone(dt.UTC), LONDON) == dt.datetime.fromisoformat(due).replace(tzinfo=LONDON)


@pytest.mark.parametrize("outcome", list(HandOutcome))
def test_every_outcome_has_its_task_and_its_receipt(outcome: HandOutcome) -> None:
    """Each fits one kind at least, is news, and none tells the words of staff."""
    fitting = [kind for kind, outcomes in OUTCOMES.items() if outcome in outcomes]
    assert fitting
    report = HandReport(outcome=outcome, at=NOW, note="Her secret.", spoken_with="Zinnia", identity_checked=True)
    assert list(faults_of(fitting[0], report, NOW, NOW)) == []
    receipt = receipt_of(report, "d1", event_id="e1")
    assert (receipt.provider, receipt.delivery, receipt.event_id, receipt.at) == ("staff", "d1", "e1", NOW)
    assert receipt.status in ReceiptStatus
    assert receipt.explanation
    assert "secret" not in repr(receipt)
    assert "Zinnia" not in repr(receipt)
    assert receipt.address_dead == (outcome in {HandOutcome.WRONG_NUMBER, HandOutcome.WRONG_ADDRESS})
