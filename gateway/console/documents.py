"""The secure page of a message: asks who the reader is, then shows the whole text (R41)."""

import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps

from aiohttp import web

from gateway.access import Link
from gateway.console.consents import holds_pass, post_answer, question_below
from gateway.console.files import files_below, get_file
from gateway.console.links import browser_phrases, delivery_of, ended, read_form, shown
from gateway.console.pages import document_page, ended_page, locked_page, office_page, question_page
from gateway.content.phrases import Phrases
from gateway.directory.addresses import country_of
from gateway.dispatch.consents import is_question
from gateway.dispatch.deny_snapshots import REST
from gateway.dispatch.documents import LINK_WINDOW, Denied, DocumentDesk, Waiting
from gateway.dispatch.identity_check import Kind, birth_date_answer, postcode_answer
from gateway.services import SERVICES
from gateway.store.people import RestrictionsUnreadableError

_log = logging.getLogger(__name__)

_Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


def shut_while_unreadable(serve: _Page) -> _Page:
    """Open nothing while nobody can say who is barred (R46); the page gives no reason, but may be tried again."""

    @wraps(serve)
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await serve(request)
        except RestrictionsUnreadableError:
            _log.exception("page_kept_shut")
            page = ended_page(browser_phrases(request))
            return shown(page, status=503, headers={"Retry-After": str(int(REST.total_seconds()))})

    return guarded


@shut_while_unreadable
async def get_document(request: web.Request) -> web.Response:
    """Show the question; mail scanners and previews come here, so nothing changes and nothing is given away."""
    waiting = await _waiting(request)
    if waiting is None:
        return ended(request)
    if waiting.locked:
        return _locked(request, waiting)
    return _asked(request, waiting)


@shut_while_unreadable
async def post_document(request: web.Request) -> web.Response:
    """Check the answer and show the text; or take the reply to a question that stood below it (R14)."""
    form = await read_form(request)
    waiting = await _waiting(request)
    if waiting is None:
        return ended(request)
    if holds_pass(form) and is_question(waiting.notification):
        return await post_answer(request, form, waiting) or (_locked if waiting.locked else _asked)(request, waiting)
    return await _opened(request, form, waiting)


@shut_while_unreadable
async def get_document_file(request: web.Request) -> web.StreamResponse:
    """Give out one of the files below the text."""
    waiting = await _waiting(request)
    return ended(request) if waiting is None else await get_file(request, waiting)


async def _opened(request: web.Request, form: Mapping[str, str], waiting: Waiting) -> web.Response:
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
    below = await files_below(request, waiting, phrases)
    if is_question(waiting.notification):
        below += await question_below(request, waiting, phrases)
    return shown(document_page(phrases, waiting.school.name, waiting.look, opened, wanted=wanted, below=below))


async def _waiting(request: web.Request) -> Waiting | None:
    delivery = delivery_of(request, Link.DOCUMENT)
    return await _desk(request).find(delivery) if delivery is not None else None


def _desk(request: web.Request) -> DocumentDesk:
    services = request.app[SERVICES]
    return DocumentDesk(
        services.database,
        services.renderer,
        now=services.now,
        policy=services.policy,
        snapshots=services.snapshots,
    )


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
