"""What questions of consent ask of the office: disputes, answers that count no more, too few at the deadline (R14).

An answer settles the tasks about its own student at once; the sweep does so for whatever changes without an answer:
a restriction, a birthday, the deadline, a cancellation.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import School
from gateway.dispatch.consents import Ballot, ballots_about, is_closed, is_withdrawn
from gateway.rules.consent import Standing
from gateway.rules.policy import Policy
from gateway.store.consents import (
    in_hand,
    recent_questions,
    students_answered_about,
    students_asked_about,
    take_turns,
)
from gateway.store.database import Database
from gateway.store.identity import derived_id
from gateway.store.tasks import add_tasks, close_tasks, reopen_tasks

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(minutes=1)

WATCHED = dt.timedelta(days=100)
"""How long after a question or its deadline changes still make tasks; its standing can be read for ever."""

_PER_ROUND = 5
"""Questions looked at in one round of the clock, which has other things to do."""

_STUDENTS_AT_ONCE = 200

_OWNER = "office"
_DISPUTED, _NOT_COUNTED, _MISSING = "consent_disputed", "consent_not_counted", "consent_missing"


async def keep_tasks(
    connection: AsyncConnection, ballot: Ballot, *, before: Ballot | None = None, now: dt.datetime
) -> None:
    """Bring the tasks about one student up to date; the caller has seen to it that nobody else does at this moment.

    What a person has settled stays settled, unless an answer brought it about anew: it was not so `before`.
    """
    wanted = {task["id"]: task for task in _tasks(ballot, now)}
    as_before = set() if before is None else {task["id"] for task in _tasks(before, now)}
    anew = [task for identifier, task in wanted.items() if before is not None and identifier not in as_before]
    await reopen_tasks(connection, anew)
    await add_tasks(connection, [task for task in wanted.values() if task not in anew])
    await close_tasks(connection, sorted(set(_possible(ballot)) - wanted.keys()), at=now)


def _tasks(ballot: Ballot, now: dt.datetime) -> Iterator[dict[str, Any]]:
    """List what one student's answers ask for now; nothing once the question is taken back."""
    if is_withdrawn(ballot.notification):
        return
    if ballot.judgement.standing is Standing.DISPUTED:
        detail = (
            "R14: One contact says yes and another no about this student: speak to each, and tell neither what the "
            "other has answered."
        )
        yield _task(ballot.notification, _DISPUTED, detail, now, student=ballot.student)
    for contact in ballot.judgement.uncounted:
        voice = ballot.voices[contact]
        detail = f"R14: The contact's answer is kept and does not count ({voice.rule}): {voice.reason}"
        yield _task(ballot.notification, _NOT_COUNTED, detail, now, student=ballot.student, contact=contact)


def _possible(ballot: Ballot) -> list[str]:
    """Name every task that one student's answers could ask for."""
    notification, student = ballot.notification.id, ballot.student
    return [
        derived_id(notification, _DISPUTED, student),
        *(derived_id(notification, _NOT_COUNTED, student, contact) for contact in ballot.voices),
    ]


def _missing(notification: Any, lacking: int, now: dt.datetime) -> dict[str, Any]:
    detail = f"R14: The time to answer is over, and too few answers have come in; students concerned: {lacking}."
    return _task(notification, _MISSING, detail, now)


def _task(
    notification: Any,
    kind: str,
    detail: str,
    now: dt.datetime,
    *,
    student: str | None = None,
    contact: str | None = None,
) -> dict[str, Any]:
    about = [each for each in (student, contact) if each is not None]
    return {
        "id": derived_id(notification.id, kind, *about),
        "school": notification.school,
        "kind": kind,
        "notification": notification.id,
        "student": student,
        "contact": contact,
        "delivery": None,
        "owner": _OWNER,
        "detail": detail,
        "created_at": now,
        "due_at": now,
        "done_at": None,
    }


class ConsentWatch:
    """Looks again at questions of consent when something they rest on has changed."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime], policy: Policy) -> None:
        self._database = database
        self._now = now
        self._policy = policy
        self._next = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._waiting: list[Any] = []
        self._looked_at: dict[str, tuple[Any, ...]] = {}

    async def round(self) -> None:
        """Look for changes once a minute, and at a few of the questions that have any."""
        now = self._now()
        if not self._waiting and now >= self._next:
            self._next = now + EVERY
            async with self._database.reading() as connection:
                questions = await recent_questions(connection, since=now - WATCHED)
            marks = {question.id: _mark(question, now) for question in questions}
            self._looked_at = {each: mark for each, mark in self._looked_at.items() if marks.get(each) == mark}
            self._waiting = [question for question in questions if question.id not in self._looked_at]
        batch, self._waiting = self._waiting[:_PER_ROUND], self._waiting[_PER_ROUND:]
        for question in batch:
            try:
                await self._look_at(question, now)
            except Exception:  # noqa: BLE001  # what one question cannot be judged on must not hold up the others
                _log.exception("consent_not_judged", extra={"notification": question.id})
            else:
                self._looked_at[question.id] = _mark(question, now)

    async def _look_at(self, question: Any, now: dt.datetime) -> None:
        over = is_closed(question, now) and not is_withdrawn(question)
        lacking = 0
        async with self._database.reading() as connection:
            students = await (students_asked_about if over else students_answered_about)(connection, question.id)
        for start in range(0, len(students), _STUDENTS_AT_ONCE):
            some = students[start : start + _STUDENTS_AT_ONCE]
            async with self._database.reading() as connection:
                ballots = await ballots_about(connection, question, some, now=now, policy=self._policy)
                outdated = [each for each, ballot in ballots.items() if await _is_outdated(connection, ballot, now)]
            for student in outdated:
                await self._bring_up_to_date(question, student, now)
            lacking += sum(ballot.judgement.standing is Standing.EXPIRED for ballot in ballots.values())
        await self._tell_of_missing(question, lacking, now)

    async def _bring_up_to_date(self, question: Any, student: str, now: dt.datetime) -> None:
        """Judge once more while no answer can come in between."""
        async with self._database.writing() as connection:
            await take_turns(connection, question.id, student)
            ballots = await ballots_about(connection, question, [student], now=now, policy=self._policy)
            await keep_tasks(connection, ballots[student], now=now)
        _log.info("consent_tasks_changed", extra={"notification": question.id})

    async def _tell_of_missing(self, question: Any, lacking: int, now: dt.datetime) -> None:
        task = _missing(question, lacking, now)
        async with self._database.reading() as connection:
            known = bool(await in_hand(connection, [task["id"]]))
        if known == (lacking > 0):
            return
        async with self._database.writing() as connection:
            await (add_tasks(connection, [task]) if lacking else close_tasks(connection, [task["id"]], at=now))


def _mark(question: Any, now: dt.datetime) -> tuple[Any, ...]:
    """Name what a judgement rests on beside the answers of one student, which settle their own tasks."""
    closed = is_closed(question, now)
    zone = ZoneInfo(msgspec.json.decode(question.school_document, type=School).timezone)
    newest = question.last_answer if closed else None
    return question.version, question.planned_at, now.astimezone(zone).date(), closed, question.status, newest


async def _is_outdated(connection: AsyncConnection, ballot: Ballot, now: dt.datetime) -> bool:
    """Whether the list of tasks is not what the answers ask for."""
    return await in_hand(connection, _possible(ballot)) != {task["id"] for task in _tasks(ballot, now)}
