"""Reports for staff: parity between parents, contact map, unreachable contacts, data quality; as JSON or CSV."""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.api.answers import Body, Instant, PageLinks
from gateway.api.csv_answers import csv_answer, wants_csv
from gateway.api.report_columns import (
    CONTACT_MAP,
    DATA_QUALITY,
    PARITY,
    UNREACHABLE,
    contact_map_lines,
    data_quality_lines,
    parity_lines,
    unreachable_lines,
)
from gateway.api.requests import PRINCIPAL, Page, answer, next_link, page_of
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category
from gateway.directory.quality import Finding, FindingKind, Quality
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.reports import add_quality_tasks, load_fates, load_languages
from gateway.rules.asking import check_instant
from gateway.rules.contact_map import contact_map
from gateway.rules.occasion import RefusedError
from gateway.rules.parity import Fate, differences, differences_in_fact
from gateway.rules.policy import Policy
from gateway.rules.quality import place, quality
from gateway.rules.treatment import Difference
from gateway.rules.unreachable import Unreached, unreachable, unreached
from gateway.services import SERVICES
from gateway.store.notifications import find_notification
from gateway.store.policies import load_governed
from gateway.store.reports import load_enrolment

_NEVER_VERIFIED = (
    "The records hold no date of verification yet: all contact points of the people concerned count as never verified."
)


class Parity(Body, frozen=True):
    """A page of differences between the parents of one student, by student and category."""

    items: tuple[Difference, ...]
    links: PageLinks


class UnreachablePage(Body, frozen=True):
    """A page of contacts who are not reached, by category, contact and rule."""

    items: tuple[Unreached, ...]
    links: PageLinks


class DataQuality(Body, frozen=True):
    """A page of findings, by kind and id, and how many there are in all."""

    counts: dict[FindingKind, int]
    never_verified: int
    """Contact points that nobody is known to have verified."""
    note: str
    items: tuple[Finding, ...]
    links: PageLinks


class AddedTasks(Body, frozen=True):
    """What a check of the records added to the task list."""

    found: int
    added: int
    """New tasks; whatever was on the list before is not put there again."""


async def get_parity(request: web.Request) -> web.Response:
    """List where the parents of one student would be treated differently now, and why (R12).

    What neither law nor the parents' own records account for is not `explained`: somebody at the school has to act.
    """
    services, page = request.app[SERVICES], page_of(request, tuple[str, str])
    at, explained = _instant(request), _yes_or_no(request, "explained")
    index, policy = await _directory(request)
    student = request.query.get("student")
    if student is not None and student not in index.students:
        raise unprocessable("student", "There is no student with this id.")
    students = index.students if student is None else (student,)
    first = page.after[0] if page.after and not wants_csv(request) else ""
    async with services.database.reading() as connection:
        is_written = await load_languages(connection, services.library, index.school.id)

    def found() -> Iterable[Difference]:
        asked = [one for one in students if one >= first]
        every = differences(index, at, students=asked, policy=policy, is_written=is_written)
        return (one for one in every if explained is None or one.explained is explained)

    return await _parity_answer(request, page, found, at=at.isoformat())


async def get_notification_parity(request: web.Request) -> web.Response:
    """List where the parents of one student fared differently with this notification in fact, and why."""
    page = page_of(request, tuple[str, str])
    explained = _yes_or_no(request, "explained")
    category, at, fates = await _fates(request, request.match_info["id"])
    index, policy = await _directory(request)

    def found() -> Iterable[Difference]:
        every = differences_in_fact(index, category, at, fates, policy=policy)
        return (one for one in every if explained is None or one.explained is explained)

    return await _parity_answer(request, page, found)


async def _parity_answer(
    request: web.Request, page: Page, found: Callable[[], Iterable[Difference]], **kept: str
) -> web.Response:
    if wants_csv(request):
        return csv_answer("parity", PARITY, await _worked_out(lambda: list(parity_lines(found()))))
    items, last = await _worked_out(lambda: _cut(page, found(), lambda one: (one.student, one.category.value)))
    return answer(Parity(items=items, links=_following(request, page, last, **kept)))


async def get_contact_map(request: web.Request) -> web.Response:
    """Map everybody related to a student: what each is told in each category, why, and by which routes (Q01)."""
    index, policy = await _directory(request)
    student = request.match_info["id"]
    if student not in index.students:
        raise Refused(404, "There is no student with this id.")
    at = _instant(request)
    one = await _worked_out(lambda: contact_map(index, student, at, policy=policy))
    return csv_answer("contact-map", CONTACT_MAP, contact_map_lines(one)) if wants_csv(request) else answer(one)


async def get_unreachable(request: web.Request) -> web.Response:
    """List who is entitled and has no route, or with `notification` whom it did not reach; with their telephones.

    Without a notification it looks at the three kinds of route: emergency (fast), report (personal), newsletter.
    """
    services, page = request.app[SERVICES], page_of(request, tuple[str, str, str])
    notification = request.query.get("notification")
    told = await _fates(request, notification) if notification is not None else None
    index, policy = await _directory(request)

    def found() -> Iterable[Unreached]:
        if told is None:
            return unreachable(index, services.now(), policy=policy)
        category, at, fates = told
        return unreached(index, category, at, fates, policy=policy)

    if wants_csv(request):
        return csv_answer("unreachable", UNREACHABLE, await _worked_out(lambda: list(unreachable_lines(found()))))
    items, last = await _worked_out(lambda: _cut(page, found(), _unreached_place))
    return answer(UnreachablePage(items=items, links=_following(request, page, last)))


def _unreached_place(one: Unreached) -> tuple[str, ...]:
    return one.category.value, one.contact, f"{one.rule}/{one.kind}"


async def get_data_quality(request: web.Request) -> web.Response:
    """List what the records lack or contradict, each with its record, field, rule and what to do (Q79)."""
    page = page_of(request, tuple[str, str, str])
    whole = await _quality(request)
    if wants_csv(request):
        return csv_answer("data-quality", DATA_QUALITY, data_quality_lines(whole.findings))
    items, last = _cut(page, whole.findings, place)
    body = DataQuality(
        counts=dict(Counter(finding.kind for finding in whole.findings)),
        never_verified=whole.never_verified,
        note=_NEVER_VERIFIED,
        items=items,
        links=_following(request, page, last),
    )
    return answer(body)


async def post_data_quality_tasks(request: web.Request) -> web.Response:
    """Put what the records lack on the task list; a finding that was there before is not put there again."""
    services, school = request.app[SERVICES], request[PRINCIPAL].school
    whole = await _quality(request)
    async with services.database.writing() as connection:
        added = await add_quality_tasks(connection, whole.findings, school, at=services.now())
    return answer(AddedTasks(found=len(whole.findings), added=added))


async def _quality(request: web.Request) -> Quality:
    """Look the records through; `kind` keeps one kind of finding."""
    services, kind = request.app[SERVICES], request.query.get("kind")
    if kind is not None and kind not in list(FindingKind):
        raise unprocessable("kind", f"kind is one of {', '.join(FindingKind)}.")
    index, policy = await _directory(request)
    whole = await _worked_out(lambda: quality(index, services.now(), policy=policy))
    wanted = tuple(finding for finding in whole.findings if kind in (None, finding.kind.value))
    return Quality(findings=wanted, never_verified=whole.never_verified)


async def _directory(request: web.Request) -> tuple[DirectoryIndex, Policy]:
    services = request.app[SERVICES]
    async with services.database.reading() as connection:
        known = await load_governed(connection, request[PRINCIPAL].school, services.policy)
        if known is None:
            raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
        directory = await load_enrolment(connection, known.school)
    return await asyncio.to_thread(DirectoryIndex, directory), known.policy


async def _fates(request: web.Request, notification: str) -> tuple[Category, dt.datetime, list[Fate]]:
    """Load what became of a notification, its category, and the instant as of which people's standing counts."""
    services = request.app[SERVICES]
    async with services.database.reading() as connection:
        row = await find_notification(connection, request[PRINCIPAL].school, notification)
        if row is None:
            raise Refused(404, "There is no notification with this id.")
        fates = await load_fates(connection, row.id)
    return Category(row.category), row.planned_at or services.now(), fates


_Report = TypeVar("_Report")


async def _worked_out(report: Callable[[], _Report]) -> _Report:
    """Work in a thread, so that a whole school's report keeps nobody else waiting."""
    try:
        return await asyncio.to_thread(report)
    except RefusedError as refusal:
        raise Refused(409, str(refusal)) from None


_Item = TypeVar("_Item")


def _cut(
    page: Page, items: Iterable[_Item], key: Callable[[_Item], tuple[str, ...]]
) -> tuple[tuple[_Item, ...], tuple[str, ...] | None]:
    """Take a page of an ordered list, and the place of its last item if the list may go on."""
    shown = tuple(islice((item for item in items if key(item) > page.after), page.limit))
    return shown, key(shown[-1]) if len(shown) == page.limit else None


def _following(request: web.Request, page: Page, last: tuple[str, ...] | None, **kept: str) -> PageLinks:
    """Write the address of the next page, about the same question."""
    link = next_link(request, last, page.limit)
    question = {name: value for name, value in request.query.items() if name not in ("cursor", "limit")} | kept
    return link if link.next is None or not question else PageLinks(next=f"{link.next}&{urlencode(question)}")


def _instant(request: web.Request) -> dt.datetime:
    """Read `at`; now unless given. A plus sign that came as a space is taken for one."""
    text = request.query.get("at")
    if text is None:
        return request.app[SERVICES].now()
    try:
        at = msgspec.convert(text.replace(" ", "+"), Instant)
        check_instant(at)
    except (msgspec.ValidationError, RefusedError):
        raise unprocessable("at", "at is an instant with offset, for instance 2026-06-15T10:00:00Z.") from None
    return at


def _yes_or_no(request: web.Request, name: str) -> bool | None:
    text = request.query.get(name)
    if text not in (None, "true", "false"):
        raise unprocessable(name, f"{name} is true or false.")
    return None if text is None else text == "true"
