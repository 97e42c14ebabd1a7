"""Who would get it, why, by which route, in which language, at what cost; nothing is sent."""

from collections import Counter

import msgspec
from aiohttp import web

from gateway.api.answers import Cost, Forecast, Instant
from gateway.api.requests import PRINCIPAL, answer, read_body
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.requests import Audience
from gateway.rules.answer import Answer, Mode, Request
from gateway.rules.audience import decide
from gateway.services import SERVICES
from gateway.store.people import load_directory, load_school


class AudienceQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request of the recipient rules, or the audience part of a notification; `at` is now unless given."""

    category: Category
    at: Instant | None = None
    students: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    everyone: bool = False
    contacts: tuple[str, ...] | None = None
    audience: Audience | None = None


async def post_audience(request: web.Request) -> web.Response:
    """Decide as a notification would, and add up what it would take."""
    services = request.app[SERVICES]
    principal = request[PRINCIPAL]
    question = await read_body(request, AudienceQuestion)
    whom = question.audience or question
    if whom is not question and (question.students or question.groups or question.everyone or question.contacts):
        raise unprocessable("/audience", "Say whom it is about once: in audience or beside it, not in both.")
    async with services.database.reading() as connection:
        known = await load_school(connection, principal.school)
        if known is None:
            raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
        directory = await load_directory(connection, known[0])
    asked = Request(
        category=question.category,
        at=question.at or services.now(),
        students=whom.students,
        groups=whom.groups,
        everyone=whom.everyone,
        contacts=whom.contacts,
    )
    decided = decide(DirectoryIndex(directory), asked, policy=services.policy)
    if decided.error is not None:
        raise unprocessable("", decided.error.reason)
    return answer(Forecast(decisions=decided.decisions, messages=decided.messages, cost=cost_of(decided)))


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
