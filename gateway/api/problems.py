"""Errors as problem+json (RFC 9457): one clear sentence, the fields meant, never a stack trace or a person's data."""

import itertools
import logging
import secrets
from http import HTTPStatus

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.typedefs import Handler

from gateway.dispatch.refusals import FieldProblem, Refused

_log = logging.getLogger(__name__)

_TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not processable",
    500: "Internal error",
    503: "Not available",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every error."""

    title: str
    status: int
    detail: str
    request_id: str
    type: str = "about:blank"
    errors: tuple[FieldProblem, ...] = ()


def problem(
    status: int,
    detail: str,
    *,
    request_id: str,
    errors: tuple[FieldProblem, ...] = (),
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Make the answer for an error."""
    body = Problem(
        title=_TITLES.get(status, "Error"), status=status, detail=detail, request_id=request_id, errors=errors
    )
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/problem+json", headers=headers
    )


def _refusal(refused: Refused, request_id: str) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    return problem(refused.status, refused.detail, request_id=request_id, errors=refused.errors, headers=headers)


_PROCESS = secrets.token_hex(4)
_requests = itertools.count()
"""Requests are numbered: an id names one in the logs, and nobody gains by guessing it."""


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong into a problem, and name each request for the logs."""
    request_id = f"{_PROCESS}{next(_requests):08x}"
    try:
        if "%00" in request.raw_path.partition("?")[0]:  # a NUL: PostgreSQL would stumble over it in an id
            raise web.HTTPNotFound  # noqa: TRY301  # the same answer as for any address that is none
        response = await handler(request)
    except Refused as refused:
        response = _refusal(refused, request_id)
    except web.HTTPRequestEntityTooLarge:
        response = problem(413, "The body is too large: send it in parts.", request_id=request_id)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"This address takes {allowed}."
        response = problem(405, detail, request_id=request_id, headers={"Allow": allowed})
    except web.HTTPNotFound:
        response = problem(404, "There is nothing at this address: see /docs.", request_id=request_id)
    except (web.RequestPayloadError, BadHttpMessage):
        response = problem(400, "The body could not be read to its end: send it again.", request_id=request_id)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        detail = f"This server does not answer such a request ({HTTPStatus(error.status).phrase}): see /docs."
        response = problem(error.status, detail, request_id=request_id)
    except Exception:  # noqa: BLE001  # the last stop before the user
        _log.exception("request_failed", extra={"request": request_id})
        response = problem(500, "Something failed on our side; nothing was half done.", request_id=request_id)
    response.headers["X-Request-Id"] = request_id
    return response
