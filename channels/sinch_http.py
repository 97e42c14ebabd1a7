"""Sinch's API over plain HTTP: one shared session, no log lines, no second try, errors without the provider's words."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

LEFT_WITHOUT_ANSWER = (aiohttp.ClientError, OSError, ValueError, RecursionError)
"""Broken connections and timeouts, and answers that are not what Sinch documents."""

NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""No connection came about. To be looked at first: these are connection errors, too."""


class SinchRefusalError(Exception):
    """Sinch answered, but not with 2xx; holds codes only, since Sinch's words repeat the number."""

    def __init__(self, status: int, code: str | None, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


class SinchHttp:
    """One service plan's API; make it inside the running loop."""

    def __init__(self, plan_url: str, token: str, *, connections: int, connect_seconds: float) -> None:
        self._plan_url = plan_url
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            connector=aiohttp.TCPConnector(limit=connections),
            # The whole call is timed by the caller; only here is it known that nothing has left yet.
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post a JSON object once; raises `SinchRefusalError` for an answer that is not 2xx."""
        return await self._request("POST", path, data=msgspec.json.encode(body))

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Ask for a JSON object; raises as `post` does."""
        return await self._request("GET", path, params=query)

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._session.close()

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self._session.request(
            method,
            self._plan_url + path,
            headers={"Content-Type": "application/json"} if method == "POST" else None,
            allow_redirects=False,
            **options,
        ) as answer:
            # As bytes: the charset that an answer claims may be nonsense, and JSON is in UTF-8.
            content = await answer.read()
            if not 200 <= answer.status < 300:
                retry_after = _seconds_in(answer.headers.get("Retry-After", ""))
                raise SinchRefusalError(answer.status, _code_in(content), retry_after)
        found = msgspec.json.decode(content)
        if not isinstance(found, dict):
            raise ValueError("Not an object.")  # noqa: TRY004  # for us it is an answer like any other nonsense
        return found


def _code_in(content: bytes) -> str | None:
    """Read Sinch's code for an error: a word, where Sinch itself answers."""
    try:
        code = msgspec.json.decode(content)["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return code if isinstance(code, str) and code.isascii() and code.isidentifier() and len(code) <= 64 else None


def _seconds_in(header: str) -> float | None:
    return float(header) if header.isascii() and header.isdecimal() and len(header) <= 6 else None
