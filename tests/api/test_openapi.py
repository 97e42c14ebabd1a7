"""The OpenAPI document: valid, complete, and true to the server that serves it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest

from gateway.api.openapi import document
from gateway.api.route import Route, Upload
from gateway.api.routes import ROUTES
from tests.api.office import Office

DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(ROUTES)))
DOCUMENTED = [route for route in ROUTES if route.documented]
OPERATIONS = [
    (path, method, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Give every object inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def resolved(reference: str) -> Any:
    """Follow a reference inside the document."""
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


@pytest.mark.asyncio(loop_scope="module")
async def test_the_server_serves_the_document(quiet_office: Office) -> None:
    """What is tested here is what a client gets, without a key."""
    answer = await quiet_office.call("GET", "/openapi.json", key=None)
    assert answer.status == 200
    assert answer.json == DOCUMENT


@pytest.mark.asyncio(loop_scope="module")
async def test_every_call_of_the_server_is_documented_and_no_other(quiet_office: Office) -> None:
    """The server's own list of routes under /v1 and the document name the same calls."""
    application = quiet_office.client.app
    assert application is not None
    served = {
        (route.method, route.resource.canonical)
        for route in application.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    listed = {(method.upper(), path) for path, method, _ in OPERATIONS}
    assert listed <= served
    assert {call for call in served if call[1].startswith("/v1/")} <= listed
    assert {(route.method, route.path) for route in ROUTES} <= served


def test_the_document_has_the_form_of_openapi_3_1() -> None:
    """The members that the standard asks for are there, with the types it asks for."""
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert all(path.startswith("/") for path in DOCUMENT["paths"])
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in DOCUMENT["components"]["schemas"])
    identifiers = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(identifiers)) == len(identifiers)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for path, _method, operation in OPERATIONS:
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))
        places = [(parameter["in"], parameter["name"]) for parameter in operation["parameters"]]
        assert len(set(places)) == len(places)
        for response in operation["responses"].values():
            assert response["description"]


def test_every_schema_is_json_schema_and_every_reference_leads_somewhere() -> None:
    """Code generators stumble over neither."""
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = [inner["$ref"] for inner in walk(DOCUMENT) if "$ref" in inner]
    assert references
    for reference in references:
        assert resolved(reference) is not None


@pytest.mark.parametrize("route", DOCUMENTED, ids=lambda route: f"{route.method} {route.path}")
def test_errors_are_problems_and_scopes_are_told(route: Route) -> None:
    """Each call names its scopes, and each of its errors is problem+json."""
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    assert operation["security"] == [{"key": [scope.value]} for scope in route.scopes]
    for status, response in operation["responses"].items():
        if int(status) >= 400 and int(status) not in route.answers:
            assert response["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    if route.scopes:
        assert {"401", "403"} <= set(operation["responses"])
    if route.body is not None:
        assert {"400", "413", "415", "422"} <= set(operation["responses"])
        assert operation["requestBody"]["required"] is True


@pytest.mark.parametrize("route", [route for route in DOCUMENTED if route.examples], ids=lambda route: route.path)
def test_the_examples_are_good(route: Route) -> None:
    """Each example is accepted by the decoder and by the published schema."""
    assert not isinstance(route.body, Upload)
    schema = {"$ref": f"#/components/schemas/{route.body.__name__}", "components": DOCUMENT["components"]}
    for example in (route.examples or {}).values():
        msgspec.json.decode(json.dumps(example), type=route.body)
        jsonschema.Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(
    ("path", "method", "names"),
    [
        ("/v1/notifications", "post", {"Idempotency-Key"}),
        ("/v1/notifications/{id}/decisions", "get", {"id", "cursor", "limit"}),
        ("/v1/directory", "put", {"dry_run", "force"}),
        ("/v1/templates/{name}", "get", {"name", "version"}),
    ],
)
def test_parameters_are_documented(path: str, method: str, names: set[str]) -> None:
    """Cursor and limit, key and options are where a reader looks for them."""
    assert {parameter["name"] for parameter in DOCUMENT["paths"][path][method]["parameters"]} == names


@pytest.mark.asyncio(loop_scope="module")
async def test_the_example_notifications_are_accepted(quiet_office: Office) -> None:
    """A reader who pastes an example gets 202, given the ids it names."""
    content = DOCUMENT["paths"]["/v1/notifications"]["post"]["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        answer = await quiet_office.post("/v1/notifications", example["value"])
        assert answer.status == 202, answer.text
