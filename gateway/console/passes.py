"""Passes: they say that the identity check of a link was met a while ago; without cookies nothing else could."""

import re

from aiohttp import web

from gateway.access import Link
from gateway.dispatch.documents import Waiting
from gateway.services import SERVICES

_PASS_SECONDS = 3600
"""How long what stands below a text may be used; then the identity check comes first again."""

_PASS = re.compile(r"([0-9]{1,12})\.([0-9a-f]{32})")


def make_pass(request: web.Request, waiting: Waiting) -> str:
    """Make a pass for whoever has just met the identity check of a link."""
    services = request.app[SERVICES]
    until = int(services.now().timestamp()) + _PASS_SECONDS
    return f"{until}.{services.sign_link(Link.DOCUMENT, _passed(waiting, str(until)))}"


def is_passed(request: web.Request, waiting: Waiting, given: str) -> bool:
    """Tell whether somebody holds a pass for this very link that still counts."""
    services, match = request.app[SERVICES], _PASS.fullmatch(given)
    if match is None or int(match[1]) < services.now().timestamp():
        return False
    return services.link_is_genuine(Link.DOCUMENT, _passed(waiting, match[1]), match[2])


def _passed(waiting: Waiting, until: str) -> str:
    """Name what a pass is signed for; no delivery has an id with a slash, so that it never serves as a link."""
    return f"{waiting.reader.row.id}/passed/{until}"
