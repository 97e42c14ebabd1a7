"""What a request refers to must be there: people of the school's directory, and files that were uploaded."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from gateway.content.files import LARGEST_FILE
from gateway.dispatch.refusals import FieldProblem, unprocessable_fields
from gateway.dispatch.requests import Audience, NotificationRequest, travels_along
from gateway.store.postings import Named

_PEOPLE = {
    "students": "There is no such student in the directory.",
    "groups": "No student is in such a group.",
    "contacts": "There is no such contact in the directory.",
}


def people_named(school: str, audience: Audience) -> Iterator[Named]:
    """List whom an audience names, for those of many requests to be looked up at once."""
    for field, identifiers in (
        ("students", audience.students),
        ("groups", audience.groups),
        ("contacts", audience.contacts),
    ):
        for identifier in identifiers or ():
            yield school, field, identifier


def check_audience(school: str, audience: Audience, unknown: AbstractSet[Named]) -> None:
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


def check_files(request: NotificationRequest, known: Mapping[str, Any]) -> None:
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
