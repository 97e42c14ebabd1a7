"""Who would get it, why, by which route, in which language, at what cost; nothing is sent."""

from collections import Counter

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.api.answers import Cost, Forecast, Instant
from gateway.api.requests import PRINCIPAL, answer, read_body
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable, unprocessable_fields
from gateway.dispatch.requests import Audience, Identifiers
from gateway.rules.answer import Answer, Mode, Request
from gateway.rules.audience import decide
from gateway.rules.categories import CATEGORIES
from gateway.rules.categories import Audience as AudienceKind
from gateway.services import SERVICES
from gateway.store.notifications import unknown_contacts, unknown_groups, unknown_students
from gateway.store.people import load_directory
from gateway.store.policies import load_governed

_MOST_PROBLEMS = 20
"""Unknown ids that are named one by one."""


class AudienceQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request of the recipient rules, or the audience part of a notification; `at` is now unless given."""

    category: Category
    at: Instant | None = None
    students: Identifiers | None = None
    groups: Identifiers | None = None
    everyone: bool = False
    contacts: Identifiers | None = None
    audience: Audience | None = None


async def post_audience(request: web.Request) -> web.Response:
    """Decide as a notification would, and add up what it would take."""
    services = request.app[SERVICES]
    principal = request[PRINCIPAL]
    question = await read_body(request, AudienceQuestion)
    whom, place = _asked_about(question)
    _check_form(question.category, whom, place)
    async with services.database.reading() as connection:
        known = await load_governed(connection, principal.school, services.policy)
        if known is None:
            raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
        await _check_known(connection, principal.school, whom, place)
        directory = await load_directory(connection, known.school)
    asked = Request(
        category=question.category,
        at=question.at or services.now(),
        students=whom.students,
        groups=whom.groups,
        everyone=whom.everyone,
        contacts=whom.contacts,
    )
    decided = decide(DirectoryIndex(directory), asked, policy=known.policy)
    if decided.error is not None:
        raise unprocessable("", decided.error.reason)
    return answer(Forecast(decisions=decided.decisions, messages=decided.messages, cost=cost_of(decided)))


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
