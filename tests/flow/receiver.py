"""Another system on loopback that is told of events: a real server, which answers as the test says."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

Reply = tuple[int, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Post:
    """What was posted."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The event."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


@dataclass(kw_only=True)
class Receiver:
    """Takes posts, and remembers all of them."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    always: Reply = (204, {})
    _next: list[Reply] = field(default_factory=list)

    def once(self, status: int, **headers: str) -> None:
        """Answer the next post so; what follows, as always."""
        self._next.append((status, {name.replace("_", "-"): value for name, value in headers.items()}))

    @property
    def ids(self) -> list[str]:
        """The events in the order they came, repeated ones too."""
        return [post.id for post in self.posts]

    @property
    def types(self) -> list[str]:
        """Their types, in alphabetical order."""
        return sorted(post.json["type"] for post in self.posts)

    async def take(self, request: web.Request) -> web.Response:
        """Answer one post."""
        self.posts.append(Post(headers=request.headers.copy(), body=await request.read()))
        status, headers = self._next.pop(0) if self._next else self.always
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve on loopback as long as the block lasts."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hooks", receiver.take)
    async with TestServer(application, host="127.0.0.1", port=0) as server:
        receiver.url = str(server.make_url("/hooks"))
        yield receiver
