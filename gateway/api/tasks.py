"""The list of what people have to do, and what they say about it (R45)."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.access import Scope
from gateway.api.answers import Body, Instant, PageLinks, entry
from gateway.api.requests import PRINCIPAL, answer, next_link, page_of, read_body
from gateway.api.route import PAGE, Parameter, Route
from gateway.api.task_hints import Hint, hints_of, settled_by_hand
from gateway.directory.model import ONE_LINE
from gateway.dispatch.hand_reports import HandOutcome, HandReport
from gateway.dispatch.inbox import ANSWER_REPLY
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable, unprocessable_fields
from gateway.services import SERVICES
from gateway.store.by_hand import BY_HAND, reports_on
from gateway.store.pages import PAGED_KINDS
from gateway.store.replies import close_reply
from gateway.store.tasks import acknowledge_task, find_task, list_tasks, settle_task


class Try(Body, frozen=True):
    """What somebody did to bring a message by telephone or by hand."""

    outcome: str
    at: Instant
    minutes: int | None
    spoken_with: str | None
    identity_checked: bool | None
    follow_up: str | None
    note: str
    by: str
    """The key of whoever reported it."""
    recorded_at: Instant


class TaskEntry(Body, frozen=True):
    """Something a person has to do, or has done."""

    id: str
    kind: str
    owner: str
    notification: str | None
    student: str | None
    contact: str | None
    delivery: str | None
    detail: str
    created_at: Instant
    due_at: Instant | None
    overdue: bool
    """Whether its time is over and it is still to do."""
    paged_at: Instant | None
    """When somebody on duty was first paged about it."""
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    """The key of whoever looks after it."""
    done_at: Instant | None
    done_by: str | None
    """The key of whoever settled it by hand; null for a task that went by itself."""
    note: str | None
    """What was done."""
    tries: tuple[Try, ...]
    """Of a call or hand delivery what was done so far, first try first."""
    actions: tuple[Hint, ...]
    """What a person can do about it."""


class Tasks(Body, frozen=True):
    """A page of tasks, oldest deadline first."""

    items: tuple[TaskEntry, ...]
    links: PageLinks


class Settled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody did about a task; of calls and hand deliveries outcome and time as well (Q34)."""

    note: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
    outcome: HandOutcome | None = None
    """What came of the call or hand delivery: needed for these, and for these alone."""
    at: Instant | None = None
    """When it was: the same."""
    minutes: Annotated[int, msgspec.Meta(ge=0, le=600)] | None = None
    spoken_with: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)] | None = None
    identity_checked: bool | None = None
    """Whether the person showed or said who they are; needed where somebody was told or given anything."""
    follow_up: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)] | None = None
    """What is still to be done, and by whom."""


async def get_tasks(request: web.Request) -> web.Response:
    """List what people have to do: holds to decide, contacts to reach by hand, outcomes nobody knows."""
    services, page = request.app[SERVICES], page_of(request, tuple[Instant | None, str])
    is_open = request.query.get("open", "true")
    if is_open not in {"true", "false"}:
        raise unprocessable("open", "open is true or false.")
    filters = {name: request.query[name] for name in ("open", "kind", "owner") if name in request.query}
    if any("\0" in value for value in filters.values()):
        raise unprocessable("kind", "kind and owner are words of the task list.")
    async with services.database.reading() as connection:
        rows = await list_tasks(
            connection,
            request[PRINCIPAL].school,
            is_open=is_open == "true",
            kind=filters.get("kind"),
            owner=filters.get("owner"),
            after=page.after,
            limit=page.limit,
        )
        tries = await reports_on(connection, [row.id for row in rows if row.kind in BY_HAND])
    last = (rows[-1].due_at, rows[-1].id) if len(rows) == page.limit else None
    links = next_link(request, last, page.limit)
    if links.next is not None and filters:
        links = PageLinks(next=f"{links.next}&{urlencode(filters)}")
    return answer(Tasks(items=tuple(_entry(row, services.now(), tries.get(row.id, ())) for row in rows), links=links))


async def acknowledge(request: web.Request) -> web.Response:
    """Say that somebody looks after it: nobody is paged any more about this alert's holds."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    async with services.database.writing() as connection:
        task = await _found(connection, request)
        if task.done_at is not None:
            raise Refused(409, "This task is done.")
        await acknowledge_task(connection, task, PAGED_KINDS, by=principal.key, at=services.now())
    return await _shown(request)


async def settle(request: web.Request) -> web.Response:
    """Take a task off the list because somebody has settled it by hand."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    wanted = await read_body(request, Settled)
    async with services.database.reading() as connection:
        task = await _found(connection, request)
    if task.kind in BY_HAND:
        await services.reports.take(principal, task.id, _report(wanted))
        return await _shown(request)
    if beside := list(_only_by_hand(wanted)):
        raise unprocessable_fields(beside)
    async with services.database.writing() as connection:
        if not settled_by_hand(task.kind):
            raise Refused(409, "This task goes by itself with the step in the restrictions register that it asks for.")
        if not await settle_task(connection, task, by=principal.key, note=wanted.note, at=services.now()):
            raise Refused(409, "This task is done.")
        if task.kind == ANSWER_REPLY:
            await close_reply(connection, task.id, by=principal.key, at=services.now())
    return await _shown(request)


def _report(wanted: Settled) -> HandReport:
    """Read a report on a call or hand delivery; what it cannot be without is asked for by name."""
    if wanted.outcome is None or wanted.at is None:
        missing = (("/outcome", wanted.outcome, "what came of it"), ("/at", wanted.at, "when it was"))
        problems = [
            FieldProblem(
                pointer=pointer, detail=f"Say in {pointer[1:]} {what}: a call or hand delivery is not done without it."
            )
            for pointer, value, what in missing
            if value is None
        ]
        raise unprocessable_fields(problems)
    return HandReport(
        outcome=wanted.outcome,
        at=wanted.at,
        note=wanted.note,
        minutes=wanted.minutes,
        spoken_with=wanted.spoken_with,
        identity_checked=wanted.identity_checked,
        follow_up=wanted.follow_up,
    )


def _only_by_hand(wanted: Settled) -> Iterator[FieldProblem]:
    for name in wanted.__struct_fields__:
        if name != "note" and getattr(wanted, name) is not None:
            detail = f"{name} is told of calls and hand deliveries only; this task takes a note."
            yield FieldProblem(pointer=f"/{name}", detail=detail)


async def _shown(request: web.Request) -> web.Response:
    """Answer with the task as it is now."""
    services = request.app[SERVICES]
    async with services.database.reading() as connection:
        task = await _found(connection, request)
        tries = await reports_on(connection, [task.id]) if task.kind in BY_HAND else {}
    return answer(_entry(task, services.now(), tries.get(task.id, ())))


async def _found(connection: Any, request: web.Request) -> Any:
    identifier = request.match_info["id"]
    task = None if "\0" in identifier else await find_task(connection, request[PRINCIPAL].school, identifier)
    if task is None:
        raise Refused(404, "There is no task with this id.")
    return task


def _entry(row: Any, now: Any, tries: Sequence[Any]) -> TaskEntry:
    overdue = row.done_at is None and row.due_at is not None and row.due_at <= now
    told = tuple(entry(Try, each) for each in tries)
    return entry(TaskEntry, row, overdue=overdue, tries=told, actions=hints_of(row))


_NO_TASK = {404: "There is no task with this id."}
_SETTLERS = (Scope.ALERTS, Scope.SEND)


TASK_ROUTES = (
    Route(
        method="GET",
        path="/v1/tasks",
        serve=get_tasks,
        summary="What people have to do",
        tag="Tasks",
        scopes=(Scope.READ,),
        parameters=(
            Parameter(
                name="open",
                place="query",
                detail="What is still to do, or what is done.",
                type=bool,
                default=True,
            ),
            Parameter(name="kind", place="query", detail="Only of this kind, such as `decide_hold`."),
            Parameter(name="owner", place="query", detail="Only of this owner, such as `safeguarding`."),
            *PAGE,
        ),
        answers={200: Tasks},
    ),
    Route(
        method="POST",
        path="/v1/tasks/{id}/acknowledge",
        serve=acknowledge,
        summary="Say that somebody looks after it",
        tag="Tasks",
        scopes=_SETTLERS,
        answers={200: TaskEntry},
        refusals={**_NO_TASK, 409: "The task is done."},
    ),
    Route(
        method="POST",
        path="/v1/tasks/{id}/done",
        serve=settle,
        summary="Settle a task by hand",
        tag="Tasks",
        scopes=_SETTLERS,
        body=Settled,
        answers={200: TaskEntry},
        refusals={**_NO_TASK, 409: "The task is done, or goes by itself with a step in the register."},
    ),
)
