"""The values of a request, which fill the holes of its text."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.content.template import normalised, subject_fields
from gateway.content.values import missing, unfit
from gateway.directory.model import ONE_LINE
from gateway.dispatch.library import Text
from gateway.dispatch.refusals import FieldProblem, unprocessable_fields
from gateway.dispatch.requests import Audience, NotificationRequest
from gateway.store.people import load_school
from gateway.store.planning import enrolled_students


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
