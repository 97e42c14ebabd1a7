"""The lease of claimed deliveries: renewed while they are worked on; once it has run out, they are anybody's."""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import AsyncIterator, Callable

from gateway.store.claims import renew_leases
from gateway.store.database import Database

_log = logging.getLogger(__name__)

LEASE = dt.timedelta(seconds=45)
"""How long a claim lasts without renewal; a dead worker's batch is swept after it, and done within the minute."""

_RENEWAL_SECONDS = 15.0
_MARGIN = dt.timedelta(seconds=12)
"""Nothing is handed over when the claim, for want of renewal, is within this of being swept."""


def lease_end(now: dt.datetime) -> dt.datetime:
    """Say until when a claim of this moment lasts."""
    return now + LEASE


class Lease:
    """How fresh the lease of claimed deliveries is."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        self._now = now
        self._renewed_at = now()

    def renewed(self) -> None:
        """Note that the lease begins anew."""
        self._renewed_at = self._now()

    def holds(self) -> bool:
        """Whether nobody may sweep it for a while yet."""
        return self._now() - self._renewed_at < LEASE - _MARGIN


@contextlib.asynccontextmanager
async def renewed(
    database: Database, ids: list[str], *, owner: str, now: Callable[[], dt.datetime]
) -> AsyncIterator[Lease]:
    """Keep the owner's claim on these deliveries alive as long as the context lasts."""
    lease = Lease(now)

    async def renew() -> None:
        while True:
            await asyncio.sleep(_RENEWAL_SECONDS)
            try:
                async with database.writing() as connection:
                    still_ours = await renew_leases(connection, ids, owner=owner, until=lease_end(now()))
                if still_ours:
                    lease.renewed()
            except Exception:  # noqa: BLE001  # one missed renewal is no reason to lose the claim
                _log.exception("lease_not_renewed")

    renewal = asyncio.ensure_future(renew())
    try:
        yield lease
    finally:
        renewal.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewal
