"""Who may call what: without a key, with a wrong one, with one of too little."""

import pytest

from gateway.access import Scope, make_key
from gateway.api.route import Route
from gateway.api.routes import ROUTES
from gateway.store.keys import revoke_key
from tests.api.office import NOTICE, Office

GUARDED = [route for route in ROUTES if route.scopes]
OPEN = {
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/assets/{name}",
    "/v1/calls/{provider}",
    "/v1/receipts/{provider}",
}


def name_of(route: Route) -> str:
    """Name a route in a test's id."""
    return f"{route.method} {route.path}"


def filled(route: Route) -> str:
    """Write a path with something in its places."""
    named = route.path.replace("{id}", "x").replace("{name}", "x").replace("{delivery}", "x")
    return named.replace("{version}", "1").replace("{number}", "1")


def test_only_these_calls_need_no_key() -> None:
    """A call without a key is a decision, not an oversight."""
    assert {route.path for route in ROUTES if not route.scopes} == OPEN


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("route", GUARDED, ids=name_of)
class TestGuardedCall:
    """What holds for every call that needs a key."""

    async def test_without_a_key(self, quiet_office: Office, route: Route) -> None:
        """It is 401 and says how to send one."""
        answer = await quiet_office.call(route.method, filled(route), key=None)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "Authorization: Bearer" in answer.as_problem()["detail"]

    async def test_with_an_unknown_key(self, quiet_office: Office, route: Route) -> None:
        """It is 401 and does not repeat the key."""
        unknown = make_key().text
        answer = await quiet_office.call(route.method, filled(route), key=unknown)
        assert answer.status == 401
        assert unknown not in answer.text

    async def test_with_a_key_of_one_scope(self, quiet_office: Office, route: Route) -> None:
        """It is 403 exactly when neither the declared scopes nor the administrator's are the key's."""
        for scope in Scope:
            answer = await quiet_office.call(route.method, filled(route), key=scope.value)
            may = scope in {*route.scopes, Scope.ADMIN}
            assert (answer.status == 403) == (not may)
            assert answer.status != 401
            if not may:
                assert any(f"'{wanted}'" in answer.as_problem()["detail"] for wanted in route.scopes)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "smg_x", "Bearer smg_é"])
async def test_a_header_that_is_no_key(quiet_office: Office, header: str) -> None:
    """A header of another form is no key."""
    answer = await quiet_office.call("GET", "/v1/tasks", key=None, headers={"Authorization": header})
    assert answer.status == 401


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("key", "category", "status"),
    [
        ("send", "emergency", 403),
        ("send", "child_safety", 403),
        ("alerts", "routine", 403),
        ("alerts", "emergency", 202),
    ],
)
async def test_life_safety_has_a_scope_of_its_own(quiet_office: Office, key: str, category: str, status: int) -> None:
    """Who writes newsletters cannot raise an alarm, and the alarm button writes no newsletters."""
    answer = await quiet_office.post("/v1/notifications", NOTICE | {"category": category}, key=key)
    assert answer.status == status


async def test_a_revoked_key(small_office: Office) -> None:
    """A key stops working the moment it is revoked."""
    key = small_office.keys["read"].split("_")[1]
    async with small_office.gateway.database.writing() as connection:
        assert await revoke_key(connection, key, at=small_office.clock())
    assert (await small_office.call("GET", "/v1/tasks", key="read")).status == 401


async def test_a_key_of_another_school_sees_nothing_of_this_one(small_office: Office) -> None:
    """Bound to another school, a key finds neither notifications nor people."""
    await small_office.make_key("elm", Scope.ADMIN, school="elm")
    posted = await small_office.post("/v1/notifications", NOTICE)
    base = posted.json["links"]["self"]
    for path in (base, f"{base}/decisions", f"{base}/deliveries", "/v1/contacts/C1/chronology"):
        assert (await small_office.call("GET", path, key="elm")).status == 404
    assert (await small_office.post(f"{base}/cancel", None, key="elm")).status == 404
    assert (await small_office.post("/v1/notifications", NOTICE, key="elm")).status == 422


async def test_before_the_first_directory(new_office: Office) -> None:
    """What needs a directory says that there is none and how to put one; lists are merely empty."""
    for method, path, body in [
        ("POST", "/v1/notifications", NOTICE),
        ("POST", "/v1/audience", {"category": "routine", "everyone": True}),
        ("PUT", "/v1/templates/trip", {"categories": ["routine"], "sources": {}}),
    ]:
        answer = await new_office.call(method, path, body)
        assert answer.status == 409
        assert "PUT /v1/directory" in answer.as_problem()["detail"]
    assert (await new_office.call("GET", "/v1/tasks")).json["items"] == []
    assert all(item["built_in"] for item in (await new_office.call("GET", "/v1/templates")).json["items"])


@pytest.mark.parametrize(
    ("key", "category", "status"),
    [
        ("alerts", "routine", 403),
        ("alerts", "emergency", 200),
        ("send", "emergency", 403),
        ("send", "routine", 200),
        ("admin", "emergency", 200),
    ],
)
async def test_who_may_cancel(small_office: Office, key: str, category: str, status: int) -> None:
    """Only a key that could have posted it; a refusal leaves it as it is, and so does one to let its text go."""
    posted = await small_office.post("/v1/notifications", NOTICE | {"category": category})
    base = posted.json["links"]["self"]
    assert (await small_office.post(f"{base}/cancel", None, key=key)).status == status
    after = (await small_office.call("GET", base)).json["status"]
    assert (after == "cancelled") == (status == 200)
    released = await small_office.post(f"{base}/release", {"reason": "It is the aunt."}, key=key)
    assert released.status == (403 if status == 403 else 409)
