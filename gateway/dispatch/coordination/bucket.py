"""The token bucket behind a rate limit: pure arithmetic. `on_redis` says the same in Lua."""

import math
from dataclasses import dataclass
from typing import NamedTuple

BURST_SECONDS = 1.0
SMALLEST = 4.0
"""Tokens: the smallest bucket whose reserves for the upper lanes are whole hand-overs."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A budget of `rate` hand-overs a second, of which as many as it holds may leave at once."""

    rate: float

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise ValueError("A rate must be above zero.")

    @property
    def size(self) -> float:
        """Tokens it holds when full: in any w seconds no more than `rate * w + size` are granted."""
        return max(SMALLEST, self.rate * BURST_SECONDS)

    def part(self, share: float) -> "Bucket":
        """Give the bucket of one of several processes that cannot ask each other."""
        return Bucket(self.rate * share)

    def seconds_until(self, level: "Level", *, wanted: int, reserve: float, now: float) -> float:
        """Tell how long to wait for the rest, or for half of what the lane may take at once: so none runs over."""
        room = self.size * (1 - reserve)
        worthwhile = min(wanted, max(1, math.floor(room / 2)))
        missing = self.size * reserve + worthwhile - level.tokens
        # A millisecond more than computed: rounding must not bring anybody back too soon.
        return max(0.0, missing / self.rate + level.at - now) + 0.001


class Level(NamedTuple):
    """How full a bucket was at an instant, in tokens and seconds since the epoch."""

    tokens: float
    at: float


def draw(bucket: Bucket, level: Level | None, *, wanted: int, reserve: float, now: float) -> tuple[int, Level]:
    """Take up to `wanted` tokens and leave the share `reserve` of the size in the bucket; a new bucket is full.

    A clock that runs behind adds nothing, so that processes with different clocks never grant too much.
    """
    tokens, at = level or Level(bucket.size, now)
    if now > at:
        tokens, at = tokens + (now - at) * bucket.rate, now
    tokens = min(bucket.size, tokens)
    granted = min(wanted, max(0, math.floor(tokens - bucket.size * reserve)))
    return granted, Level(tokens - granted, at)
