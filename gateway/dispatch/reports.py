"""Between the records and the pure reports: what became of a notification, who can be written to, findings as tasks."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.content.languages import choose
from gateway.directory.model import Category, ChannelName
from gateway.directory.quality import Finding, FindingKind
from gateway.dispatch.chunks import decode_routes
from gateway.dispatch.library import Library, TemplateDocument
from gateway.rules.answer import Decision, Outcome
from gateway.rules.parity import Fate, IsWritten
from gateway.rules.treatment import Trace
from gateway.store.identity import derived_id
from gateway.store.reports import known_tasks, list_approved_texts, list_decided, list_traces
from gateway.store.tasks import add_tasks

_TASKS_AT_ONCE = 1_000
"""Keeps each statement far below what databases allow in parameters."""


async def load_fates(connection: AsyncConnection, notification: str) -> list[Fate]:
    """Bring each decision of a notification together with how its message's deliveries stand."""
    deliveries: defaultdict[str | None, list[Any]] = defaultdict(list)
    for row in await list_traces(connection, notification):
        deliveries[row.message].append(row)
    return [_fate(row, deliveries.get(row.message, [])) for row in await list_decided(connection, notification)]


def _fate(row: Any, deliveries: list[Any]) -> Fate:
    routes = decode_routes(row.routes) if row.routes is not None else ()
    return Fate(
        decision=Decision(
            student=row.student,
            contact=row.contact,
            outcome=Outcome(row.outcome),
            rule=row.rule,
            reason=row.reason,
        ),
        channels=tuple(dict.fromkeys(route.channel for route in routes)),
        language=row.language,
        in_own_language=not any(delivery.fell_back for delivery in deliveries),
        step=row.step,
        not_before=row.not_before,
        traces=tuple(
            Trace(channel=ChannelName(delivery.channel), state=delivery.state, detail=delivery.detail)
            for delivery in deliveries
        ),
    )


async def load_languages(connection: AsyncConnection, library: Library, school: str) -> IsWritten:
    """Find out in which languages the school has a text of each category; a category without texts counts as written.

    The school's own approved template goes before the built-in one of its name.
    """
    documents = {name: document for name in library.names() for document in [library.built_in(name)] if document}
    for row in await list_approved_texts(connection, school):
        documents[row.name] = msgspec.json.decode(row.document, type=TemplateDocument)
    languages: defaultdict[Category, set[str]] = defaultdict(set)
    for document in documents.values():
        for category in document.categories:
            languages[category].update(document.sources)

    @cache
    def is_written(category: Category, language: str) -> bool:
        available = languages.get(category)
        return not available or not choose(language, available).fell_back

    return is_written


_DAYS = {FindingKind.SHARED_WITH_BARRED: 1, FindingKind.UNEXPLAINED_FLAG: 2, FindingKind.NO_ROUTE: 2}
_DAYS_OTHERWISE = 14
_LEAD = frozenset({FindingKind.SHARED_WITH_BARRED})
"""For the safeguarding lead; all others are the office's."""

_ELSEWHERE = frozenset({FindingKind.DRAFT_RESTRICTION, FindingKind.ENDING_RESTRICTION, FindingKind.LAPSED_RESTRICTION})
"""The register of restrictions asks for these itself."""


def quality_tasks(findings: Iterable[Finding], school: str, *, at: dt.datetime) -> Iterator[dict[str, Any]]:
    """Turn findings into tasks; the same finding gives the same id at any time, so that it is never listed twice."""
    for finding in findings:
        if finding.kind in _ELSEWHERE:
            continue
        about = (finding.kind.value, finding.entity, finding.id, finding.field, finding.state, finding.student or "")
        yield {
            "id": derived_id("quality", school, *about),
            "school": school,
            "kind": "check_record",
            "notification": None,
            "student": finding.student,
            "contact": finding.contact,
            "delivery": None,
            "owner": "safeguarding" if finding.kind in _LEAD else "office",
            "detail": f"{finding.rule}: {finding.sentence} ({finding.entity} {finding.id}, {finding.field})",
            "created_at": at,
            "due_at": at + dt.timedelta(days=_DAYS.get(finding.kind, _DAYS_OTHERWISE)),
            "done_at": None,
        }


async def add_quality_tasks(
    connection: AsyncConnection, findings: Iterable[Finding], school: str, *, at: dt.datetime
) -> int:
    """Put what was found on the task list and say how many tasks are new."""
    tasks = list(quality_tasks(findings, school, at=at))
    added = 0
    for start in range(0, len(tasks), _TASKS_AT_ONCE):
        chunk = tasks[start : start + _TASKS_AT_ONCE]
        known = await known_tasks(connection, [task["id"] for task in chunk])
        new = [task for task in chunk if task["id"] not in known]
        await add_tasks(connection, new)
        added += len(new)
    return added
