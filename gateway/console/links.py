"""What the pages behind links of ours have in common: the token, the language, the form, the headers.

Such a link is a capability: whoever holds it acts for its delivery, so there is neither login nor cookie, and no
answer says why a link leads nowhere.
"""

import re
from collections.abc import Mapping

from aiohttp import web

from gateway.access import Link
from gateway.console.pages import ended_page
from gateway.console.style import CONTENT_SECURITY_POLICY
from gateway.content.languages import LAST_RESORT, same
from gateway.content.phrases import Phrases
from gateway.dispatch.rendering import Renderer
from gateway.services import SERVICES

_TOKEN = re.compile(r"([0-9a-z]{1,100})\.([0-9a-f]{32})")

_MOST_BYTES = 10_000

_MOST_LANGUAGES = 10

_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


def delivery_of(request: web.Request, link: Link) -> str | None:
    """Name the delivery of a genuine link, None for any other."""
    match = _TOKEN.fullmatch(request.match_info["token"])
    if match is None or not request.app[SERVICES].link_is_genuine(link, match[1], match[2]):
        return None
    return match[1]


def shown(html: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with a page that nobody keeps, frames, indexes or learns the address of."""
    return web.Response(
        text=html, status=status, content_type="text/html", charset="utf-8", headers={**_HEADERS, **(headers or {})}
    )


def ended(request: web.Request) -> web.Response:
    """Answer for every link that leads nowhere, in the browser's language: a reader's would tell that there is one."""
    return shown(ended_page(browser_phrases(request)), status=404)


def browser_phrases(request: web.Request) -> Phrases:
    """Give the fixed sentences in the first language of the browser that they exist in."""
    renderer = request.app[SERVICES].renderer
    for tag in preferred_languages(request.headers.get("Accept-Language", "")):
        if (phrases := _phrases(renderer, tag)) is not None:
            return phrases
    return renderer.phrases(LAST_RESORT)


def preferred_languages(header: str) -> list[str]:
    """Read an Accept-Language header, best first."""
    weighed = []
    for part in header.split(",")[:_MOST_LANGUAGES]:
        tag, _, weight = part.partition(";")
        quality = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight)
        weighed.append((float(quality[1]) if quality else 1.0, tag.strip()))
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0]


def _phrases(renderer: Renderer, tag: str) -> Phrases | None:
    try:
        phrases = renderer.phrases(tag)
        return phrases if same(tag, phrases.language) else None
    except ValueError:
        return None


async def read_form(request: web.Request) -> Mapping[str, str]:
    """Read a form of at most 10 kB, URL-encoded or multipart; what is no such form reads as empty.

    Raises `HTTPRequestEntityTooLarge` for a larger one.
    """
    try:
        form = await request.clone(client_max_size=_MOST_BYTES).post()
    except (ValueError, LookupError, web.HTTPBadRequest):
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}
