"""Taking in answers to questions of consent, from readers on their page and from staff (R14)."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal
from gateway.directory.model import Contact, Identifier, Student
from gateway.dispatch.consent_tasks import keep_tasks
from gateway.dispatch.consents import (
    Ballot,
    ballot_of,
    ballots_about,
    is_closed,
    is_withdrawn,
    readers_together,
    voices_about,
)
from gateway.dispatch.readers import Reader
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.rules.answer import Outcome
from gateway.rules.consent import Reply, Voice
from gateway.rules.policy import Policy
from gateway.store.consents import add_answer, answers_about, decided_about, take_turns
from gateway.store.database import Database


class Origin(StrEnum):
    """How an answer that staff take down reached the school."""

    PHONE = "phone"
    PAPER = "paper"
    IN_PERSON = "in_person"
    EMAIL = "email"


SECURE_PAGE = "secure_page"
"""The origin of answers that readers give themselves."""


class NewAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer that staff take down for a contact."""

    student: Identifier
    contact: Identifier
    answer: Reply
    origin: Origin
    note: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    """For staff only."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the readers of one message are asked about one student."""

    student: Student
    people: tuple[Contact, ...]
    """Who of them may answer."""
    answer: Reply | None
    """The reader's own so far; None where several read, as none must learn the others'."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What the readers of one message are asked, and until when."""

    questions: tuple[Question, ...]
    closed: bool
    respond_by: dt.datetime | None


class ConsentDesk:
    """Takes answers in, and tells nobody but staff of anybody else's."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime], policy: Policy) -> None:
        self._database = database
        self._now = now
        self._policy = policy

    async def paper(self, notification: Any, reader: Reader) -> Paper:
        """Write what the readers of a message may answer; only reads."""
        now = self._now()
        students = [student.id for student in reader.students]
        async with self._database.reading() as connection:
            ballots = await ballots_about(connection, notification, students, now=now, policy=self._policy)
            together = await readers_together(connection, notification, reader, now=now, policy=self._policy)
        people = (reader.contact, *(companion for companion in reader.companions if companion.id in together))
        questions = [
            Question(
                student=student,
                people=tuple(person for person in people if ballots[student.id].counts(person.id)),
                answer=ballots[student.id].reply_of(reader.contact.id) if len(people) == 1 else None,
            )
            for student in reader.students
        ]
        return Paper(
            questions=tuple(question for question in questions if question.people),
            closed=is_closed(notification, now),
            respond_by=notification.respond_by,
        )

    async def answer(self, notification: Any, delivery: str, student: str, contact: str, reply: Reply) -> bool:
        """Record a reader's answer; False when it comes too late or is not theirs to give any more.

        The same answer twice, as from a page that is loaded again, is one answer.
        """
        now = self._now()
        async with self._database.writing() as connection:
            if is_closed(notification, now) or not await take_turns(connection, notification.id, student):
                return False
            voices = await self._voices(connection, notification, student, now)
            before = await self._ballot(connection, notification, student, voices, now)
            if not before.counts(contact):
                return False
            if before.reply_of(contact) is not reply:
                row = _row(notification, student, contact, reply, now)
                await add_answer(connection, row | {"delivery": delivery, "origin": SECURE_PAGE})
                after = await self._ballot(connection, notification, student, voices, now)
                await keep_tasks(connection, after, before=before, now=now)
        return True

    async def take_down(self, principal: Principal, notification: Any, wanted: NewAnswer) -> Ballot:
        """Record an answer that staff were given, also after the time is over: a person has decided to take it.

        Who has said yes may take it back at any time. Raises `Refused` for people who were not asked.
        """
        now, student = self._now(), wanted.student
        if is_withdrawn(notification):
            raise Refused(409, "The notification was cancelled: nobody is asked any more.")
        async with self._database.writing() as connection:
            if not await take_turns(connection, notification.id, student):
                raise unprocessable("/student", "The notification is not about this student, or not planned yet.")
            asked = await decided_about(connection, notification.id, [student])
            if not any(row.contact == wanted.contact and row.outcome != Outcome.EXCLUDE for row in asked):
                raise unprocessable("/contact", "This contact is not among those who are asked about this student.")
            voices = await self._voices(connection, notification, student, now)
            before = await self._ballot(connection, notification, student, voices, now)
            row = _row(notification, student, wanted.contact, wanted.answer, now)
            taken = {"origin": wanted.origin.value, "taken_by": principal.key, "note": wanted.note}
            await add_answer(connection, row | taken)
            after = await self._ballot(connection, notification, student, voices, now)
            await keep_tasks(connection, after, before=before, now=now)
        return after

    async def _voices(
        self, connection: AsyncConnection, notification: Any, student: str, now: dt.datetime
    ) -> Mapping[str, Voice]:
        return (await voices_about(connection, notification, [student], now=now, policy=self._policy))[student]

    async def _ballot(
        self,
        connection: AsyncConnection,
        notification: Any,
        student: str,
        voices: Mapping[str, Voice],
        now: dt.datetime,
    ) -> Ballot:
        answers = await answers_about(connection, notification.id, [student])
        return ballot_of(notification, student, voices, answers.get(student, []), now=now)


def _row(notification: Any, student: str, contact: str, reply: Reply, now: dt.datetime) -> dict[str, Any]:
    return {
        "school": notification.school,
        "notification": notification.id,
        "student": student,
        "contact": contact,
        "answer": reply.value,
        "at": now,
    }
