"""What the stand-ins of providers' web APIs share: serving on loopback, and doing wrong what they are told to."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

Misbehaviour = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request in the provider's place; None lets it through."""


@dataclass(kw_only=True)
class StandIn:
    """A provider's API as its callers see it: what it was sent, what it will do wrong next."""

    base_url: str = ""
    posts: list[dict[str, Any]] = field(default_factory=list)
    """Every POST that was read, also those that were refused or never answered."""
    misbehaviours: deque[Misbehaviour] = field(default_factory=deque)
    """One for each of the next requests."""
    on_the_wire: int = 0
    most_on_the_wire: int = 0
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def routes(self) -> list[web.RouteDef]:
        """Say which requests it answers, and how."""
        raise NotImplementedError

    def store(self, post: dict[str, Any]) -> Any:
        """Keep a message as the provider would."""
        raise NotImplementedError

    def keep(self, request: web.Request) -> None:
        """Keep what a request that is not answered has brought."""
        del request
        self.store(self.posts[-1])

    def next_requests(self, *misbehaviours: Misbehaviour) -> None:
        """Say what the next requests meet with."""
        self.misbehaviours.extend(misbehaviours)

    async def misbehaved(self, request: web.Request) -> web.StreamResponse | None:
        """Do wrong what is next, if anything is."""
        return await self.misbehaviours.popleft()(request) if self.misbehaviours else None

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as long as it is under way."""
        self.on_the_wire += 1
        self.most_on_the_wire = max(self.most_on_the_wire, self.on_the_wire)
        try:
            yield
        finally:
            self.on_the_wire -= 1


Server = TypeVar("Server", bound=StandIn)


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    """Serve a stand-in on a free port of loopback."""
    app = web.Application(client_max_size=5_000_000)
    app.add_routes(server.routes())
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def answers(status: int, body: str | bytes, content_type: str = "application/json", **headers: str) -> Misbehaviour:
    """Answer the next request with any status and body."""
    content = body.encode() if isinstance(body, str) else body
    named = {"Content-Type": content_type, **hyphenated(headers)}
    return responds(lambda: web.Response(status=status, body=content, headers=named))


def responds(response: Callable[[], web.Response]) -> Misbehaviour:
    """Answer the next request with a response that is made for it."""

    async def answer(_request: web.Request) -> web.Response:
        return response()

    return answer


def passes() -> Misbehaviour:
    """Let the next request through, for a misbehaviour after it."""

    async def answer(_request: web.Request) -> None:
        return None

    return answer


def cuts(server: StandIn, *, stored: bool) -> Misbehaviour:
    """Take the next request, keep what it brings or not, and cut the connection without an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if stored:
            server.keep(request)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def hangs() -> Misbehaviour:
    """Take the next request and never answer."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return answer


def hyphenated(headers: Mapping[str, str]) -> dict[str, str]:
    """Name headers as HTTP does."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
