"""Answering a question of consent on the page of the message that asks it (R14).

The question stands below the text, behind the identity check. Its form carries a pass, which says that the check of
this very link was met a while ago: without cookies nothing else could. Only a POST answers, so that whoever merely
follows links never does; a POST that another site makes a browser send has no pass, and is refused before that.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from aiohttp import web

from gateway.console.consent_pages import Form, answer_forms, answered_page, closed_note, closed_page, unanswered_page
from gateway.console.links import browser_phrases, shown
from gateway.console.pages import ended_page
from gateway.console.passes import is_passed, make_pass
from gateway.content.phrases import Phrases
from gateway.content.values import localise
from gateway.directory.addresses import country_of
from gateway.directory.model import Contact
from gateway.dispatch.consent_answers import ConsentDesk, Paper, Question
from gateway.dispatch.documents import Waiting
from gateway.rules.consent import Reply
from gateway.services import SERVICES

_NUMBER = re.compile(r"[0-9]{1,4}")


def holds_pass(form: Mapping[str, str]) -> bool:
    """Whether a form is one of those below a text rather than the answer to the identity check."""
    return "pass" in form


async def question_below(request: web.Request, waiting: Waiting, phrases: Phrases) -> str:
    """Write what stands below the text: the question about each student, or that the time is over."""
    paper = await _desk(request).paper(waiting.notification, waiting.reader)
    if not paper.questions:
        return ""
    if paper.closed:
        return closed_note(phrases, _forms(paper, waiting))
    return answer_forms(
        phrases, _forms(paper, waiting), key=make_pass(request, waiting), until=_until(paper, waiting, phrases)
    )


async def post_answer(request: web.Request, form: Mapping[str, str], waiting: Waiting) -> web.Response | None:
    """Record a reader's answer and confirm it; None when the reader has to meet the identity check first."""
    if _is_foreign(request):
        return shown(ended_page(browser_phrases(request)), status=403)
    if not is_passed(request, waiting, form["pass"]):
        return None
    desk, phrases = _desk(request), _phrases(request, waiting)
    school, look = waiting.school.name, waiting.look
    paper = await desk.paper(waiting.notification, waiting.reader)
    if paper.closed or not paper.questions:
        return shown(closed_page(phrases, school, look, _forms(paper, waiting)), status=409)
    question = _question(paper, waiting, form)
    person = None if question is None else _person(question, form)
    reply = _reply(form)
    if question is None or person is None or reply is None:
        forms, key = _forms(paper, waiting), make_pass(request, waiting)
        return shown(unanswered_page(phrases, school, look, forms, key=key, wrong=form.get("student", "")), status=422)
    student = question.student
    if not await desk.answer(waiting.notification, waiting.reader.row.id, student.id, person.id, reply):
        return shown(closed_page(phrases, school, look, _forms(paper, waiting)), status=409)
    others = [each for each in _forms(paper, waiting) if each.number != _number(waiting, question)]
    key = make_pass(request, waiting)
    return shown(answered_page(phrases, school, look, _name(question), reply, others, key=key))


def _desk(request: web.Request) -> ConsentDesk:
    services = request.app[SERVICES]
    return ConsentDesk(services.database, now=services.now, policy=services.policy)


def _phrases(request: web.Request, waiting: Waiting) -> Phrases:
    return request.app[SERVICES].renderer.phrases(waiting.reader.message.language, waiting.school.language)


def _is_foreign(request: web.Request) -> bool:
    """Whether another site made the browser post this.

    Browsers write `Origin: null` for our own forms, too, as our pages let no address travel (Referrer-Policy).
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("Origin", "null")
    ours = {urlsplit(request.app[SERVICES].public_url).netloc, request.host}
    return origin != "null" and urlsplit(origin).netloc not in ours


def _forms(paper: Paper, waiting: Waiting) -> list[Form]:
    return [
        Form(
            number=_number(waiting, question),
            student=_name(question),
            people=tuple(_full_name(person) for person in question.people) if len(question.people) > 1 else (),
            answer=question.answer,
        )
        for question in paper.questions
    ]


def _number(waiting: Waiting, question: Question) -> int:
    """Give the number that a student has in this message: a page shows no id of the school's."""
    return [student.id for student in waiting.reader.students].index(question.student.id) + 1


def _question(paper: Paper, waiting: Waiting, form: Mapping[str, str]) -> Question | None:
    students = [student.id for student in waiting.reader.students]
    chosen = _picked(students, form.get("student", ""))
    return next((question for question in paper.questions if question.student.id == chosen), None)


def _person(question: Question, form: Mapping[str, str]) -> Contact | None:
    if len(question.people) == 1:
        return question.people[0]
    ids = [person.id for person in question.people]
    chosen = _picked(ids, form.get("who", ""))
    return next((person for person in question.people if person.id == chosen), None)


def _picked(ids: Sequence[str], number: str) -> str | None:
    if not _NUMBER.fullmatch(number) or not 1 <= int(number) <= len(ids):
        return None
    return ids[int(number) - 1]


def _reply(form: Mapping[str, str]) -> Reply | None:
    try:
        return Reply(form.get("answer", ""))
    except ValueError:
        return None


def _until(paper: Paper, waiting: Waiting, phrases: Phrases) -> str | None:
    if paper.respond_by is None:
        return None
    school = waiting.school
    return localise(paper.respond_by.isoformat(), phrases.language, school.timezone, country_of(school.jurisdiction))


def _name(question: Question) -> str:
    return question.student.given_name or question.student.family_name


def _full_name(contact: Contact) -> str:
    return " ".join(part for part in (contact.title, contact.given_name, contact.family_name) if part)
