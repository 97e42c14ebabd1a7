"""The addresses of the pages for parents."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.console.documents import get_document, post_document
from gateway.console.unsubscribe import get_unsubscribe, post_unsubscribe

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/d/{token}", get_document),
    ("POST", "/d/{token}", post_document),
    ("GET", "/u/{token}", get_unsubscribe),
    ("POST", "/u/{token}", post_unsubscribe),
)
