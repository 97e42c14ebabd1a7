"""The directory: replaced by a document, or imported from an upload of any format that `read_upload` takes."""

import asyncio
from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import BodyPartReader, web

from gateway.access import Principal, Scope
from gateway.api.answers import DirectoryReport
from gateway.api.requests import PRINCIPAL, answer, decode, flag, malformed, raw_body
from gateway.api.route import Parameter, Route, Upload
from gateway.api.wording import refusal
from gateway.directory.documents import RestrictionsRefusedError, read_directory, without_problems
from gateway.directory.importing import ImportRefusedError
from gateway.directory.model import Directory, School
from gateway.directory.uploads import read_uploads
from gateway.directory.validation import is_zone
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable
from gateway.dispatch.roster import Roster
from gateway.services import SERVICES, Services
from gateway.store.people import load_school

_MOST_FEEDS = 4

_UPLOAD_FACTOR = 10
"""How much larger a directory may be than another body."""


class _SchoolOnly(msgspec.Struct):
    """As much of a directory document as says whose it is."""

    school: School


async def put_directory(request: web.Request) -> web.Response:
    """Replace the school's directory with the document in the body."""
    services = request.app[SERVICES]
    principal = request[PRINCIPAL]
    body = await raw_body(request, most=services.max_body_bytes * _UPLOAD_FACTOR)
    school = decode(body, _SchoolOnly).school
    _check_school(principal, school)
    today = services.now().astimezone(ZoneInfo(school.timezone)).date()
    try:
        reading = await asyncio.to_thread(read_directory, body, today=today)
    except msgspec.ValidationError as error:
        raise refusal(str(error), Directory) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise malformed() from None
    except RestrictionsRefusedError as error:
        problems = [FieldProblem(pointer=f"/restrictions/{row.id}", detail=row.reason) for row in error.rows]
        raise Refused(422, str(error), tuple(problems)) from None
    dry_run, force = flag(request, "dry_run"), flag(request, "force")
    return answer(await _roster(services).replace(reading, today=today, dry_run=dry_run, force=force))


async def import_directory(request: web.Request) -> web.Response:
    """Import the exports of one or more systems of a school, as parts of multipart form data or one as the body."""
    services = request.app[SERVICES]
    principal = request[PRINCIPAL]
    files = await _uploaded(request, services.max_body_bytes * _UPLOAD_FACTOR)
    school = await _school_on_record(services, principal)
    today = services.now().date()
    try:
        imported = await asyncio.to_thread(read_uploads, files, today=today, school=school)
    except ImportRefusedError as error:
        raise unprocessable("file", str(error)) from None
    _check_school(principal, imported.directory.school)
    report = await _roster(services).replace(
        without_problems(imported.directory, today=today, mentioned=imported.mentioned),
        today=today,
        dry_run=flag(request, "dry_run"),
        force=flag(request, "force"),
        lines=imported.refused,
        notes=imported.notes,
    )
    return answer(report)


def _roster(services: Services) -> Roster:
    return Roster(services.database, services.library, now=services.now)


async def _school_on_record(services: Services, principal: Principal) -> School | None:
    """Give the key's school, for formats that do not say whose they are; None before the first directory."""
    if principal.school is None:
        return None
    async with services.database.reading() as connection:
        found = await load_school(connection, principal.school)
    return found[0] if found else None


def _check_school(principal: Principal, school: School) -> None:
    """Refuse a directory of another school than the key's, or one the clock cannot be read for."""
    if principal.school and principal.school != school.id:
        raise Refused(
            403,
            "This key belongs to another school than the document.",
            (FieldProblem(pointer="/school/id", detail="Use the key of this school, or correct the id."),),
        )
    if not is_zone(school.timezone):
        raise unprocessable("/school/timezone", "The time zone is not known: use one such as Europe/London.")


async def _uploaded(request: web.Request, limit: int) -> list[tuple[str, bytes]]:
    """Read the names and contents of the files of a multipart body, or a body that is the file itself."""
    if request.content_type in {"application/zip", "application/json", "application/octet-stream"}:
        return [("", await raw_archive(request, limit))]
    if request.content_type != "multipart/form-data":
        raise Refused(415, "Upload the file as multipart/form-data with a part named file.")
    try:
        reader = await request.multipart()
        files = [
            (part.filename, await bounded(part.read_chunk, limit))
            async for part in reader
            if isinstance(part, BodyPartReader) and part.filename is not None
        ]
    except (ValueError, AssertionError):
        raise Refused(400, "The multipart body is not well-formed.") from None
    if not 1 <= len(files) <= _MOST_FEEDS:
        raise unprocessable(
            "file", f"Upload one file, or up to {_MOST_FEEDS} feeds of one school, as parts named file."
        )
    return files


async def raw_archive(request: web.Request, limit: int) -> bytes:
    """Read an archive that is the whole body."""
    return await bounded(lambda: request.content.read(65_536), limit)


async def bounded(read: Callable[[], Awaitable[bytes]], limit: int) -> bytes:
    """Read a file piece by piece, up to a limit."""
    content = bytearray()
    while chunk := await read():
        content += chunk
        if len(content) > limit:
            raise Refused(413, f"The file is larger than {limit} bytes.")
    return bytes(content)


_UPLOAD_OPTIONS = (
    Parameter(name="dry_run", place="query", detail="Report only, change nothing.", type=bool, default=False),
    Parameter(
        name="force",
        place="query",
        detail="Take it over even if it ends more than 20 % of the links between students and contacts.",
        type=bool,
        default=False,
    ),
)
_TOO_MUCH = {409: "It would end more than 20 % of the links: check the file, or repeat with `force=true`."}

DIRECTORY_ROUTES = (
    Route(
        method="PUT",
        path="/v1/directory",
        serve=put_directory,
        summary="Replace the directory",
        tag="Directory",
        scopes=(Scope.DIRECTORY,),
        body=Directory,
        parameters=_UPLOAD_OPTIONS,
        answers={200: DirectoryReport},
        refusals=_TOO_MUCH,
    ),
    Route(
        method="POST",
        path="/v1/directory/imports",
        serve=import_directory,
        summary="Import OneRoster, School Data Sync, Ed-Fi or Wonde; several files are joined",
        tag="Directory",
        scopes=(Scope.DIRECTORY,),
        body=Upload(part="file", media="application/zip"),
        parameters=_UPLOAD_OPTIONS,
        answers={200: DirectoryReport},
        refusals=_TOO_MUCH,
    ),
)
