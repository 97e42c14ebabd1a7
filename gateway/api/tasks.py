"""The list of what people have to do, and what they say about it (R45)."""

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.access import Scope
from gateway.api.answers import Body, Instant, PageLinks, entry
from gateway.api.requests import PRINCIPAL, answer, next_link, page_of, read_body
from gateway.api.route import Parameter, Route
from gateway.api.task_hints import Hint, hints_of, settled_by_hand
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.services import SERVICES
from gateway.store.pages import PAGED_KINDS
from gateway.store.tasks import acknowledge_task, find_task, list_tasks, settle_task


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
    actions: tuple[Hint, ...]
    """What a person can do about it."""


class Tasks(Body, frozen=True):
    """A page of tasks, oldest deadline first."""

    items: tuple[TaskEntry, ...]
    links: PageLinks


class Settled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody did about a task."""

    note: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


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
    last = (rows[-1].due_at, rows[-1].id) if len(rows) == page.limit else None
    links = next_link(request, last, page.limit)
    if links.next is not None and filters:
        links = PageLinks(next=f"{links.next}&{urlencode(filters)}")
    return answer(Tasks(items=tuple(_entry(row, services.now()) for row in rows), links=links))


async def acknowledge(request: web.Request) -> web.Response:
    """Say that somebody looks after it: nobody is paged any more about this alert's holds."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    async with services.database.writing() as connection:
        task = await _found(connection, request)
        if task.done_at is not None:
            raise Refused(409, "This task is done.")
        await acknowledge_task(connection, task, PAGED_KINDS, by=principal.key, at=services.now())
        task = await _found(connection, request)
    return answer(_entry(task, services.now()))


async def settle(request: web.Request) -> web.Response:
    """Take a task off the list because somebody has settled it by hand."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    wanted = await read_body(request, Settled)
    async with services.database.writing() as connection:
        task = await _found(connection, request)
        if not settled_by_hand(task.kind):
            raise Refused(409, "This task goes by itself with the step in the restrictions register that it asks for.")
        if not await settle_task(connection, task, by=principal.key, note=wanted.note, at=services.now()):
            raise Refused(409, "This task is done.")
        task = await _found(connection, request)
    return answer(_entry(task, services.now()))


async def _found(connection: Any, request: web.Request) -> Any:
    identifier = request.match_info["id"]
    task = None if "\0" in identifier else await find_task(connection, request[PRINCIPAL].school, identifier)
    if task is None:
        raise Refused(404, "There is no task with this id.")
    return task


def _entry(row: Any, now: Any) -> TaskEntry:
    overdue = row.done_at is None and row.due_at is not None and row.due_at <= now
    return entry(TaskEntry, row, overdue=overdue, actions=hints_of(row))


_NO_TASK = {404: "There is no task with this id."}
_SETTLERS = (Scope.ALERTS, Scope.SEND)


def task_routes(page: tuple[Parameter, ...]) -> tuple[Route, ...]:
    """List the calls; `page` are the parameters of every list."""
    return (
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
                *page,
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
