"""Speaking to a gateway of ours as a source system does."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from gateway.access import Scope
from tests.chaos.running import Folder

READY_WITHIN = 60.0
_KEY = re.compile(r"smg_\S+")
_PATIENCE = aiohttp.ClientTimeout(total=900)


class NotWorkingError(Exception):
    """The gateway did not do what a benchmark asked of it: the figures would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """Where a gateway listens and the key that opens it."""

    port: int
    key: str

    async def put_directory(self, document: bytes) -> None:
        """Upload a directory."""
        await self._call("PUT", "/v1/directory", document, expected=200)

    async def post(self, request: Mapping[str, Any]) -> str:
        """Post a notification; gives its id."""
        answer = await self._call("POST", "/v1/notifications", msgspec.json.encode(request), expected=202)
        return str(msgspec.json.decode(answer)["id"])

    async def cancel(self, notification: str) -> None:
        """Take back what of a notification has not left."""
        await self._call("POST", f"/v1/notifications/{notification}/cancel", b"", expected=200)

    async def until_ready(self, check_alive: Callable[[], None]) -> None:
        """Wait until the gateway says that it can work; `check_alive` raises when it never will."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            check_alive()
            try:
                await self._call("GET", "/health/ready", b"", expected=200)
            except (OSError, aiohttp.ClientError, NotWorkingError):
                await asyncio.sleep(0.05)
            else:
                return
        raise NotWorkingError("The gateway never became ready.")

    async def _call(self, method: str, path: str, body: bytes, *, expected: int) -> bytes:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE) as session,
            session.request(method, f"http://127.0.0.1:{self.port}{path}", data=body, headers=headers) as response,
        ):
            answer = await response.read()
            if response.status != expected:
                raise NotWorkingError(f"{method} {path} answered {response.status}: {answer[:500].decode()}")
            return answer


def make_key(folder: Folder) -> str:
    """Make an API key that may do everything."""
    folder.run("keys", "create", "bench", *(word for scope in Scope for word in ("--scope", scope.value)))
    return str(_KEY.findall(folder.last_words())[-1])
