"""What one call of the API is: where it lives, who may make it, what it takes and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.access import Scope
from gateway.api.requests import MOST_ITEMS, PRINCIPAL, authenticated


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A value outside the body."""

    name: str
    place: Literal["query", "header", "path"]
    detail: str
    type: Any = str
    default: Any = None


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A body that is a file: by multipart form data, or alone."""

    part: str
    media: str


@dataclass(frozen=True, kw_only=True)
class Route:
    """One call: the server's route, the key it asks for and the entry in the OpenAPI document come from it."""

    method: str
    path: str
    serve: Handler
    summary: str
    tag: str
    answers: Mapping[int, Any]
    """The type of the body by status; None for an answer without one."""
    scopes: tuple[Scope, ...] = ()
    """Any one of them suffices; none means that no key is asked for."""
    body: Any = None
    """A type, an `Upload`, or None."""
    parameters: tuple[Parameter, ...] = ()
    refusals: Mapping[int, str] | None = None
    """Errors of this call alone, with their reasons."""
    answer_headers: Mapping[str, str] | None = None
    media: str = "application/json"
    examples: Mapping[str, Any] | None = None
    documented: bool = True

    @property
    def handler(self) -> Handler:
        """What the server calls: asks for the key, if one is needed, before anything else is looked at."""
        if not self.scopes:
            return self.serve

        @wraps(self.serve)
        async def guarded(request: web.Request) -> web.StreamResponse:
            request[PRINCIPAL] = await authenticated(request, *self.scopes)
            return await self.serve(request)

        return guarded


PAGE = (
    Parameter(name="cursor", place="query", detail="Where the page begins, from `links.next` of the one before."),
    Parameter(
        name="limit",
        place="query",
        detail="How many entries a page has at most.",
        type=Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)],
        default=100,
    ),
)
"""The parameters of every list."""

NO_DIRECTORY = "There is no directory yet."
"""Why a call that needs the school is refused (409)."""
