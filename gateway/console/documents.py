"""The secure page of a message: asks who the reader is, then shows the whole text (R41)."""

import datetime as dt
from collections.abc import Mapping

from aiohttp import web

from gateway.access import Link
from gateway.console.links import delivery_of, ended, read_form, shown
from gateway.console.pages import document_page, locked_page, office_page, question_page
from gateway.content.phrases import Phrases
from gateway.directory.addresses import country_of
from gateway.dispatch.documents import LINK_WINDOW, Denied, DocumentDesk, Waiting
from gateway.dispatch.identity_check import Kind, birth_date_answer, postcode_answer
from gateway.services import SERVICES


async def get_document(request: web.Request) -> web.Response:
    """Show the question; mail scanners and previews come here, so nothing changes and nothing is given away."""
    waiting = await _waiting(request)
    if waiting is None:
        return ended(request)
    if waiting.locked:
        return _locked(request, waiting)
    return _asked(request, waiting)


async def post_document(request: web.Request) -> web.Response:
    """Check the answer and show the text."""
    form = await read_form(request)
    waiting = await _waiting(request)
    if waiting is None:
        return ended(request)
    given = _given(form, waiting)
    if given is None and not waiting.locked:
        return _asked(request, waiting, wrong=True)
    opened = await _desk(request).open(waiting, given or "")
    if opened is Denied.TOO_MANY:
        return _locked(request, waiting)
    if opened is Denied.WRONG:
        return _asked(request, waiting, wrong=True)
    phrases = _phrases(request, waiting)
    wanted = waiting.reader.message.language
    return shown(document_page(phrases, waiting.school.name, waiting.look, opened, wanted=wanted))


async def _waiting(request: web.Request) -> Waiting | None:
    delivery = delivery_of(request, Link.DOCUMENT)
    return await _desk(request).find(delivery) if delivery is not None else None


def _desk(request: web.Request) -> DocumentDesk:
    services = request.app[SERVICES]
    return DocumentDesk(services.database, services.renderer, now=services.now, policy=services.policy)


def _phrases(request: web.Request, waiting: Waiting) -> Phrases:
    return request.app[SERVICES].renderer.phrases(waiting.reader.message.language, waiting.school.language)


def _asked(request: web.Request, waiting: Waiting, *, wrong: bool = False) -> web.Response:
    phrases, school = _phrases(request, waiting), waiting.school
    if waiting.question.kind is Kind.NOTHING:
        return shown(office_page(phrases, school.name, waiting.look))
    territory = country_of(school.jurisdiction)
    page = question_page(phrases, school.name, waiting.look, waiting.question, territory=territory, wrong=wrong)
    return shown(page, status=422 if wrong else 200)


def _locked(request: web.Request, waiting: Waiting) -> web.Response:
    page = locked_page(_phrases(request, waiting), waiting.school.name, waiting.look)
    return shown(page, status=429, headers={"Retry-After": str(int(LINK_WINDOW.total_seconds()))})


def _given(form: Mapping[str, str], waiting: Waiting) -> str | None:
    """Read the answer as it is compared; None for what is no answer at all and counts as no attempt."""
    match waiting.question.kind:
        case Kind.BIRTH_DATE:
            date = birth_date(form)
            return None if date is None else birth_date_answer(date)
        case Kind.POSTCODE:
            return postcode_answer(form.get("postcode", "")[:50]) or None
        case Kind.NOTHING:
            return None


def birth_date(form: Mapping[str, str]) -> dt.date | None:
    """Read a date from the form's fields, in the digits of any script; None when they hold none."""
    parts = [form.get(part, "").strip() for part in ("year", "month", "day")]
    if not all(part.isdecimal() and len(part) <= 4 for part in parts):
        return None
    try:
        return dt.date(*map(int, parts))
    except ValueError:
        return None
