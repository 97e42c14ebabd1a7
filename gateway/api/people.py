"""Chronologies of contacts and students."""

from typing import Any

from aiohttp import web
from msgspec import UNSET

from gateway.access import Scope
from gateway.api.answers import Chronology, ChronologyEntry, Instant, entry
from gateway.api.requests import PRINCIPAL, answer, next_link, page_of
from gateway.api.route import PAGE, Route
from gateway.dispatch.refusals import Refused
from gateway.services import SERVICES
from gateway.store.people import knows_contact, knows_student
from gateway.store.views import list_chronology


async def contact_chronology(request: web.Request) -> web.Response:
    """List what happened about a contact, oldest first."""
    return await _chronology(request, is_student=False)


async def student_chronology(request: web.Request) -> web.Response:
    """List what happened about a student, oldest first."""
    return await _chronology(request, is_student=True)


async def _chronology(request: web.Request, *, is_student: bool) -> web.Response:
    principal = request[PRINCIPAL]
    person = request.match_info["id"]
    page = page_of(request, tuple[Instant, str, str])
    after = (page.after[0].isoformat(), *page.after[1:]) if page.after else ()
    knows = knows_student if is_student else knows_contact
    async with request.app[SERVICES].database.reading() as connection:
        if not await knows(connection, principal.school, person):
            raise Refused(404, f"There is no {'student' if is_student else 'contact'} with this id.")
        rows = await list_chronology(
            connection, principal.school, person=person, is_student=is_student, after=after, limit=page.limit
        )
    other = "contact" if is_student else "student"
    last = (rows[-1].at, rows[-1].kind, rows[-1].key) if len(rows) == page.limit else None
    items = tuple(_entry(row, other) for row in rows)
    return answer(Chronology(items=items, links=next_link(request, last, page.limit)))


def _entry(row: Any, other: str) -> ChronologyEntry:
    own = "student" if other == "contact" else "contact"
    return entry(ChronologyEntry, row, **{other: row.other, own: UNSET})


CHRONOLOGY_ROUTES = (
    Route(
        method="GET",
        path="/v1/contacts/{id}/chronology",
        serve=contact_chronology,
        summary="What happened about a contact",
        tag="People",
        scopes=(Scope.READ,),
        parameters=PAGE,
        answers={200: Chronology},
        refusals={404: "There is no contact with this id."},
    ),
    Route(
        method="GET",
        path="/v1/students/{id}/chronology",
        serve=student_chronology,
        summary="What happened about a student",
        tag="People",
        scopes=(Scope.READ,),
        parameters=PAGE,
        answers={200: Chronology},
        refusals={404: "There is no student with this id."},
    ),
)
