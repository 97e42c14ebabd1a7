"""Intake: a request is checked completely, then recorded with its key and answer in one transaction."""

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal, Scope
from gateway.content.template import normalised, subject_fields
from gateway.content.values import missing, unfit
from gateway.directory.model import ONE_LINE
from gateway.dispatch.library import Library, Text, free_text
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable, unprocessable_fields
from gateway.dispatch.requests import (
    Audience,
    Lane,
    NotificationRequest,
    NotificationStatus,
    lane_of,
)
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.categories import CATEGORIES
from gateway.rules.categories import Audience as AudienceKind
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.notifications import (
    EarlierAnswer,
    add_notification,
    find_earlier_answer,
    keep_answer,
    unknown_contacts,
    unknown_groups,
    unknown_students,
)
from gateway.store.people import load_school
from gateway.store.planning import enrolled_students

_ENDPOINT = "notifications"
_HORIZON = 1_000
"""Days within which every instant of a request lies; beyond is a mistake, and some databases cannot hold it."""
_LIFETIMES = {
    Lane.EMERGENCY: dt.timedelta(hours=12),
    Lane.STANDARD: dt.timedelta(days=7),
    Lane.BULK: dt.timedelta(days=7),
}
"""How long deliveries are tried when the request does not say; an alert of yesterday only frightens."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The answer to give."""

    status: int
    body: bytes
    replayed: bool


class Intake:
    """Takes notifications in."""

    def __init__(
        self, database: Database, wakeups: WakeUps, library: Library, *, now: Callable[[], dt.datetime]
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._library = library
        self._now = now

    async def accept(self, principal: Principal, request: NotificationRequest, *, key: str | None) -> Accepted:
        """Record a notification; durable when this returns. Raises `Refused`, and then nothing was recorded."""
        lane = lane_of(request.category)
        _check_scope(principal, lane)
        body_hash = hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()
        now = self._now()
        try:
            async with self._database.writing() as connection:
                if key is not None and (earlier := await self._earlier(connection, principal, key)) is not None:
                    return _replay(earlier, body_hash)
                _check_form(request, now)
                text = await self._text(connection, principal.school, request)
                await _check_audience(connection, principal.school, request.audience)
                about = await students_asked(connection, principal.school, request.audience, now)
                _check_values(request, text, about)
                identifier = new_id(now)
                answer = _answer(identifier)
                await add_notification(connection, _row(identifier, principal, request, text, lane, now))
                if key is not None:
                    kept = EarlierAnswer(body_hash=body_hash, status=202, answer=answer.decode())
                    await keep_answer(
                        connection, school=principal.school, endpoint=_ENDPOINT, key=key, answer=kept, at=now
                    )
        except IntegrityError:
            # Two requests with one key at the same moment: the other was quicker, so its answer is ours.
            return await self._answer_of_the_quicker(principal, key, body_hash)
        if request.send_at is None or request.send_at <= now:
            await self._wakeups.wake("plan", lane, [identifier])
        return Accepted(status=202, body=answer, replayed=False)

    async def _earlier(self, connection: AsyncConnection, principal: Principal, key: str) -> EarlierAnswer | None:
        return await find_earlier_answer(connection, school=principal.school, endpoint=_ENDPOINT, key=key)

    async def _answer_of_the_quicker(self, principal: Principal, key: str | None, body_hash: str) -> Accepted:
        async with self._database.reading() as connection:
            earlier = await self._earlier(connection, principal, key or "")
        if earlier is None:
            raise Refused(409, "The same Idempotency-Key is in use at this moment: try again.")
        return _replay(earlier, body_hash)

    async def _text(self, connection: AsyncConnection, school: str, request: NotificationRequest) -> Text:
        if request.template is not None:
            return await self._library.find(connection, school, request.template, request.category)
        assert request.content is not None  # noqa: S101  # _check_form has seen to it
        return free_text(request.content)


def _check_scope(principal: Principal, lane: Lane) -> None:
    needed = Scope.ALERTS if lane is Lane.EMERGENCY else Scope.SEND
    if not principal.may(needed):
        raise Refused(403, f"This key lacks the scope '{needed}', which this category needs.")
    if not principal.school:
        raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")


def _check_form(request: NotificationRequest, now: dt.datetime) -> None:
    """Check what the types cannot say."""
    problems = [*_audience_form(request), *_times(request, now), *_strangers(request)]
    if (request.template is None) == (request.content is None):
        detail = "Give either a template with its values or free content, not both and not neither."
        problems.append(FieldProblem(pointer="/template", detail=detail))
    if problems:
        raise unprocessable_fields(problems)


def _audience_form(request: NotificationRequest) -> list[FieldProblem]:
    audience = request.audience
    given = [audience.students is not None, audience.groups is not None, audience.everyone]
    problems = []
    if sum(given) != 1:
        detail = "Say whom it is about with exactly one of students, groups and everyone."
        problems.append(FieldProblem(pointer="/audience", detail=detail))
    personal = CATEGORIES[request.category].audience is AudienceKind.PERSON
    if personal and audience.contacts is None:
        detail = f"The category {request.category} goes to named people: list them in contacts."
        problems.append(FieldProblem(pointer="/audience/contacts", detail=detail))
    if not personal and audience.contacts is not None:
        detail = f"The category {request.category} finds its contacts by the rules: leave contacts out."
        problems.append(FieldProblem(pointer="/audience/contacts", detail=detail))
    return problems


def _strangers(request: NotificationRequest) -> list[FieldProblem]:
    """Find values for students whom the notification is not about: most likely a misspelt id."""
    listed = request.audience.students
    if listed is None:
        return []
    detail = "The audience does not list this student: correct the id or leave its values out."
    strangers = [student for student in request.student_values if student not in set(listed)]
    return [FieldProblem(pointer=f"/student_values/{student}", detail=detail) for student in strangers[:20]]


def _is_near(moment: dt.datetime | None, now: dt.datetime) -> bool:
    return moment is None or abs((moment - now).total_seconds()) <= _HORIZON * 86_400


def _times(request: NotificationRequest, now: dt.datetime) -> list[FieldProblem]:
    problems = []
    for name in ("send_at", "expires_at", "respond_by"):
        moment = getattr(request, name)
        if moment is not None and moment.tzinfo is None:
            detail = f"{name} needs its offset, for instance 2026-06-15T10:00:00+01:00."
            problems.append(FieldProblem(pointer=f"/{name}", detail=detail))
    if not problems:
        detail = f"lies too far away: choose an instant within {_HORIZON} days."
        problems = [
            FieldProblem(pointer=f"/{name}", detail=f"{name} {detail}")
            for name in ("send_at", "expires_at", "respond_by")
            if not _is_near(getattr(request, name), now)
        ]
    if not problems and request.expires_at is not None and request.expires_at <= max(now, request.send_at or now):
        detail = "expires_at lies before the notification could be sent: choose a later instant."
        problems.append(FieldProblem(pointer="/expires_at", detail=detail))
    return problems


async def _check_audience(connection: AsyncConnection, school: str, audience: Audience) -> None:
    """Refuse ids that are not the school's; a misspelt id must not silently reach nobody."""
    checks: list[tuple[str, tuple[str, ...] | None, Any, str]] = [
        ("students", audience.students, unknown_students, "There is no such student in the directory."),
        ("groups", audience.groups, unknown_groups, "No student is in such a group."),
        ("contacts", audience.contacts, unknown_contacts, "There is no such contact in the directory."),
    ]
    problems = []
    for name, ids, find_unknown, detail in checks:
        if ids is not None:
            unknown = await find_unknown(connection, school, ids)
            problems += [
                FieldProblem(pointer=f"/audience/{name}/{position}", detail=detail)
                for position, identifier in enumerate(ids)
                if identifier in unknown
            ][:20]
    if problems:
        raise unprocessable_fields(problems)


async def students_asked(
    connection: AsyncConnection, school: str, audience: Audience, now: dt.datetime
) -> Sequence[str]:
    """List the students a notification is about at this moment."""
    if audience.students is not None:
        return audience.students
    known = await load_school(connection, school)
    zone = ZoneInfo(known[0].timezone) if known else dt.UTC
    return await enrolled_students(connection, school, groups=audience.groups, today=now.astimezone(zone).date())


def _check_values(request: NotificationRequest, text: Text, about: Sequence[str]) -> None:
    """Refuse a text with holes, in whatever language it has them, and values that would break a subject line."""
    problems: dict[str, FieldProblem] = {}
    given = _names_given(request, about)
    for template in text.templates.values():
        for name in missing(template, dict.fromkeys(given)):
            detail = f"The text has the placeholder (({name})), but no value is given for it."
            problems[name] = FieldProblem(pointer=f"/values/{name}", detail=detail)
        for sentence in unfit(template, request.values):
            problems[sentence] = FieldProblem(pointer="/values", detail=sentence)
        for student, values in request.student_values.items():
            for sentence in unfit(template, values):
                problems[sentence] = FieldProblem(pointer=f"/student_values/{student}", detail=sentence)
    for pointer, name in _broken_subjects(request, text):
        detail = f"The value '{name}' stands in the subject: write it in one line, without control characters."
        problems[pointer] = FieldProblem(pointer=pointer, detail=detail)
    if problems:
        raise unprocessable_fields(list(problems.values()))


def _names_given(request: NotificationRequest, about: Sequence[str]) -> set[str]:
    """Name the values that every student's message will have."""
    common = {normalised(name) for name in request.values}
    own = {student: {normalised(name) for name in values} for student, values in request.student_values.items()}
    if not own or not about:
        return common.union(*own.values())
    return common | set.intersection(*(own.get(student, set()) for student in about))


def _broken_subjects(request: NotificationRequest, text: Text) -> Iterator[tuple[str, str]]:
    """Find values that would carry a line end into a subject, and so to a mail header."""
    used = {field.name for template in text.templates.values() for field in subject_fields(template)}
    places = [("/values", request.values)]
    places += [(f"/student_values/{student}", values) for student, values in request.student_values.items()]
    for pointer, values in places:
        for name, value in values.items():
            parts = value if isinstance(value, tuple) else (value,)
            if normalised(name) in used and not all(re.search(ONE_LINE, str(part)) for part in parts):
                yield f"{pointer}/{name}", name


def _row(
    identifier: str, principal: Principal, request: NotificationRequest, text: Text, lane: Lane, now: dt.datetime
) -> dict[str, Any]:
    send_at = max(request.send_at or now, now)
    return {
        "id": identifier,
        "school": principal.school,
        "category": request.category.value,
        "purpose": request.purpose.value,
        "lane": lane.value,
        "status": NotificationStatus.ACCEPTED.value,
        "request": msgspec.json.encode(request).decode(),
        "sources": msgspec.json.encode(dict(text.sources)).decode(),
        "reference": request.reference,
        "created_by": principal.key,
        "created_at": now,
        "send_at": send_at,
        "expires_at": request.expires_at or send_at + _LIFETIMES[lane],
        "respond_by": request.respond_by,
        "cursor": "",
    }


def _answer(identifier: str) -> bytes:
    base = f"/v1/notifications/{identifier}"
    links: Mapping[str, str] = {
        "self": base,
        "decisions": f"{base}/decisions",
        "deliveries": f"{base}/deliveries",
        "cancel": f"{base}/cancel",
    }
    return msgspec.json.encode({"id": identifier, "status": NotificationStatus.ACCEPTED, "links": links})


def _replay(earlier: EarlierAnswer, body_hash: str) -> Accepted:
    if earlier.body_hash != body_hash:
        raise unprocessable("Idempotency-Key", "This Idempotency-Key was used with another body: choose a new one.")
    return Accepted(status=earlier.status, body=earlier.answer.encode(), replayed=True)
