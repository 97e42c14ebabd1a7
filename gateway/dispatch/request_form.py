"""The form of a request: what its types cannot say, and nobody needs a database to see."""

import datetime as dt

from gateway.directory.model import Category
from gateway.dispatch.refusals import FieldProblem, unprocessable_fields
from gateway.dispatch.requests import NotificationRequest
from gateway.rules.categories import CATEGORIES
from gateway.rules.categories import Audience as AudienceKind

_HORIZON = 1_000
"""Days within which every instant of a request lies; beyond is a mistake, and some databases cannot hold it."""


def check_form(request: NotificationRequest, now: dt.datetime) -> None:
    """Check what the types cannot say; raises `Refused` with every field that is wrong."""
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
