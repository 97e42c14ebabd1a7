"""Consent as it stands: who may answer about a student, and what the answers come to (R14).

Everything is judged on today's directory, so that a change of the restrictions changes what an old answer is worth.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.indexing import SELF, DirectoryIndex, in_range
from gateway.directory.model import Category
from gateway.dispatch.deciding import decide_about
from gateway.dispatch.readers import Reader
from gateway.dispatch.requests import Consent, NotificationRequest, NotificationStatus
from gateway.rules.answer import Decision, Outcome
from gateway.rules.consent import Given, Judgement, Needed, Reply, Role, Voice, judge, last_replies, voice_of
from gateway.rules.households import Households
from gateway.rules.occasion import ADULT, age_on
from gateway.rules.policy import Policy
from gateway.store.consents import answers_about, decided_about


@dataclass(frozen=True, kw_only=True)
class Ballot:
    """All that is known of the consent about one student."""

    notification: Any
    """Its row."""
    student: str
    voices: Mapping[str, Voice]
    """By contact."""
    answers: Sequence[Any]
    """Rows, oldest first."""
    judgement: Judgement

    def reply_of(self, contact: str) -> Reply | None:
        """Give a contact's own last answer."""
        return last_replies(given(self.answers)).get(contact)

    def counts(self, contact: str) -> bool:
        """Whether it is this contact's to answer."""
        voice = self.voices.get(contact)
        return voice is not None and voice.role is Role.COUNTS


def is_question(notification: Any) -> bool:
    """Whether a notification asks for consent."""
    return bool(notification.category == Category.CONSENT)


def needed_for(notification: Any) -> Needed:
    """Whose yes a notification asks for."""
    request = msgspec.json.decode(notification.request, type=NotificationRequest)
    return (request.consent or Consent()).needed


def is_withdrawn(notification: Any) -> bool:
    """Whether the question was taken back."""
    return bool(notification.status == NotificationStatus.CANCELLED)


def is_closed(notification: Any, now: dt.datetime) -> bool:
    """Whether readers can answer no more: the time is over, or the question was taken back."""
    over = notification.respond_by is not None and now >= notification.respond_by
    return over or is_withdrawn(notification)


def given(rows: Iterable[Any]) -> list[Given]:
    """Read answers on record as the rule takes them."""
    return [Given(row.id, row.contact, Reply(row.answer)) for row in rows]


async def ballots_about(
    connection: AsyncConnection, notification: Any, students: Collection[str], *, now: dt.datetime, policy: Policy
) -> dict[str, Ballot]:
    """Judge the answers about these students, by student in the order given."""
    voices = await voices_about(connection, notification, students, now=now, policy=policy)
    answers = await answers_about(connection, notification.id, students)
    return {
        student: ballot_of(notification, student, voices[student], answers.get(student, []), now=now)
        for student in students
    }


def ballot_of(
    notification: Any, student: str, voices: Mapping[str, Voice], answers: Sequence[Any], *, now: dt.datetime
) -> Ballot:
    """Judge the answers about one student."""
    return Ballot(
        notification=notification,
        student=student,
        voices=voices,
        answers=answers,
        judgement=judge(
            needed_for(notification),
            voices,
            given(answers),
            closed=is_closed(notification, now),
            all_known=notification.planned_at is not None,
        ),
    )


async def voices_about(
    connection: AsyncConnection, notification: Any, students: Collection[str], *, now: dt.datetime, policy: Policy
) -> dict[str, dict[str, Voice]]:
    """Say by student what each contact's answer is worth today."""
    voices: dict[str, dict[str, Voice]] = {student: {} for student in students}
    asked = [_decision(row) for row in await decided_about(connection, notification.id, students)]
    contacts = {each.contact for each in asked if each.outcome is not Outcome.EXCLUDE}
    if not contacts:
        return voices
    decided = await decide_about(connection, notification, contacts, now=now, policy=policy)
    of_today = {(each.student, each.contact): each for each in decided.evaluation.answer.decisions}
    today = now.astimezone(ZoneInfo(decided.plan.school.timezone)).date()
    for each in asked:
        voices[each.student][each.contact] = voice_of(
            each,
            of_today.get((each.student, each.contact)),
            adult=_is_adult(decided.index, each.student, today),
            own=_is_own(decided.index, each, today),
        )
    return voices


def _is_adult(index: DirectoryIndex, student: str, today: dt.date) -> bool:
    known = index.students.get(student)
    age = None if known is None else age_on(today, known.birth_date)
    return age is not None and age >= ADULT


def _is_own(index: DirectoryIndex, asked: Decision, today: dt.date) -> bool:
    rows = index.rows.get(asked.student, {}).get(asked.contact, ())
    return any(row.relation == SELF and in_range(row.valid_from, row.valid_to, today) for row in rows)


def _decision(row: Any) -> Decision:
    return Decision(
        student=row.student, contact=row.contact, outcome=Outcome(row.outcome), rule=row.rule, reason=row.reason
    )


async def readers_together(
    connection: AsyncConnection, notification: Any, reader: Reader, *, now: dt.datetime, policy: Policy
) -> set[str]:
    """Name who read along when a message was sent and still live with its reader and share that point today (R25).

    Who has parted since answers on a page of their own; the old one speaks for its reader alone.
    """
    if reader.apart or not reader.companions:
        return set()
    decided = await decide_about(connection, notification, [reader.contact.id], now=now, policy=policy)
    today = now.astimezone(ZoneInfo(decided.plan.school.timezone)).date()
    households = Households(decided.index, today, decided.plan.policy)
    own = decided.index.points.get(reader.contact.id, ())
    sharers = {contact for point in own if point.id == reader.row.point for contact in point.sharers}
    return {
        companion.id
        for companion in reader.companions
        if companion.id in sharers and households.are_joint(reader.contact.id, companion.id)
    }
