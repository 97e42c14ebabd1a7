"""Who presents an API key: asked of the database now and then, not at every request."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable

from gateway.access import Principal
from gateway.store.database import Database
from gateway.store.keys import find_principal

TRUSTED_SECONDS = 5.0
"""How long a key is believed without asking again: a revoked one works no longer than this."""

_KEPT = 1_000
"""Keys kept in memory."""


class KeyRing:
    """Remembers the live keys seen last; `clock` counts seconds and never goes back."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}

    async def principal(self, text: str) -> Principal | None:
        """Tell who presents this key, or None when it is no live key of ours."""
        # The key itself is neither kept in memory nor compared: its digest is what is looked up.
        digest = hashlib.sha256(text.encode()).digest()
        known = self._known.get(digest)
        now = self._clock()
        if known is not None and now < known[1]:
            return known[0]
        asking = self._asking.get(digest)
        if asking is None:
            # One question for all who present the key at this moment; it goes on when the first of them goes away.
            asking = self._asking[digest] = asyncio.ensure_future(self._ask(digest, text, now))
            asking.add_done_callback(lambda _: self._asking.pop(digest))
        return await asyncio.shield(asking)

    async def _ask(self, digest: bytes, text: str, now: float) -> Principal | None:
        async with self._database.reading() as connection:
            principal = await find_principal(connection, text)
        self._known.pop(digest, None)
        if principal is not None and principal.school:  # one without a school gets it with the first directory
            self._known[digest] = (principal, now + TRUSTED_SECONDS)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return principal
