"""What the provider gate needs of a place that all workers share."""

from typing import NamedTuple, Protocol

from gateway.dispatch.coordination.bucket import Bucket


class Taken(NamedTuple):
    """What was taken out of a bucket."""

    granted: int
    left: float
    """Tokens that remain."""
    wait: float
    """Seconds until asking for the rest is worth it; 0 when all was granted."""


class Coordination(Protocol):
    """Budgets and small values that workers share. No call raises because the place is away."""

    async def take(self, name: str, bucket: Bucket, *, wanted: int, reserve: float) -> Taken:
        """Take up to `wanted` tokens of the named bucket, leaving the share `reserve` (0 to 1) of its size."""

    async def read(self, name: str) -> bytes | None:
        """Give the named value; None when there is none, or it was lost or forgotten."""

    async def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Store a value if the present one is still `old`; False when somebody else was quicker."""

    async def close(self) -> None:
        """Give up connections."""
