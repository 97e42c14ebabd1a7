"""The API's own documentation, served from here: no browser asks anybody else for anything."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.dispatch.refusals import Refused

# static/swagger-ui holds files of swagger-ui-dist 5.35.0 (Apache-2.0), unchanged, with LICENSE and NOTICE.
_STATIC = Path(__file__).parent / "static"
_ASSETS = {
    "swagger-ui.css": _STATIC / "swagger-ui" / "swagger-ui.css",
    "swagger-ui-bundle.js": _STATIC / "swagger-ui" / "swagger-ui-bundle.js",
    "docs.css": _STATIC / "docs.css",
    "docs.js": _STATIC / "docs.js",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # Swagger UI's style sheet carries its icons in itself
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FOR_A_YEAR = "public, max-age=31536000, immutable"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>School Messaging Gateway: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{swagger-ui.css}">
<link rel="stylesheet" href="{docs.css}">
<script src="{swagger-ui-bundle.js}" defer></script>
<script src="{docs.js}" defer></script>
</head>
<body>
<noscript><p>This page needs JavaScript. What it shows is also in the
<a href="/openapi.json">OpenAPI document</a>.</p></noscript>
<div id="docs" data-document="/openapi.json"></div>
</body>
</html>
"""


def openapi_handler(describe: Callable[[], dict[str, Any]]) -> Handler:
    """Make the handler that serves the OpenAPI document, which is put together at the first request."""
    written = cache(lambda: msgspec.json.encode(describe()))

    async def get_openapi(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=written(), content_type="application/json", headers={"Cache-Control": "no-cache"})

    return get_openapi


async def get_docs(_request: web.Request) -> web.Response:
    """Serve the page."""
    return web.Response(text=_page(), content_type="text/html", headers=_HEADERS)


async def get_asset(request: web.Request) -> web.StreamResponse:
    """Serve a script or style sheet of the page; its address changes with its content, so it may be kept."""
    path = _ASSETS.get(request.match_info["name"])
    if path is None:
        raise Refused(404, "The documentation has no such file: see /docs.")
    return web.FileResponse(path, headers={"Cache-Control": _FOR_A_YEAR, "X-Content-Type-Options": "nosniff"})


@cache
def _page() -> str:
    page = _PAGE
    for name, path in _ASSETS.items():
        mark = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        page = page.replace(f"{{{name}}}", f"/docs/assets/{name}?v={mark}")
    return page
