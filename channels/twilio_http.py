"""The HTTP client under Twilio's own: one shared session, no log lines, no texts kept in memory, errors with headers.

Twilio's asynchronous client logs addresses at INFO, keeps the last request and drops Retry-After; this one does not.
"""

import json
from typing import Any
from urllib.parse import urlencode

import aiohttp
from twilio.http.response import Response  # type: ignore[import-untyped]  # twilio ships no type marker

from channels.api_http import RefusalError, api_session, seconds_to_wait


class TwilioHttp:
    """Stands in for Twilio's asynchronous HTTP client; make it inside the running loop."""

    is_async = True

    def __init__(self, connections: int, connect_seconds: float) -> None:
        self._session = api_session(connections, connect_seconds)

    async def request(self, method: str, url: str, **options: Any) -> Response:
        """Make one request, never a second; raises `RefusalError` for an answer that is not 2xx."""
        headers = dict(options.get("headers") or {})
        if auth := options.get("auth"):
            headers["Authorization"] = aiohttp.encode_basic_auth(*auth)
        async with self._session.request(
            method,
            url,
            params=options.get("params"),
            # Encoded here: aiohttp's own form takes twice as long.
            data=urlencode(form, doseq=True).encode() if (form := options.get("data")) else None,
            headers=headers,
            allow_redirects=False,
        ) as answer:
            text = (await answer.read()).decode("utf-8", "replace")
            if not answer.ok or answer.status >= 300:
                raise RefusalError(answer.status, _code_in(text), seconds_to_wait(answer.headers))
            return Response(answer.status, text, answer.headers)

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._session.close()


def _code_in(text: str) -> int | None:
    try:
        code = json.loads(text)["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return code if isinstance(code, int) else None
