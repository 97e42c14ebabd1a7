"""Sinch's API over plain HTTP: one shared session, no log lines, no second try, errors without the provider's words."""

from collections.abc import Mapping
from typing import Any

import msgspec

from channels.api_http import RefusalError, api_session, seconds_to_wait


class SinchHttp:
    """One service plan's API; make it inside the running loop."""

    def __init__(self, plan_url: str, token: str, *, connections: int, connect_seconds: float) -> None:
        self._plan_url = plan_url
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._session = api_session(connections, connect_seconds, headers=headers)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post a JSON object once; raises `RefusalError` for an answer that is not 2xx."""
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
                raise RefusalError(answer.status, _code_in(content), seconds_to_wait(answer.headers))
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
