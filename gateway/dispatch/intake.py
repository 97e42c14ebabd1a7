"""Intake: requests are checked completely, then recorded with their keys and answers in a shared transaction."""

import asyncio
import contextlib
import datetime as dt
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal, Scope
from gateway.content.files import LARGEST_FILE
from gateway.content.template import normalised, subject_fields
from gateway.content.values import missing, unfit
from gateway.directory.model import ONE_LINE, Category
from gateway.dispatch.group_commit import GroupCommit
from gateway.dispatch.library import Library, Text, free_text
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable, unprocessable_fields
from gateway.dispatch.requests import (
    Audience,
    Lane,
    NotificationRequest,
    NotificationStatus,
    lane_of,
    travels_along,
)
from gateway.dispatch.tracing import Tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.categories import CATEGORIES
from gateway.rules.categories import Audience as AudienceKind
from gateway.store.attachments import describe_attachments
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.people import load_school
from gateway.store.planning import enrolled_students
from gateway.store.postings import (
    EarlierAnswer,
    Named,
    find_earlier_answers,
    record_postings,
    recording,
    unknown_people,
)

_ENDPOINT = "notifications"
_AT_ONCE = 2
"""Transactions under way: while the disk takes one, the requests of the next are read and checked."""
_TEXTS = 128
"""Free texts kept parsed: a system that writes to one family after the other sends the same text again and again."""
_HORIZON = 1_000
"""Days within which every instant of a request lies; beyond is a mistake, and some databases cannot hold it."""
_LIFETIMES = {
    Lane.EMERGENCY: dt.timedelta(hours=12),
    Lane.STANDARD: dt.timedelta(days=7),
    Lane.BULK: dt.timedelta(days=7),
}
"""How long deliveries are tried when the request does not say; an alert of yesterday only frightens."""


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One request on its way into the database."""

    id: str
    """Of the notification it becomes."""
    principal: Principal
    request: NotificationRequest
    lane: Lane
    key: str | None
    document: str
    """The request as it is stored: equal requests have equal documents."""
    answer: bytes
    """What is said when it is taken."""
    at: dt.datetime
    traceparent: str | None
    """Where in a trace it was posted."""

    @property
    def school(self) -> str:
        """The school it is for."""
        return self.principal.school

    @property
    def body_hash(self) -> str:
        """Tell later whether the same key came with the same request."""
        return hashlib.sha256(self.document.encode()).hexdigest()


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to give."""

    status: int
    body: bytes
    replayed: bool
    new: "New | None" = None
    """None when it was recorded before."""


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that has just become durable."""

    id: str
    lane: Lane
    due: bool
    """Its time has come."""
    traceparent: str | None


class Intake:
    """Takes notifications in; those of one moment share a transaction."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        library: Library,
        *,
        now: Callable[[], dt.datetime],
        metrics: Metrics,
        tracer: Tracer,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._library = library
        self._now = now
        self._metrics = metrics
        self._tracer = tracer
        # SQLite has one writer at a time: a second group would only wait for it, and others could not join any more.
        self._group = GroupCommit(self._commit, self._wake, at_once=1 if database.sqlite else _AT_ONCE)

    async def accept(self, principal: Principal, request: NotificationRequest, *, key: str | None) -> Accepted:
        """Record a notification; durable when this returns. Raises `Refused`, and then nothing was recorded."""
        lane = lane_of(request.category)
        _check_scope(principal, lane)
        now = self._now()
        identifier = new_id(now)
        posting = Posting(
            id=identifier,
            principal=principal,
            request=request,
            lane=lane,
            key=key,
            document=msgspec.json.encode(request, order="deterministic").decode(),
            answer=_answer(identifier),
            at=now,
            traceparent=self._tracer.traceparent(),
        )
        return await self._group.take(posting)

    async def finish(self, *, patience: float) -> None:
        """Announce what was accepted last, within seconds; beyond, the clock finds it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._group.finish()

    async def _commit(self, postings: Sequence[Posting]) -> Sequence[Accepted | Exception]:
        """Check and record postings in one transaction; those that were answered before get the same answer."""
        async with recording(self._database) as connection:
            texts, refusals = await self._checked(connection, postings)
            fit = [posting for posting in postings if posting.id not in refusals]
            new = await record_postings(
                connection,
                keys=[_kept_answer(posting) for posting in fit if posting.key is not None],
                rows=[_row(posting, texts[posting.id]) for posting in fit],
            )
            seen = [(posting.school, posting.key) for posting in postings if posting.key and posting.id not in new]
            earlier = await find_earlier_answers(connection, endpoint=_ENDPOINT, keys=seen) if seen else {}
        return [
            _accepted(posting)
            if posting.id in new
            else _answer_again(posting, earlier.get((posting.school, posting.key or "")), refusals.get(posting.id))
            for posting in postings
        ]

    async def _checked(
        self, connection: AsyncConnection, postings: Sequence[Posting]
    ) -> tuple[dict[str, Text], dict[str, Refused]]:
        """Check everything about each posting; gives its text or why it is refused, by id."""
        texts: dict[str, Text] = {}
        refusals: dict[str, Refused] = {}
        unknown = await unknown_people(connection, {named for posting in postings for named in _named(posting)})
        found: _Found = {}
        for posting in postings:
            request = posting.request
            try:
                _check_form(request, posting.at)
                text = await self._text(connection, posting, found)
                if unknown:
                    _check_audience(posting.school, request.audience, unknown)
                if request.files:
                    _check_files(request, await describe_attachments(connection, posting.school, request.files))
                about = (
                    await students_asked(connection, posting.school, request.audience, posting.at)
                    if request.student_values
                    else ()
                )
                check_values(request, text, about)
                texts[posting.id] = text
            except Refused as refusal:
                refusals[posting.id] = refusal
        return texts, refusals

    async def _text(self, connection: AsyncConnection, posting: Posting, found: "_Found") -> Text:
        """Find or read a posting's text; what the same group has `found` already is not looked up again."""
        request = posting.request
        if request.template is None:
            assert request.content is not None  # noqa: S101  # _check_form has seen to it
            return _parsed(request.content)
        wanted = posting.school, request.template, request.category
        if wanted not in found:
            try:
                found[wanted] = await self._library.find(connection, *wanted)
            except Refused as refusal:
                found[wanted] = refusal
        text = found[wanted]
        if isinstance(text, Refused):
            raise text
        return text

    async def _wake(self, accepted: Sequence[Accepted]) -> None:
        lanes: dict[Lane, list[New]] = defaultdict(list)
        for one in accepted:
            if one.new is not None:
                lanes[one.new.lane].append(one.new)
        for lane, fresh in lanes.items():
            self._metrics.accepted(lane, len(fresh))
            due = [new for new in fresh if new.due]
            traces = {new.id: new.traceparent for new in due if new.traceparent is not None}
            if due:
                await self._wakeups.wake("plan", lane, [new.id for new in due], traces=traces)


_parsed = lru_cache(_TEXTS)(free_text)

_Found = dict[tuple[str, str, Category], Text | Refused]
"""Texts, or why there are none, by school, template and category."""


def _check_scope(principal: Principal, lane: Lane) -> None:
    needed = Scope.ALERTS if lane is Lane.EMERGENCY else Scope.SEND
    if not principal.may(needed):
        raise Refused(403, f"This key lacks the scope '{needed}', which this category needs.")
    if not principal.school:
        raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")


def _check_form(request: NotificationRequest, now: dt.datetime) -> None:
    """Check what the types cannot say."""
    problems = [*_audience_form(request), *_times(request, now), *_strangers(request), *_consent_form(request, now)]
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
    """Find values and files for students whom the notification is not about: most likely a misspelt id."""
    listed = request.audience.students
    if listed is None or not (request.student_values or request.student_attachments):
        return []
    detail = "The audience does not list this student: correct the id or leave this out."
    places = [f"/student_values/{student}" for student in request.student_values if student not in set(listed)]
    places += [
        f"/student_attachments/{student}" for student in request.student_attachments if student not in set(listed)
    ]
    return [FieldProblem(pointer=place, detail=detail) for place in places[:20]]


def _check_files(request: NotificationRequest, known: Mapping[str, Any]) -> None:
    """Refuse files that are not there, and more than a mail can carry to every reader."""
    places = [(f"/attachments/{number}", key) for number, key in enumerate(request.attachments)]
    for student, keys in request.student_attachments.items():
        places += [(f"/student_attachments/{student}/{number}", key) for number, key in enumerate(keys)]
    detail = "There is no such attachment: upload it with POST /v1/attachments first."
    problems = [FieldProblem(pointer=pointer, detail=detail) for pointer, key in places if key not in known][:20]
    if not problems and travels_along(request.category):
        size = sum(known[key].size for key in set(request.attachments))
        if size > LARGEST_FILE:
            detail = f"Together the files have {size} bytes, and a mail carries {LARGEST_FILE}: leave some out."
            problems = [FieldProblem(pointer="/attachments", detail=detail)]
    if problems:
        raise unprocessable_fields(problems)


def _consent_form(request: NotificationRequest, now: dt.datetime) -> list[FieldProblem]:
    """Refuse a question that nobody could answer, and answers to what is no question (R14)."""
    if request.category is not Category.CONSENT:
        detail = "Only the category consent asks for answers: leave consent out, or choose that category."
        return [] if request.consent is None else [FieldProblem(pointer="/consent", detail=detail)]
    deadline, sent = request.respond_by, request.send_at or now
    if deadline is None or deadline.tzinfo is None or sent.tzinfo is None or deadline > max(now, sent):
        return []
    detail = "respond_by lies before the question could be sent: choose a later instant."
    return [FieldProblem(pointer="/respond_by", detail=detail)]


def _is_near(moment: dt.datetime | None, now: dt.datetime) -> bool:
    return moment is None or abs((moment - now).total_seconds()) <= _HORIZON * 86_400


def _times(request: NotificationRequest, now: dt.datetime) -> list[FieldProblem]:
    if request.send_at is request.expires_at is request.respond_by is None:
        return []
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


_PEOPLE = {
    "students": "There is no such student in the directory.",
    "groups": "No student is in such a group.",
    "contacts": "There is no such contact in the directory.",
}


def _named(posting: Posting) -> Iterator[Named]:
    """List whom a posting names, for all of the group to be looked up at once."""
    audience = posting.request.audience
    for field, identifiers in (
        ("students", audience.students),
        ("groups", audience.groups),
        ("contacts", audience.contacts),
    ):
        for identifier in identifiers or ():
            yield posting.school, field, identifier


def _check_audience(school: str, audience: Audience, unknown: AbstractSet[Named]) -> None:
    """Refuse ids that are not the school's; a misspelt id must not silently reach nobody."""
    problems = []
    for field, detail in _PEOPLE.items():
        problems += [
            FieldProblem(pointer=f"/audience/{field}/{position}", detail=detail)
            for position, identifier in enumerate(getattr(audience, field) or ())
            if (school, field, identifier) in unknown
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


def check_values(request: NotificationRequest, text: Text, about: Sequence[str]) -> None:
    """Refuse a text with holes, in whatever language it has them, and values that would break a subject line."""
    problems: dict[str, FieldProblem] = {}
    given = _names_given(request, about)
    for template in text.templates.values():
        for name in missing(template, dict.fromkeys(given)):
            detail = f"The text has the placeholder (({name})), but no value is given for it."
            problems[name] = FieldProblem(pointer=f"/values/{name}", detail=detail)
        if not (request.values or request.student_values):
            continue
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
    if not (request.values or request.student_values):
        return
    used = {field.name for template in text.templates.values() for field in subject_fields(template)}
    places = [("/values", request.values)]
    places += [(f"/student_values/{student}", values) for student, values in request.student_values.items()]
    for pointer, values in places:
        for name, value in values.items():
            parts = value if isinstance(value, tuple) else (value,)
            if normalised(name) in used and not all(re.search(ONE_LINE, str(part)) for part in parts):
                yield f"{pointer}/{name}", name


def _row(posting: Posting, text: Text) -> dict[str, Any]:
    request, now = posting.request, posting.at
    send_at = max(request.send_at or now, now)
    return {
        "id": posting.id,
        "school": posting.school,
        "category": request.category.value,
        "purpose": request.purpose.value,
        "lane": posting.lane.value,
        "status": NotificationStatus.ACCEPTED.value,
        "request": posting.document,
        "sources": msgspec.json.encode(dict(text.sources)).decode(),
        "traceparent": posting.traceparent,
        "reference": request.reference,
        "created_by": posting.principal.key,
        "created_at": now,
        "send_at": send_at,
        "expires_at": request.expires_at or send_at + _LIFETIMES[posting.lane],
        "respond_by": request.respond_by,
        "cursor": "",
    }


def _kept_answer(posting: Posting) -> dict[str, Any]:
    return {
        "school": posting.school,
        "endpoint": _ENDPOINT,
        "key": posting.key,
        "body_hash": posting.body_hash,
        "status": 202,
        "answer": posting.answer.decode(),
        "notification": posting.id,
        "created_at": posting.at,
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


def _accepted(posting: Posting) -> Accepted:
    send_at = posting.request.send_at
    new = New(
        id=posting.id,
        lane=posting.lane,
        due=send_at is None or send_at <= posting.at,
        traceparent=posting.traceparent,
    )
    return Accepted(status=202, body=posting.answer, replayed=False, new=new)


def _answer_again(posting: Posting, earlier: EarlierAnswer | None, refusal: Refused | None) -> Accepted | Exception:
    """Answer what was not recorded now: as the key was answered before, or with its refusal."""
    if earlier is None:
        return refusal or Refused(409, "The same Idempotency-Key is in use at this moment: try again.")
    if earlier.body_hash != posting.body_hash:
        return unprocessable("Idempotency-Key", "This Idempotency-Key was used with another body: choose a new one.")
    body = earlier.answer.encode()
    if body == posting.answer:  # our own commit, whose confirmation was lost
        return _accepted(posting)
    return Accepted(status=earlier.status, body=body, replayed=True)
