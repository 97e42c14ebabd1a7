"""The files of a message, behind the identity check of its page (R41): listed below the text, given out one by one."""

from html import escape
from urllib.parse import quote

from aiohttp import web

from gateway.console.links import ended
from gateway.console.pages import value_in
from gateway.console.passes import is_passed, make_pass
from gateway.content.phrases import Phrases
from gateway.dispatch.documents import Waiting
from gateway.dispatch.readers import files_of
from gateway.services import SERVICES
from gateway.store.attachments import describe_attachments, load_attachments

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


async def files_below(request: web.Request, waiting: Waiting, phrases: Phrases) -> str:
    """List the files of a message, each with a link that serves as long as the pass in it."""
    files = files_of(waiting.reader)
    if not files:
        return ""
    async with request.app[SERVICES].database.reading() as connection:
        known = await describe_attachments(connection, waiting.school.id, files)
    key, token = make_pass(request, waiting), request.match_info["token"]
    items = [
        _item(f"{token}/files/{number}?pass={key}", value_in(phrases, known[file].name), known[file].size)
        for number, file in enumerate(files, start=1)
        if file in known
    ]
    return f"<h2>{escape(phrases.files())}</h2>\n<ul>\n{''.join(items)}</ul>\n"


async def get_file(request: web.Request, waiting: Waiting) -> web.StreamResponse:
    """Give one file out to whoever holds a pass; anybody else is led to the page with its question."""
    if not is_passed(request, waiting, request.query.get("pass", "")):
        raise web.HTTPSeeOther(f"../../{request.match_info['token']}")
    files, number = files_of(waiting.reader), int(request.match_info["number"])
    if not 1 <= number <= len(files):
        return ended(request)
    async with request.app[SERVICES].database.reading() as connection:
        found = (await load_attachments(connection, waiting.school.id, files[number - 1 : number])).values()
    for file in found:
        name = f"attachment; filename*=utf-8''{quote(file.name, safe='')}"
        return web.Response(
            body=file.content, content_type=file.content_type, headers={**_HEADERS, "Content-Disposition": name}
        )
    return ended(request)


def _item(link: str, name: str, size: int) -> str:
    return f'<li><a href="{escape(link)}" download>{escape(name)}</a> ({_size(size)})</li>\n'


def _size(size: int) -> str:
    return f"{max(1, round(size / 1_000))}\u00a0kB" if size < 1_000_000 else f"{size / 1_000_000:.1f}\u00a0MB"
