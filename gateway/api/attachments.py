"""Files that notifications carry: uploaded once, named by id in `POST /v1/notifications`."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor

from aiohttp import BodyPartReader, web

from gateway.access import Scope
from gateway.api.answers import Body
from gateway.api.directory import bounded, raw_archive
from gateway.api.requests import PRINCIPAL, answer
from gateway.api.route import Parameter, Route, Upload
from gateway.content.files import LARGEST_FILE, File, UnfitFileError, examine
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.services import SERVICES
from gateway.store.attachments import describe_attachments, keep_attachment

_EXAMINERS = ThreadPoolExecutor(2, thread_name_prefix="examining")
"""Each may have a process that reads a PDF beside it: so many at once."""


class Attachment(Body, frozen=True):
    """A file on record."""

    id: str
    """What a notification names it by; the same file under the same name has the same id."""
    name: str
    content_type: str
    size: int
    """In bytes."""
    searchable: bool
    """Whether the text check (R38) can read it. Of a picture or a scan nobody can say what it tells: look yourself."""


async def post_attachment(request: web.Request) -> web.Response:
    """Keep a file; 201 with its id."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    if not principal.school:
        raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
    name, content_type, content = await _uploaded(request)
    try:
        file = await asyncio.get_running_loop().run_in_executor(_EXAMINERS, examine, name, content_type, content)
    except UnfitFileError as error:
        raise unprocessable(error.field, str(error)) from None
    key = _key(principal.school, file)
    async with services.database.writing() as connection:
        await keep_attachment(connection, principal.school, key, file, by=principal.key, at=services.now())
    described = Attachment(
        id=key,
        name=file.name,
        content_type=file.content_type,
        size=len(content),
        searchable=file.searchable,
    )
    return answer(described, status=201)


def _key(school: str, file: File) -> str:
    """Name a file by what it is, so that uploading it again makes no second one."""
    parts = (school, file.content_type, file.name, hashlib.sha256(file.content).hexdigest())
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


async def _uploaded(request: web.Request) -> tuple[str, str, bytes]:
    """Read name, type and content: of a body that is the file, or of the first file of a form."""
    if request.content_type != "multipart/form-data":
        return request.query.get("name", ""), request.content_type, await raw_archive(request, LARGEST_FILE)
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.filename is not None:
                content_type = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                content = await bounded(part.read_chunk, LARGEST_FILE)
                return request.query.get("name", part.filename), content_type, content
    except (ValueError, AssertionError):
        raise Refused(400, "The multipart body is not well-formed.") from None
    raise unprocessable("file", "Upload one file as a part named file.")


async def get_attachment(request: web.Request) -> web.Response:
    """Describe a file."""
    services, school = request.app[SERVICES], request[PRINCIPAL].school
    key = request.match_info["id"]
    async with services.database.reading() as connection:
        row = (await describe_attachments(connection, school, [key])).get(key)
    if row is None:
        raise Refused(404, "There is no attachment with this id.")
    return answer(
        Attachment(id=row.id, name=row.name, content_type=row.content_type, size=row.size, searchable=row.searchable)
    )


ATTACHMENT_ROUTES = (
    Route(
        method="POST",
        path="/v1/attachments",
        serve=post_attachment,
        summary="Upload a file that notifications can carry: PDF, PNG, JPEG, plain text or calendar entry",
        tag="Notifications",
        scopes=(Scope.SEND,),
        body=Upload(part="file", media="application/pdf"),
        parameters=(
            Parameter(name="name", place="query", detail="The file's name, as parents see it; a form has its own."),
        ),
        answers={201: Attachment},
        refusals={413: "The file is too large."},
    ),
    Route(
        method="GET",
        path="/v1/attachments/{id}",
        serve=get_attachment,
        summary="Describe a file",
        tag="Notifications",
        scopes=(Scope.SEND,),
        answers={200: Attachment},
        refusals={404: "There is no attachment with this id."},
    ),
)
