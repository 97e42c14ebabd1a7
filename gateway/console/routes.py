"""The addresses of the pages for parents."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.console.documents import get_document, get_document_file, post_document
from gateway.console.unsubscribe import get_unsubscribe, post_unsubscribe

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/d/{token}", get_document),
    ("POST", "/d/{token}", post_document),
    ("GET", r"/d/{token}/files/{number:[0-9]{1,2}}", get_document_file),
    ("GET", "/u/{token}", get_unsubscribe),
    ("POST", "/u/{token}", post_unsubscribe),
)
