"""P0: admits or refuses the request itself, and finds the students it asks about."""

import datetime as dt
from collections.abc import Collection, Iterable

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category
from gateway.rules.answer import Request
from gateway.rules.categories import Audience
from gateway.rules.occasion import Occasion, RefusedError, is_enrolled
from gateway.rules.policy import Policy


def check_request(index: DirectoryIndex, request: Request, policy: Policy) -> None:
    """P0: raise `RefusedError` with one sentence that names the field."""
    check_instant(request.at)
    _check_students(index, request)
    _check_contacts(index, request, person=is_personal(request.category, policy))


def check_instant(at: dt.datetime) -> None:
    """P0: refuse an instant without offset, or one that no clock could show in every zone."""
    if at.tzinfo is None:
        raise RefusedError("The request's `at` must carry its offset from UTC, for instance 2026-06-15T10:00:00+01:00.")
    if not dt.MINYEAR < at.year < dt.MAXYEAR:
        raise RefusedError("The request's `at` must be an instant of the calendar in every time zone.")


def is_personal(category: Category, policy: Policy) -> bool:
    """Tell whether a category reaches only the contacts that are named."""
    return policy.categories[category].audience is Audience.PERSON


def asked_students(occasion: Occasion, request: Request, among: Iterable[str] | None = None) -> list[str]:
    """List the ids of the students asked about, in order; groups and everyone reach only the enrolled.

    `among` leaves out all others, for an answer about some contacts only.
    """
    students = occasion.index.students
    within: Collection[str]
    if request.students is not None:
        within = set(request.students)
    elif request.groups is not None:
        within = {member for group in request.groups for member in occasion.index.members.get(group, ())}
    else:
        within = students.keys()
    chosen = within if among is None else {student for student in among if student in within}
    if request.students is not None:
        return sorted(chosen)
    return sorted(student for student in chosen if is_enrolled(students[student], occasion.today))


def _check_students(index: DirectoryIndex, request: Request) -> None:
    ways = (request.students is not None) + (request.groups is not None) + request.everyone
    if ways != 1:
        raise RefusedError("The request must have exactly one of `students`, `groups` and `everyone: true`.")
    if request.students is not None:
        if not request.students:
            raise RefusedError("The request's `students` must name at least one student.")
        if not index.students.keys() >= set(request.students):
            raise RefusedError("The request's `students` must all be ids of students in the directory.")
    if request.groups is not None and not request.groups:
        raise RefusedError("The request's `groups` must name at least one group.")


def _check_contacts(index: DirectoryIndex, request: Request, *, person: bool) -> None:
    if not person:
        if request.contacts is not None:
            raise RefusedError("The request's `contacts` must be left out: this category names nobody.")
        return
    if not request.contacts:
        raise RefusedError("The request's `contacts` must name whom this category is for.")
    if not index.contacts.keys() >= set(request.contacts):
        raise RefusedError("The request's `contacts` must all be ids of contacts in the directory.")
