"""What deliveries and staff are told of a print run. Pure."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from channels.base import Receipt, ReceiptStatus
from channels.letter_jobs import Failure
from gateway.directory.model import School
from gateway.rules.postage import Postage, Postbag, arrival, posting_day
from gateway.store.identity import derived_id
from gateway.store.print_runs import Due


def printed(run: str, delivery: str, at: dt.datetime) -> Receipt:
    """Tell a delivery that its letter is on paper."""
    return _receipt(f"{run}:printed:{delivery}", delivery, ReceiptStatus.PRINTED, at, explanation=f"Print run {run}.")


def posted(run: str, delivery: str, on: dt.date, at: dt.datetime) -> Receipt:
    """Tell a delivery that its letter is in the post."""
    explanation = f"Posted on {on.isoformat()}, print run {run}."
    return _receipt(f"{run}:posted:{delivery}", delivery, ReceiptStatus.IN_TRANSIT, at, explanation=explanation)


def not_printed(run: str, failure: Failure, at: dt.datetime) -> Receipt:
    """Tell a delivery that its letter cannot be printed: its next contact point is tried."""
    return _receipt(
        f"{run}:failed:{failure.delivery}",
        failure.delivery,
        ReceiptStatus.FAILED,
        at,
        code=failure.code,
        explanation=failure.explanation,
    )


def too_late(delivery: str, at: dt.datetime) -> Receipt:
    """Tell a delivery that its time ran out while it waited for a print run."""
    explanation = "Its time ran out before it was printed."
    return _receipt(f"expired:{delivery}", delivery, ReceiptStatus.EXPIRED, at, code="expired", explanation=explanation)


def _receipt(
    event: str, delivery: str, status: ReceiptStatus, at: dt.datetime, *, code: str | None = None, explanation: str
) -> Receipt:
    return Receipt(
        provider="spool",
        event_id=event,
        status=status,
        at=at,
        delivery=delivery,
        provider_id=delivery,
        code=code,
        explanation=explanation,
    )


def late_letters(
    run: Any, school: School, due: Sequence[Due], rows: Sequence[Mapping[str, Any]], bag: Postbag, now: dt.datetime
) -> Iterator[dict[str, Any]]:
    """Ask the office to see to the letters of a run that may arrive after their deadline, notification by notification.

    `due` has those with a deadline, `rows` the `postage` of what was printed.
    """
    zone = ZoneInfo(school.timezone)
    on = posting_day(bag, now, zone)
    latest = {row["delivery"]: arrival(on, Postage(row["postage"]), bag.holidays)[1] for row in rows}
    late = Counter(
        one.notification
        for one in due
        if one.delivery in latest and latest[one.delivery] >= one.by.astimezone(zone).date()
    )
    for notification, number in sorted(late.items()):
        yield _task(
            derived_id(run.id, "task", "late", notification),
            run.school,
            "letters_late",
            f"{number} of the letters in print run {run.id} may arrive after their deadline: tell these contacts by "
            "telephone as well.",
            now,
            notification=notification,
        )


def undecided(run: Any, letters: Mapping[str, int], now: dt.datetime) -> Iterator[dict[str, Any]]:
    """Ask the office to see to letters, counted by notification, that no run takes as nobody can decide about them."""
    for notification, number in sorted(letters.items()):
        yield _task(
            derived_id(notification, "task", "letters_undecided"),
            run.school,
            "letters_undecided",
            f"Letters were left out of print run {run.id}, as they could not be looked at again: {number} of this "
            "notification. Each run tries it anew; the operator must look at the log. Telephone where it is urgent.",
            now,
            notification=notification,
        )


def not_to_be_posted(letter: Any, now: dt.datetime) -> dict[str, Any]:
    """Ask the office to take a printed letter out of its run; it has `run`, `file`, `first_page` and `pages`."""
    last = letter.first_page + letter.pages - 1
    pages = f"page {last}" if letter.pages == 1 else f"pages {letter.first_page} to {last}"
    return _task(
        derived_id(letter.notification, "task", "letter_withdrawn", letter.id),
        letter.school,
        "letter_withdrawn",
        f"A printed letter must not be posted any more, as the directory or a restriction has changed: take {pages} of "
        f"{letter.file} out of print run {letter.run} and destroy them, or tell the print house. Where it has been "
        "posted already, tell the safeguarding lead.",
        now,
        notification=letter.notification,
    ) | {"contact": letter.contact, "delivery": letter.id, "due_at": now}


def stuck(run: Any, fault: str, now: dt.datetime) -> dict[str, Any]:
    """Ask the office to see why a run does not get on."""
    return _task(
        derived_id(run.id, "task", "print_run"),
        run.school,
        "print_run_stuck",
        f"Print run {run.id} does not get on. {fault}",
        now,
    )


def _task(
    task: str, school: str, kind: str, detail: str, now: dt.datetime, notification: str | None = None
) -> dict[str, Any]:
    return {
        "id": task,
        "school": school,
        "kind": kind,
        "notification": notification,
        "student": None,
        "contact": None,
        "delivery": None,
        "owner": "office",
        "detail": detail,
        "created_at": now,
        "due_at": now + dt.timedelta(hours=4),
        "done_at": None,
    }
