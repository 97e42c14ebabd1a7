"""Webhook endpoints over HTTP: registered by administrators, their secret told once, their addresses checked."""

import base64
from typing import Any

import pytest

from gateway.access import Scope
from gateway.dispatch.webhooks.desk import MOST_ENDPOINTS, MOST_SECRETS
from gateway.tracking.announcements import EventType
from tests.api.office import NOTICE, Office

URL = "https://mis.example.org/webhooks?key=only-they-know"


async def registered(office: Office, **fields: Any) -> dict[str, Any]:
    """Register an endpoint; gives the answer."""
    answer = await office.post("/v1/webhooks", {"url": URL, **fields})
    assert answer.status == 201, answer.text
    body: dict[str, Any] = answer.json
    assert answer.headers["Location"] == f"/v1/webhooks/{body['endpoint']['id']}"
    return body


async def test_a_secret_is_told_once(office: Office) -> None:
    """32 bytes after `whsec_` in the answer to its making, and nowhere afterwards."""
    first = await registered(office, events=["delivery.failed", "delivery.failed"])
    path = f"/v1/webhooks/{first['endpoint']['id']}"
    rotated = await office.post(f"{path}/rotate", None)
    secrets = [first["secret"], rotated.json["secret"]]
    assert len(set(secrets)) == 2
    for secret in secrets:
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    shown = [
        await office.call("GET", "/v1/webhooks"),
        await office.call("GET", path),
        await office.call("PATCH", path, {"events": None}),
        await office.call("POST", f"{path}/enable"),
        await office.call("GET", f"{path}/attempts"),
    ]
    for answer in shown:
        assert answer.status == 200, answer.text
        assert all(secret.removeprefix("whsec_") not in answer.text for secret in secrets)


async def test_an_endpoint_is_listed_changed_and_forgotten(office: Office) -> None:
    """What is left out of a change stays; null means all events."""
    endpoint = (await registered(office, events=["delivery.failed", "delivery.sent"]))["endpoint"]
    path = f"/v1/webhooks/{endpoint['id']}"
    assert endpoint["events"] == ["delivery.failed", "delivery.sent"]
    assert (await office.call("GET", "/v1/webhooks")).json == {"items": [endpoint]}
    assert (await office.call("GET", path)).json == endpoint
    assert (await office.call("PATCH", path, {})).json == endpoint
    moved = await office.call("PATCH", path, {"url": "https://other.example.org/"})
    assert moved.json == {**endpoint, "url": "https://other.example.org/"}
    everything = await office.call("PATCH", path, {"events": None})
    assert everything.json["events"] is None
    assert everything.json["url"] == "https://other.example.org/"
    assert (await office.call("DELETE", path)).status == 204
    assert (await office.call("GET", path)).status == 404
    assert (await office.call("GET", "/v1/webhooks")).json == {"items": []}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://mis.example.org/"}, "/url"),
        ({"url": "https://127.0.0.1/"}, "/url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "/url"),
        ({"url": "https://169.254.169.254/"}, "/url"),
        ({"url": "https://office:pw@mis.example.org/"}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "x" * 3000}, "/url"),
        ({}, "/url"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "events": ["delivery.seen"]}, "/events/0"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret"),
    ],
)
async def test_a_bad_endpoint_is_refused_by_its_field(quiet_office: Office, body: dict[str, Any], pointer: str) -> None:
    """One sentence names the field, and nothing is kept."""
    refused = await quiet_office.post("/v1/webhooks", body)
    assert refused.status == 422
    assert refused.as_problem()["errors"][0]["pointer"] == pointer
    assert (await quiet_office.call("GET", "/v1/webhooks")).json == {"items": []}


async def test_a_change_is_checked_like_a_new_endpoint(small_office: Office) -> None:
    """No endpoint comes to lead inside by the back door."""
    endpoint = (await registered(small_office))["endpoint"]
    path = f"/v1/webhooks/{endpoint['id']}"
    refused = await small_office.call("PATCH", path, {"url": "https://10.0.0.1/", "events": ["delivery.sent"]})
    assert refused.as_problem()["errors"][0]["pointer"] == "/url"
    assert (await small_office.call("GET", path)).json == endpoint


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("key", ["read", "send", "alerts", "directory"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""), ("GET", ""), ("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x"), ("POST", "/x/rotate"),
        ("POST", "/x/enable"), ("POST", "/x/replay"), ("GET", "/x/attempts"),
    ],
)  # fmt: skip
async def test_only_administrators_may(quiet_office: Office, method: str, path: str, key: str) -> None:
    """Whoever says where events go can listen to everything."""
    assert (await quiet_office.call(method, f"/v1/webhooks{path}", key=key)).status == 403


async def test_another_schools_endpoints_do_not_exist(office: Office) -> None:
    """Neither shown nor changed, and none of their events is sent again."""
    endpoint = (await registered(office))["endpoint"]
    await office.make_key("stranger", Scope.ADMIN, school="elm")
    path = f"/v1/webhooks/{endpoint['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", path, None), ("PATCH", path, {"events": None}), ("DELETE", path, None),
        ("POST", f"{path}/rotate", None), ("POST", f"{path}/enable", None), ("GET", f"{path}/attempts", None),
        ("POST", f"{path}/replay", {"since": "2026-06-15T00:00:00Z"}),
    ]  # fmt: skip
    for method, where, body in calls:
        assert (await office.call(method, where, body, key="stranger")).status == 404, where
    assert (await office.call("GET", "/v1/webhooks", key="stranger")).json == {"items": []}
    assert (await office.call("GET", path)).json == endpoint


async def test_there_is_an_end_to_endpoints_and_to_secrets(small_office: Office) -> None:
    """Every event is stored for each endpoint, and every secret signs each post."""
    for _ in range(MOST_ENDPOINTS):
        endpoint = (await registered(small_office))["endpoint"]
    assert (await small_office.post("/v1/webhooks", {"url": URL})).status == 409
    path = f"/v1/webhooks/{endpoint['id']}"
    for _ in range(MOST_SECRETS - 1):
        assert (await small_office.call("POST", f"{path}/rotate")).status == 200
    assert (await small_office.call("POST", f"{path}/rotate")).status == 409


async def test_a_school_without_a_directory_has_no_endpoints(new_office: Office) -> None:
    """There is nothing to tell of yet, and nobody it would belong to."""
    assert (await new_office.post("/v1/webhooks", {"url": URL})).status == 409


async def test_what_was_written_can_be_sent_again_by_id_and_time(office: Office) -> None:
    """Of a cancelled notification two events are on record; what is asked for twice, or not at all, is refused."""
    endpoint = (await registered(office, events=["notification.planned", "notification.cancelled"]))["endpoint"]
    path = f"/v1/webhooks/{endpoint['id']}/replay"
    notification = (await office.post("/v1/notifications", NOTICE)).json["id"]
    await office.gateway.planner.plan(notification)
    cancelled = await office.call("POST", f"/v1/notifications/{notification}/cancel")
    assert cancelled.json["status"] == "cancelled"
    assert (await office.call("POST", f"/v1/notifications/{notification}/cancel")).status == 200
    since = "2026-06-15T00:00:00Z"
    assert (await office.post(path, {"since": since, "until": "2026-06-16T00:00:00Z"})).json == {"events": 2}
    for body, pointer in [
        ({}, "/events"),
        ({"events": ["x"], "since": since}, "/events"),
        ({"events": ["x"]}, "/events/0"),
        ({"events": ["x"], "until": since}, "/until"),
        ({"since": since, "until": since}, "/until"),
        ({"since": "2026-06-15T00:00:00"}, "/since"),
    ]:
        refused = await office.post(path, body)
        assert refused.status == 422, body
        assert refused.as_problem()["errors"][0]["pointer"] == pointer


async def test_the_document_lists_every_event(small_office: Office) -> None:
    """A reader finds the whole vocabulary in the schema."""
    schemas = (await small_office.call("GET", "/openapi.json", key=None)).json["components"]["schemas"]
    assert set(schemas["EventType"]["enum"]) == {kind.value for kind in EventType}
