"""Who would get it, why, by which route, in which language, at what cost; nothing is sent."""

from collections import Counter
from typing import Annotated

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.sms_segments import LIMIT
from gateway.api.answers import Cost, Forecast, Instant, Money, TextCost, TextsIn
from gateway.api.requests import PRINCIPAL, answer, read_body
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, Identifier
from gateway.dispatch.library import free_text
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable, unprocessable_fields
from gateway.dispatch.request_values import check_values, students_asked
from gateway.dispatch.requests import Audience, FreeContent, Identifiers, NotificationRequest, Purpose, Values
from gateway.dispatch.text_forecast import TextForecast, TextsCounted, Wording
from gateway.rules.answer import Answer, Mode, Request
from gateway.rules.audience import evaluate
from gateway.rules.categories import CATEGORIES
from gateway.rules.categories import Audience as AudienceKind
from gateway.services import SERVICES, Services
from gateway.settings.readers import Price
from gateway.store.notifications import unknown_contacts, unknown_groups, unknown_students
from gateway.store.people import load_directory
from gateway.store.policies import load_governed

_MOST_PROBLEMS = 20
"""Unknown ids that are named one by one."""


class AudienceQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request of the recipient rules, or the audience part of a notification; `at` is now unless given.

    With the wording, as a notification has it or as a text message stands, it tells what the texts would take.
    """

    category: Category
    at: Instant | None = None
    students: Identifiers | None = None
    groups: Identifiers | None = None
    everyone: bool = False
    contacts: Identifiers | None = None
    audience: Audience | None = None
    template: Identifier | None = None
    content: FreeContent | None = None
    values: Values = {}
    student_values: dict[str, Values] = {}
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=LIMIT)] | None = None
    """A text message in its final words, in place of a template or content."""


async def post_audience(request: web.Request) -> web.Response:
    """Decide as a notification would, and add up what it would take."""
    services = request.app[SERVICES]
    principal = request[PRINCIPAL]
    question = await read_body(request, AudienceQuestion)
    whom, place = _asked_about(question)
    _check_form(question.category, whom, place)
    _check_wording(question)
    async with services.database.reading() as connection:
        known = await load_governed(connection, principal.school, services.policy)
        if known is None:
            raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
        await _check_known(connection, principal.school, whom, place)
        directory = await load_directory(connection, known.school)
        wording = await _wording(connection, services, principal.school, question, whom)
    asked = Request(
        category=question.category,
        at=question.at or services.now(),
        students=whom.students,
        groups=whom.groups,
        everyone=whom.everyone,
        contacts=whom.contacts,
    )
    index = DirectoryIndex(directory)
    evaluation = evaluate(index, asked, policy=known.policy)
    decided = evaluation.answer
    if decided.error is not None:
        raise unprocessable("", decided.error.reason)
    cost = cost_of(decided)
    if wording is not None:
        parts = await TextForecast(services.renderer, index, wording).count(evaluation)
        cost = msgspec.structs.replace(cost, texts=_text_cost(parts, services.text_price))
    return answer(Forecast(decisions=decided.decisions, messages=decided.messages, cost=cost))


def _asked_about(question: AudienceQuestion) -> tuple[Audience, str]:
    """Take the audience from where it is given, with the pointer to that place."""
    beside = Audience(
        students=question.students, groups=question.groups, everyone=question.everyone, contacts=question.contacts
    )
    if question.audience is None:
        return beside, ""
    if beside != Audience():
        raise unprocessable("/audience", "Say whom it is about once: in audience or beside it, not in both.")
    return question.audience, "/audience"


def _check_form(category: Category, whom: Audience, place: str) -> None:
    """Refuse what a notification would be refused for, too, by the name of the field."""
    problems = []
    if sum((whom.students is not None, whom.groups is not None, whom.everyone)) != 1:
        detail = "Say whom it is about with exactly one of students, groups and everyone."
        problems.append(FieldProblem(pointer=place or "/students", detail=detail))
    personal = CATEGORIES[category].audience is AudienceKind.PERSON
    if personal and whom.contacts is None:
        detail = f"The category {category} goes to named people: list them in contacts."
        problems.append(FieldProblem(pointer=f"{place}/contacts", detail=detail))
    if not personal and whom.contacts is not None:
        detail = f"The category {category} finds its contacts by the rules: leave contacts out."
        problems.append(FieldProblem(pointer=f"{place}/contacts", detail=detail))
    if problems:
        raise unprocessable_fields(problems)


async def _check_known(connection: AsyncConnection, school: str, whom: Audience, place: str) -> None:
    """Refuse ids that are not the school's: a misspelt one must not look like an audience of nobody."""
    unknown = (
        ("students", whom.students, unknown_students, "There is no such student in the directory."),
        ("groups", whom.groups, unknown_groups, "No student is in such a group."),
        ("contacts", whom.contacts, unknown_contacts, "There is no such contact in the directory."),
    )
    problems = []
    for name, ids, find_unknown, detail in unknown:
        strangers = await find_unknown(connection, school, ids) if ids else set[str]()
        problems += [
            FieldProblem(pointer=f"{place}/{name}/{position}", detail=detail)
            for position, identifier in enumerate(ids or ())
            if identifier in strangers
        ][:_MOST_PROBLEMS]
    if problems:
        raise unprocessable_fields(problems)


def _check_wording(question: AudienceQuestion) -> None:
    """Refuse more than one wording, and values without one."""
    given = [name for name in ("template", "content", "text") if getattr(question, name) is not None]
    if len(given) > 1:
        raise unprocessable(f"/{given[1]}", f"Give one wording: {given[0]} or {given[1]}, not both.")
    if (question.values or question.student_values) and given in ([], ["text"]):
        raise unprocessable("/values", "Values need the template or content that they are for.")


async def _wording(
    connection: AsyncConnection, services: Services, school: str, question: AudienceQuestion, whom: Audience
) -> Wording | str | None:
    """Find the wording as intake would; raises `Refused`."""
    if question.content is None and question.template is None:
        return question.text
    if question.content is not None:
        text = free_text(question.content)
    else:
        text = await services.library.find(connection, school, str(question.template), question.category)
    request = NotificationRequest(
        category=question.category,
        purpose=Purpose.INFORMATION,
        audience=whom,
        template=question.template,
        content=question.content,
        values=question.values,
        student_values=question.student_values,
    )
    about = await students_asked(connection, school, whom, question.at or services.now())
    check_values(request, text, about)
    return Wording(request, text)


def _text_cost(counted: TextsCounted, price: Price | None) -> TextCost:
    languages = {
        language: TextsIn(
            texts=len(texts),
            parts=sum(text.segments for text in texts),
            longest=max(text.segments for text in texts),
            encodings=dict(sorted(Counter(text.encoding.value for text in texts).items())),
        )
        for language, texts in sorted(counted.by_language.items())
    }
    parts = sum(each.parts for each in languages.values())
    return TextCost(
        texts=sum(each.texts for each in languages.values()),
        parts=parts,
        languages=languages,
        not_possible=counted.not_possible,
        price=None if price is None else Money(amount=str(parts * price.amount), currency=price.currency),
    )


def cost_of(decided: Answer) -> Cost:
    """Count what would be started at once: deliveries by channel, and messages by language."""
    first = Counter(
        delivery.channel.value
        for message in decided.messages
        for delivery in (message.deliveries[:1] if message.mode is Mode.FALLBACK else message.deliveries)
        if delivery.merged_into is None
    )
    languages = Counter(message.language for message in decided.messages)
    return Cost(deliveries=dict(sorted(first.items())), languages=dict(sorted(languages.items())))
