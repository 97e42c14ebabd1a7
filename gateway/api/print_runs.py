"""Print runs over HTTP: closed by hand, looked at, downloaded, posted; and letters that the post brings back."""

import datetime as dt
from typing import Annotated, Any

import msgspec
from aiohttp import web

from gateway.access import Scope
from gateway.api.answers import Body, Instant, PageLinks, entry
from gateway.api.requests import MOST_ITEMS, PRINCIPAL, answer, next_link, page_of, read_body
from gateway.api.route import Parameter, Route
from gateway.directory.model import ONE_LINE
from gateway.dispatch.refusals import Refused
from gateway.services import SERVICES
from gateway.store.print_runs import classes_of, find_run, list_runs


class PrintRunEntry(Body, frozen=True):
    """One print run; `closed` when its folder is ready for the printer."""

    id: str
    status: str
    """`wanted`, `printing`, `printed`, `closed`, or `empty` when nothing of what waited could be printed."""
    reason: str
    """`cut_off`, `full` or `by_hand`."""
    created_at: Instant
    closed_at: Instant | None
    letters: int
    sheets: int
    posted_on: str | None
    uploaded_at: Instant | None
    """When the print house had all of it, where runs are uploaded."""
    fault: str | None
    """Why it does not get on."""


class PrintRuns(Body, frozen=True):
    """A page of print runs, newest first."""

    items: tuple[PrintRunEntry, ...]
    links: PageLinks


class PrintClass(Body, frozen=True):
    """Letters of a run that a printer treats alike."""

    postage: str
    sealed: bool
    letters: int
    sheets: int


class PrintedFile(Body, frozen=True):
    """One PDF of a run."""

    name: str
    letters: int
    pages: int
    size: int
    """Bytes."""
    sha256: str
    href: str


class PrintRunDetail(PrintRunEntry, frozen=True):
    """A print run with its classes and files."""

    classes: tuple[PrintClass, ...]
    files: tuple[PrintedFile, ...]
    links: dict[str, str]


class Posted(Body, frozen=True):
    """On which day a print run was posted."""

    on: dt.date


class ReturnedLetter(Body, frozen=True):
    """Why the post brought a letter back, as it says on the envelope."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]


class Noted(Body, frozen=True):
    """That something is on record."""

    status: str


async def post_print_run(request: web.Request) -> web.Response:
    """Close a print run of all that waits now."""
    run = await request.app[SERVICES].printing.close(request[PRINCIPAL])
    return answer(await _detail(request, run), status=202)


async def get_print_runs(request: web.Request) -> web.Response:
    """List the school's print runs."""
    page = page_of(request, tuple[str])
    async with request.app[SERVICES].database.reading() as connection:
        rows = await list_runs(connection, request[PRINCIPAL].school, after=page.after, limit=page.limit)
    last = (rows[-1].id,) if len(rows) == page.limit else None
    items = tuple(entry(PrintRunEntry, row) for row in rows)
    return answer(PrintRuns(items=items, links=next_link(request, last, page.limit)))


async def get_print_run(request: web.Request) -> web.Response:
    """Show a print run."""
    return answer(await _detail(request, request.match_info["id"]))


async def get_print_file(request: web.Request) -> web.StreamResponse:
    """Give a file of a print run: it holds letters, hence the scope `admin`."""
    names = request.match_info
    path = await request.app[SERVICES].printing.file(request[PRINCIPAL], names["id"], names["name"])
    headers = {"Content-Disposition": f'attachment; filename="{path.name}"', "Cache-Control": "no-store"}
    return web.FileResponse(path, headers=headers)


async def post_posted(request: web.Request) -> web.Response:
    """Note when a print run was posted."""
    run = request.match_info["id"]
    told = await read_body(request, Posted)
    await request.app[SERVICES].printing.note_posted(request[PRINCIPAL], run, told.on)
    return answer(await _detail(request, run))


async def post_returned(request: web.Request) -> web.Response:
    """Note that the post brought a letter back."""
    told = await read_body(request, ReturnedLetter)
    await request.app[SERVICES].printing.note_returned(request[PRINCIPAL], request.match_info["id"], told.reason)
    return answer(Noted(status="returned"))


async def _detail(request: web.Request, run: str) -> PrintRunDetail:
    async with request.app[SERVICES].database.reading() as connection:
        row = await find_run(connection, request[PRINCIPAL].school, run)
        if row is None:
            raise Refused(404, "There is no print run with this id.")
        classes = await classes_of(connection, run)
    base = f"/v1/print-runs/{run}"
    files: list[dict[str, Any]] = msgspec.json.decode(row.files)
    return entry(
        PrintRunDetail,
        row,
        classes=tuple(entry(PrintClass, each) for each in classes),
        files=tuple(PrintedFile(**file, href=f"{base}/files/{file['name']}") for file in files),
        links={"self": base, "manifest": f"{base}/files/manifest.csv", "posted": f"{base}/posted"},
    )


_NO_RUN = {404: "There is no print run with this id."}
_PAGE = (
    Parameter(name="cursor", place="query", detail="Where the page begins, from `links.next` of the one before."),
    Parameter(
        name="limit",
        place="query",
        detail="How many entries a page has at most.",
        type=Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)],
        default=100,
    ),
)

PRINT_ROUTES = (
    Route(
        method="POST",
        path="/v1/print-runs",
        serve=post_print_run,
        summary="Close a print run now",
        tag="Letters",
        scopes=(Scope.ADMIN,),
        answers={202: PrintRunDetail},
        refusals={409: "No letter waits for a print run."},
    ),
    Route(
        method="GET",
        path="/v1/print-runs",
        serve=get_print_runs,
        summary="Print runs",
        tag="Letters",
        scopes=(Scope.READ,),
        parameters=_PAGE,
        answers={200: PrintRuns},
    ),
    Route(
        method="GET",
        path="/v1/print-runs/{id}",
        serve=get_print_run,
        summary="One print run with its files",
        tag="Letters",
        scopes=(Scope.READ,),
        answers={200: PrintRunDetail},
        refusals=_NO_RUN,
    ),
    Route(
        method="GET",
        path="/v1/print-runs/{id}/files/{name}",
        serve=get_print_file,
        summary="A file of a print run: letters, manifest, totals or checksums",
        tag="Letters",
        scopes=(Scope.ADMIN,),
        answers={200: bytes},
        refusals={404: "There is no such print run or file.", 409: "This process does not see the letter spool."},
        media="application/pdf",
    ),
    Route(
        method="POST",
        path="/v1/print-runs/{id}/posted",
        serve=post_posted,
        summary="Say on which day a print run was posted",
        tag="Letters",
        scopes=(Scope.ADMIN,),
        body=Posted,
        answers={200: PrintRunDetail},
        refusals={**_NO_RUN, 409: "The run is not printed yet, or was posted on another day."},
        examples={"Posted": {"on": "2026-11-24"}},
    ),
    Route(
        method="POST",
        path="/v1/deliveries/{id}/returned",
        serve=post_returned,
        summary="Say that the post brought a letter back",
        tag="Letters",
        scopes=(Scope.ADMIN,),
        body=ReturnedLetter,
        answers={200: Noted},
        refusals={404: "There is no letter with this id.", 409: "The letter has not left."},
        examples={"Moved": {"reason": "gone away"}},
    ),
)
