"""HTTP to a provider's API: one session for all calls, and what may come instead of an answer."""

import re
from collections.abc import Mapping
from typing import Any

import aiohttp

from channels.api_errors import Code

CONNECT_SECONDS = 5.0
"""Shorter than a call may take, so that a connection that never came about is known as such."""

NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""No connection came about. To be looked at first: these are connection errors, too."""

LEFT_WITHOUT_ANSWER = (aiohttp.ClientError, OSError, ValueError, RecursionError)
"""Broken connections and timeouts, and answers that are not what the provider documents."""


class RefusalError(Exception):
    """A provider answered, but not with 2xx; holds codes only, since its words may repeat whom it was about."""

    def __init__(self, status: int, code: Code, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


def api_session(connections: int, connect_seconds: float, **options: Any) -> aiohttp.ClientSession:
    """Make a session inside the running loop; the options are those of aiohttp."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        # The whole call is timed by the caller; only here is it known that nothing has left yet.
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        **options,
    )


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds; None for a date, and for what nobody can have meant."""
    header = headers.get("Retry-After", "")
    return float(header) if re.fullmatch(r"\d{1,6}", header, re.ASCII) else None


def is_url(text: str) -> bool:
    """Tell whether a setting begins as an address does."""
    return re.match(r"https?://[^/\s]", text) is not None
