"""What staff say they did to bring somebody a message, and what that means for its delivery (Q34)."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import STAFF, Receipt, ReceiptStatus, RejectReason
from gateway.access import Principal
from gateway.dispatch.messages import students_of
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable_fields
from gateway.dispatch.requests import Lane
from gateway.store.by_hand import BY_HAND, CALL, HAND_OVER, add_report, finish_task, lock_task, put_off_task, reports_on
from gateway.store.database import Database
from gateway.store.identity import derived_id
from gateway.store.receipts import keep_receipts
from gateway.store.sending import add_events, load_deliveries, load_messages
from gateway.store.tasks import enter_tasks

MOST_TRIES = 3
"""So often staff try to reach somebody before the next contact point's turn comes."""

PAUSE = dt.timedelta(hours=2)
PAUSE_OF_ALERTS = dt.timedelta(minutes=10)
"""How long they wait between two tries."""

_AHEAD = dt.timedelta(minutes=5)
"""Clocks differ."""
_BEFORE = dt.timedelta(days=1)
"""A letter posted today may be reported with the day's beginning."""


class HandOutcome(StrEnum):
    """What came of a try."""

    REACHED = "reached"
    """The contact was told, by telephone."""
    LEFT_MESSAGE = "left_message"
    """Somebody else was asked to let the contact call back."""
    VOICEMAIL = "voicemail"
    """A machine was asked the same."""
    NOT_REACHED = "not_reached"
    WRONG_NUMBER = "wrong_number"
    HANDED_OVER = "handed_over"
    """The contact has the letter."""
    POSTED = "posted"
    WRONG_ADDRESS = "wrong_address"
    """The contact does not live there."""


OUTCOMES: Mapping[str, tuple[HandOutcome, ...]] = {
    CALL: (
        HandOutcome.REACHED,
        HandOutcome.LEFT_MESSAGE,
        HandOutcome.VOICEMAIL,
        HandOutcome.NOT_REACHED,
        HandOutcome.WRONG_NUMBER,
    ),
    HAND_OVER: (HandOutcome.HANDED_OVER, HandOutcome.POSTED, HandOutcome.NOT_REACHED, HandOutcome.WRONG_ADDRESS),
}
"""What can come of a task, by its kind."""

_STATUS = {
    HandOutcome.REACHED: ReceiptStatus.ACKNOWLEDGED,
    HandOutcome.HANDED_OVER: ReceiptStatus.DELIVERED,
    HandOutcome.LEFT_MESSAGE: ReceiptStatus.NO_ANSWER,
    HandOutcome.VOICEMAIL: ReceiptStatus.NO_ANSWER,
    HandOutcome.POSTED: ReceiptStatus.IN_TRANSIT,
    HandOutcome.NOT_REACHED: ReceiptStatus.NO_ANSWER,
    HandOutcome.WRONG_NUMBER: ReceiptStatus.BOUNCED,
    HandOutcome.WRONG_ADDRESS: ReceiptStatus.BOUNCED,
}
_ARRIVED = (HandOutcome.REACHED, HandOutcome.HANDED_OVER)
_UNTOLD = (HandOutcome.LEFT_MESSAGE, HandOutcome.VOICEMAIL, HandOutcome.NOT_REACHED)
"""Whoever or whatever answered: the contact has heard nothing yet, so the task stays, also for when they call back."""
_DEAD = (HandOutcome.WRONG_NUMBER, HandOutcome.WRONG_ADDRESS)

_SENTENCES = {
    HandOutcome.REACHED: "Staff told the contact by telephone.",
    HandOutcome.HANDED_OVER: "Staff handed the letter over.",
    HandOutcome.LEFT_MESSAGE: "Staff asked somebody who answered to let the contact call back.",
    HandOutcome.VOICEMAIL: "Staff asked the contact's machine for a call back.",
    HandOutcome.POSTED: "Staff posted the letter.",
    HandOutcome.NOT_REACHED: "Staff did not reach the contact.",
    HandOutcome.WRONG_NUMBER: "The number is somebody else's.",
    HandOutcome.WRONG_ADDRESS: "The contact does not live at this address.",
}


class HandReport(msgspec.Struct, frozen=True, kw_only=True):
    """One try, in the words of whoever made it."""

    outcome: HandOutcome
    at: dt.datetime
    """When it was made."""
    note: str
    minutes: int | None = None
    spoken_with: str | None = None
    identity_checked: bool | None = None
    follow_up: str | None = None
    """What is still to be done, and by whom."""


def faults_of(kind: str, report: HandReport, created_at: dt.datetime, now: dt.datetime) -> Iterator[FieldProblem]:
    """Say what is missing or wrong in a report on a task of this kind. Pure."""
    possible = OUTCOMES[kind]
    if report.outcome not in possible:
        yield FieldProblem(pointer="/outcome", detail=f"The outcome of this task is one of {', '.join(possible)}.")
    if report.at > now + _AHEAD:
        yield FieldProblem(pointer="/at", detail="The time is still to come: report what was done, not what will be.")
    elif report.at < created_at - _BEFORE:
        yield FieldProblem(pointer="/at", detail="The time is long before the task: give that of this call or letter.")
    if report.outcome in _ARRIVED and not report.identity_checked:
        yield FieldProblem(
            pointer="/identity_checked",
            detail="Only a person whose identity was checked may be told: say true, or report another outcome.",
        )


def receipt_of(report: HandReport, delivery: str, *, event_id: str) -> Receipt:
    """Say in the providers' vocabulary what came of a delivery; the words of staff stay with their task. Pure."""
    dead = report.outcome in _DEAD
    return Receipt(
        provider=STAFF,
        event_id=event_id,
        status=_STATUS[report.outcome],
        at=report.at,
        delivery=delivery,
        provider_id=delivery,
        reason=RejectReason.INVALID if dead else None,
        code=report.outcome.value,
        explanation=_SENTENCES[report.outcome],
        address_dead=dead,
    )


class ReportDesk:
    """Takes reports on calls and hand deliveries; the report and its receipt are on record together."""

    def __init__(self, database: Database, receipts: ReceiptDesk, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._receipts = receipts
        self._now = now

    async def take(self, principal: Principal, task: str, report: HandReport) -> None:
        """Put a report on record, once however often it is told; raises `Refused`."""
        async with self._database.writing() as connection:
            on_list = await lock_task(connection, principal.school, task)
            if on_list is None or on_list.kind not in BY_HAND:
                raise Refused(404, "There is no call and no hand delivery with this id.")
            known = (await reports_on(connection, [task])).get(task, [])
            if any(_is_same(report, row) for row in known):
                return
            if on_list.done_by is not None:
                raise Refused(409, "This task is done, with another outcome.")
            problems = list(faults_of(on_list.kind, report, on_list.created_at, self._now()))
            if problems:
                raise unprocessable_fields(problems)
            news = await self._record(connection, principal, on_list, report, tries=len(known) + 1)
        # Should this process die here, the clock applies what is on record.
        await self._receipts.apply(news)

    async def _record(
        self, connection: AsyncConnection, principal: Principal, task: Any, report: HandReport, *, tries: int
    ) -> list[Receipt]:
        """Put a report on record; gives its news of the delivery, when it is the last word on it."""
        now = self._now()
        row = (await load_deliveries(connection, [task.delivery]))[task.delivery]
        identifier = derived_id(task.id, "report", str(tries))
        own = {"school": task.school, "task": task.id, "delivery": row.id, "by": principal.key, "recorded_at": now}
        await add_report(connection, {"id": identifier, **own, **msgspec.structs.asdict(report)})
        again = report.outcome in _UNTOLD and tries < MOST_TRIES and task.done_at is None
        told = {"by": principal.key, "outcome": report.outcome.value, "at": report.at.isoformat()}
        message = (await load_messages(connection, [row.message]))[row.message]
        about = [_about(task, student) for student in students_of(message)]
        if again:
            until = report.at + (PAUSE_OF_ALERTS if row.lane == Lane.EMERGENCY else PAUSE)
            await put_off_task(connection, task.id, until=max(until, now))
            await add_events(connection, [_tried(row, report, tries)])
            await enter_tasks(connection, about, "task_tried", told, at=now)
            return []
        # Of what was taken back meanwhile only one thing is news: that it arrived all the same. Else the task stays as
        # one that went by itself, and comes back when it may be told after all.
        if task.done_at is not None and report.outcome not in _ARRIVED:
            await enter_tasks(connection, about, "task_tried", told, at=now)
            return []
        await finish_task(connection, task.id, by=principal.key, note=report.note, at=now)
        await enter_tasks(connection, about, "task_done", told, at=now)
        return await keep_receipts(connection, [receipt_of(report, row.id, event_id=identifier)], at=now, look_at=now)


def _is_same(report: HandReport, row: Any) -> bool:
    told: Sequence[str] = report.__struct_fields__
    return all(getattr(report, name) == getattr(row, name) for name in told)


def _about(task: Any, student: str) -> SimpleNamespace:
    """Name whose chronology a report belongs to: of a message about siblings each one's."""
    return SimpleNamespace(
        id=task.id, school=task.school, notification=task.notification, student=student, contact=task.contact
    )


def _tried(row: Any, report: HandReport, tries: int) -> dict[str, Any]:
    detail = f"{_SENTENCES[report.outcome]} Try {tries} of {MOST_TRIES}."
    return {
        "delivery": row.id,
        "at": report.at,
        "state": row.state,
        "news": ReceiptStatus.NO_ANSWER.value,
        "detail": detail,
    }
