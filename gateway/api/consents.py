"""Answers to questions of consent, for staff: what they come to, and those that come by telephone or on paper (R14)."""

from typing import Any

from aiohttp import web

from gateway.api.answers import Body, Instant, PageLinks
from gateway.api.requests import PRINCIPAL, answer, next_link, page_of, read_body
from gateway.dispatch.consent_answers import ConsentDesk, NewAnswer
from gateway.dispatch.consents import Ballot, ballots_about, is_question, needed_for
from gateway.dispatch.refusals import Refused
from gateway.rules.consent import Needed, Reply, Standing
from gateway.services import SERVICES
from gateway.store.consents import students_asked_about
from gateway.store.notifications import find_notification


class AnswerEntry(Body, frozen=True):
    """One answer of one contact."""

    contact: str
    answer: Reply
    at: Instant
    origin: str
    """`secure_page` for a reader's own, else how it reached whoever took it down."""
    delivery: str | None
    """Whose page was answered."""
    taken_by: str | None
    """The key that took it down."""
    note: str | None
    latest: bool
    """Whether it is the contact's last one."""
    counts: bool
    """Whether it enters the standing."""
    reason: str | None
    """Why a latest answer does not count."""


class StudentAnswers(Body, frozen=True):
    """What the answers about one student come to. Parents must not learn of each other's."""

    student: str
    standing: Standing
    waiting_for: tuple[str, ...]
    """Contacts whose answer is lacking, those whom no message could reach included."""
    answers: tuple[AnswerEntry, ...]
    """Oldest first."""


class ConsentAnswers(Body, frozen=True):
    """A page of students with the answers about them."""

    needed: Needed
    respond_by: Instant | None
    items: tuple[StudentAnswers, ...]
    links: PageLinks


async def get_answers(request: web.Request) -> web.Response:
    """List what the answers come to, student by student, with every answer ever given."""
    services, row = request.app[SERVICES], await _question(request)
    page = page_of(request, tuple[str])
    after = page.after[0] if page.after else ""
    async with services.database.reading() as connection:
        students = await students_asked_about(connection, row.id, after=after, limit=page.limit)
        ballots = await ballots_about(connection, row, students, now=services.now(), policy=services.policy)
    last = (students[-1],) if len(students) == page.limit else None
    return answer(
        ConsentAnswers(
            needed=needed_for(row),
            respond_by=row.respond_by,
            items=tuple(_entry(ballots[student]) for student in students),
            links=next_link(request, last, page.limit),
        )
    )


async def post_answer(request: web.Request) -> web.Response:
    """Take down an answer that came by telephone, on paper, by mail or in person; a later one takes its place."""
    services, row = request.app[SERVICES], await _question(request)
    wanted = await read_body(request, NewAnswer)
    desk = ConsentDesk(services.database, now=services.now, policy=services.policy)
    return answer(_entry(await desk.take_down(request[PRINCIPAL], row, wanted)), status=201)


async def _question(request: web.Request) -> Any:
    school = request[PRINCIPAL].school
    async with request.app[SERVICES].database.reading() as connection:
        row = await find_notification(connection, school, request.match_info["id"])
    if row is None:
        raise Refused(404, "There is no notification with this id.")
    if not is_question(row):
        raise Refused(409, "This notification does not ask for consent: only those of the category consent do.")
    return row


def _entry(ballot: Ballot) -> StudentAnswers:
    latest = {row.contact: row.id for row in ballot.answers}
    return StudentAnswers(
        student=ballot.student,
        standing=ballot.judgement.standing,
        waiting_for=ballot.judgement.waiting_for,
        answers=tuple(_answer(row, ballot, latest=latest[row.contact] == row.id) for row in ballot.answers),
    )


def _answer(row: Any, ballot: Ballot, *, latest: bool) -> AnswerEntry:
    voice = ballot.voices[row.contact]
    worthless = row.contact in ballot.judgement.uncounted
    return AnswerEntry(
        contact=row.contact,
        answer=Reply(row.answer),
        at=row.at,
        origin=row.origin,
        delivery=row.delivery,
        taken_by=row.taken_by,
        note=row.note,
        latest=latest,
        counts=latest and not worthless,
        reason=f"{voice.rule}: {voice.reason}" if latest and worthless else None,
    )
