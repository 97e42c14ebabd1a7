"""Coordination inside one process: the embedded installation, and each process for itself while Redis is away."""

import datetime as dt
from collections.abc import Callable

from gateway.dispatch.coordination.base import Taken
from gateway.dispatch.coordination.bucket import Bucket, Level, draw


class InProcess:
    """Keeps budgets and values in memory. One loop uses it, and nothing is awaited: each call is atomic."""

    def __init__(self, *, now: Callable[[], dt.datetime]) -> None:
        self._now = now
        self._levels: dict[str, Level] = {}
        self._values: dict[str, bytes] = {}

    async def take(self, name: str, bucket: Bucket, *, wanted: int, reserve: float) -> Taken:
        """Take up to `wanted` tokens of the named bucket, leaving the share `reserve` of its size."""
        now = self._now().timestamp()
        granted, level = draw(bucket, self._levels.get(name), wanted=wanted, reserve=reserve, now=now)
        if granted:
            self._levels[name] = level
        return taken(bucket, granted, level, wanted=wanted, reserve=reserve, now=now)

    async def read(self, name: str) -> bytes | None:
        """Give the named value."""
        return self._values.get(name)

    async def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Store a value if the present one is still `old`."""
        if self._values.get(name) != old:
            return False
        self._values[name] = new
        return True

    def remember(self, name: str, value: bytes | None) -> None:
        """Note a value as another place has it."""
        if value is None:
            self._values.pop(name, None)
        else:
            self._values[name] = value

    async def close(self) -> None:
        """Do nothing: memory needs no farewell."""


def taken(bucket: Bucket, granted: int, level: Level, *, wanted: int, reserve: float, now: float) -> Taken:
    """Put a draw into words, with the wait for what is missing."""
    rest = wanted - granted
    wait = bucket.seconds_until(level, wanted=rest, reserve=reserve, now=now) if rest else 0.0
    return Taken(granted, level.tokens, wait)
