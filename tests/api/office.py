"""A school office that calls the API: a real server on loopback, a small school, keys for every scope."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select

from gateway.access import Scope, make_key
from gateway.api.routes import ROUTES
from gateway.assembly import Gateway, assembled
from gateway.settings import Settings
from gateway.store.database import Database
from gateway.store.keys import add_key
from gateway.store.migrate import migrate
from gateway.store.tables import deliveries
from gateway.web import make_application
from tests.store.databases import laid_out

MONDAY = dt.datetime(2026, 6, 15, 9, 0, tzinfo=dt.UTC)
LARGEST_BODY = 30_000

DIRECTORY: dict[str, Any] = {
    "school": {"id": "oak", "name": "Oak School"},
    "students": [
        {"id": "S1", "given_name": "Ada", "family_name": "Quill", "birth_date": "2017-03-01", "groups": ["year-3"]},
        {"id": "S2", "given_name": "Ben", "family_name": "Quill", "birth_date": "2018-04-01", "groups": ["year-2"]},
    ],
    "contacts": [{"id": "C1", "given_name": "Cleo", "family_name": "Quill", "language": "en"}],
    "contact_points": [
        {"id": "P1", "contact": "C1", "channel": "email", "address": "cleo@example.org"},
        {"id": "P2", "contact": "C1", "channel": "sms", "address": "+447700900001"},
    ],
    "relationships": [
        {"student": student, "contact": "C1", "parental_responsibility": "yes", "lives_with": True}
        for student in ("S1", "S2")
    ],
}

NOTICE: dict[str, Any] = {
    "category": "routine",
    "purpose": "information",
    "audience": {"students": ["S1"]},
    "content": {"language": "en", "subject": "Swimming", "body": "Please bring a towel."},
}


@dataclass
class Clock:
    """Time that stands still until a test moves it."""

    now: dt.datetime = MONDAY

    def __call__(self) -> dt.datetime:
        """Tell the time."""
        return self.now


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.text)

    def as_problem(self) -> Any:
        """Check that this is an error of the form the API promises, and give its body."""
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        problem = self.json
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["X-Request-Id"]
        assert problem["title"]
        assert problem["detail"].endswith(".")
        return problem


@dataclass(kw_only=True)
class Office:
    """Makes calls."""

    gateway: Gateway
    client: TestClient[Any, Any]
    clock: Clock
    keys: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> Answer:
        """Make one call with the key of this name; `data` goes out as it is, `body` as JSON."""
        own = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            own["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        content = msgspec.json.encode(body) if body is not None else data
        async with self.client.request(method, path, data=content, headers={**own, **(headers or {})}) as response:
            answer = Answer(status=response.status, headers=response.headers.copy(), text=await response.text())
        check_as_documented(method, response, answer)
        return answer

    async def post(self, path: str, body: Any, *, key: str | None = "admin", **headers: str) -> Answer:
        """Post JSON; `Idempotency_Key` is written with its hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", path, body, key=key, headers=named)

    async def deliver(self, notification: str) -> None:
        """Do by hand what the workers do: plan a notification and send what is due."""
        await self.gateway.planner.plan(notification)
        query = select(deliveries.c.batch).where(deliveries.c.notification == notification).distinct()
        async with self.gateway.database.reading() as connection:
            batches = [batch for batch in (await connection.execute(query)).scalars() if batch is not None]
        for batch in batches:
            await self.gateway.sender.send(batch)

    async def make_key(self, name: str, *scopes: Scope, school: str | None = None) -> None:
        """Make a key and remember its text under this name."""
        key = make_key()
        async with self.gateway.database.writing() as connection:
            await add_key(connection, key, name=name, scopes=scopes, school=school, at=self.clock())
        self.keys[name] = key.text


def check_as_documented(method: str, response: ClientResponse, answer: Answer) -> None:
    """Hold every answer of every test against the type that its route declares."""
    assert answer.headers["X-Request-Id"]
    if answer.status >= 400 and answer.status != 503:
        answer.as_problem()
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        for route in ROUTES:
            if route.method == method and is_at(route.path, response.url.path):
                assert answer.status in route.answers, (route.path, answer.status)
                msgspec.json.decode(answer.text, type=route.answers[answer.status])


def is_at(template: str, path: str) -> bool:
    """Tell whether a path is one of a route."""
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        part.startswith("{") or part == own for part, own in zip(wanted, given, strict=True)
    )


@asynccontextmanager
async def opened(
    database_url: str,
    folder: Path,
    *,
    directory: Any = DIRECTORY,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[Office]:
    """Serve a gateway as long as the block lasts, with a key for each scope and the directory put.

    `changes` are settings that differ from the usual.
    """
    settings = Settings(
        database_url=laid_out(database_url),
        outbox_dir=folder / "outbox",
        secret_key="k" * 32,
        max_body_bytes=LARGEST_BODY,
        **changes,
    )
    clock = Clock()
    if not settings.sqlite:
        database = Database(database_url)
        await migrate(database)
        await database.close()
    async with (
        assembled(settings, now=clock) as gateway,
        TestClient(TestServer(make_application(gateway.services), host="127.0.0.1", port=0)) as client,
    ):
        await gateway.open_providers()
        office = Office(gateway=gateway, client=client, clock=clock)
        for scope in Scope:
            await office.make_key(scope.value, scope)
        if directory is not None:
            put = await office.call("PUT", "/v1/directory", directory, key="directory")
            assert put.status == 200, put.text
            assert put.json["refused"] == []
        yield office
