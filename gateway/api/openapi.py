"""The OpenAPI 3.1 document, generated from the routes and the types that the handlers work with."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.access import Scope
from gateway.api.problems import Problem
from gateway.api.route import Parameter, Route, Upload

_VERSION = "1.0"
"""Of the API, which `/v1` promises to keep."""

_SCHEMES = {Scope.DIRECTORY: "Replace and import the school's directory.",
            Scope.SEND: "Post notifications, ask for their audience, cancel them.",
            Scope.READ: "Read notifications, decisions, deliveries and chronologies.",
            Scope.ALERTS: "Post notifications of the life-safety categories.",
            Scope.ADMIN: "Everything, and the school's templates."}  # fmt: skip

_ABOUT = """One notification posted by a school system reaches every parent and carer who is entitled to it.

Every call takes and answers JSON. An error is an `application/problem+json` (RFC 9457) whose `detail` says in one
sentence what to do; `errors` names the fields meant, by JSON pointer into the body or by the name of the header or
parameter; `request_id` finds the request in the logs. Lists come in pages: follow `links.next` until it is null.
Instants carry their offset, ids are the school's own and compared byte by byte."""

_REASONS = {
    400: "The body or a header is not well-formed.",
    401: "The key is missing, not known or revoked.",
    403: "The key lacks the scope.",
    404: "There is no such thing in this school.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "A field, parameter or header is not as it must be.",
    500: "Something failed on the gateway's side; nothing was half done.",
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Describe the documented routes."""
    shown = [route for route in routes if route.documented]
    schemas = _Schemas(shown)
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "School Messaging Gateway",
            "version": _VERSION,
            "summary": "Every entitled parent, in their language, on the channel that reaches them.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in shown)],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": {"key": _key()}},
    }


class _Schemas:
    """The JSON schema of every type that a route names, and their common parts."""

    def __init__(self, routes: Sequence[Route]) -> None:
        types: list[Any] = [Problem]
        for route in routes:
            types += [kind for kind in route.answers.values() if kind is not None]
            types += [route.body] if route.body is not None and not isinstance(route.body, Upload) else []
            types += [parameter.type for parameter in route.parameters]
        schemas, self.components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
        self._by_type = dict(zip(map(repr, types), schemas, strict=True))

    def of(self, kind: Any) -> dict[str, Any]:
        return dict(self._by_type[repr(kind)])


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.serve.__name__,
        "tags": [route.tag],
        "summary": route.summary,
        "description": _description(route),
        "parameters": [_parameter(parameter, schemas) for parameter in _all_parameters(route)],
        "responses": _responses(route, schemas),
        "security": [{"key": [scope.value]} for scope in route.scopes],
    }
    if route.body is not None:
        operation["requestBody"] = _request_body(route, schemas)
    return operation


def _description(route: Route) -> str:
    """Give the handler's own sentence, and who may call."""
    sentence = " ".join((inspect.getdoc(route.serve) or route.summary).split())
    if not route.scopes:
        return f"{sentence} Needs no key."
    names = " or ".join(f"`{scope}`" for scope in (*route.scopes, Scope.ADMIN) if scope is not Scope.ADMIN)
    return f"{sentence} The key needs the scope {names or '`admin`'}."


def _key() -> dict[str, Any]:
    scopes = "\n".join(f"- `{scope}`: {meaning}" for scope, meaning in _SCHEMES.items())
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "smg_…",
        "description": f"An API key, made by `gateway keys create NAME --scope S`. Its scopes:\n\n{scopes}",
    }


def _all_parameters(route: Route) -> list[Parameter]:
    """Give the declared parameters, after those that stand in the path."""
    declared = {parameter.name for parameter in route.parameters}
    in_path = [name for name in re.findall(r"\{(\w+)\}", route.path) if name not in declared]
    return [*(Parameter(name=name, place="path", detail=f"The {name}.") for name in in_path), *route.parameters]


def _parameter(parameter: Parameter, schemas: _Schemas) -> dict[str, Any]:
    schema = {"type": "string"} if parameter.type is str else schemas.of(parameter.type)
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.detail,
        "schema": schema,
    }


def _request_body(route: Route, schemas: _Schemas) -> dict[str, Any]:
    if isinstance(route.body, Upload):
        file = {"type": "string", "contentMediaType": route.body.media}
        form = {"type": "object", "properties": {route.body.part: file}, "required": [route.body.part]}
        return {"required": True, "content": {"multipart/form-data": {"schema": form}, route.body.media: {}}}
    content: dict[str, Any] = {"schema": schemas.of(route.body)}
    if route.examples:
        content["examples"] = {
            _component_name(title): {"summary": title, "value": value} for title, value in route.examples.items()
        }
    return {"required": True, "content": {"application/json": content}}


def _component_name(title: str) -> str:
    return re.sub(r"\W+", "_", title).strip("_").lower()


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    headers = {"X-Request-Id": "Finds the request in the logs."}
    responses: dict[str, Any] = {}
    for status, kind in route.answers.items():
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "headers": _headers({**headers, **(route.answer_headers or {})}),
        }
        if kind is not None:
            # A file has no schema: OpenAPI 3.1 says so by leaving it out.
            responses[str(status)]["content"] = {route.media: {} if kind is bytes else {"schema": schemas.of(kind)}}
    for status, reason in sorted(_refusals(route).items()):
        responses[str(status)] = {
            "description": reason,
            "headers": _headers(headers),
            "content": {"application/problem+json": {"schema": schemas.of(Problem)}},
        }
    return responses


def _headers(headers: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"description": detail, "schema": {"type": "string"}} for name, detail in headers.items()}


def _refusals(route: Route) -> dict[int, str]:
    """Name the errors that follow from what a call takes, and those of its own."""
    statuses = {500}
    if route.scopes:
        statuses |= {401, 403}
    if route.body is not None:
        statuses |= {400, 413, 415, 422}
    if any(parameter.place == "query" for parameter in route.parameters):
        statuses |= {422}
    return {status: _REASONS[status] for status in statuses} | dict(route.refusals or {})
