"""Providers that fall silent are asked: a callback that never came must not leave a family taken for reached."""

import asyncio
import contextlib
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from channels.base import Askable, Channel
from gateway.dispatch.questions import next_question
from gateway.dispatch.receipts import ReceiptDesk
from gateway.store.database import Database
from gateway.store.sending import add_events
from gateway.store.silence import any_silent, plan_questions, still_silent, take_silent

_log = logging.getLogger(__name__)

MOST = 500
"""Hand-overs asked about in one go: at a request each a provider is busy with them for seconds."""

LEASE = dt.timedelta(minutes=5)
"""How long nobody else asks about the same; after it what could not be asked about is asked again."""

_PATIENCE_SECONDS = 120.0
"""For one provider's answers; what it has not told by then it is asked again after the lease."""

GIVEN_UP = dt.timedelta(days=1)
"""A provider that cannot be asked when the last question is due is asked again for so long."""

_NOTHING_FINAL = "The provider was asked for the last time and has reported nothing final: it may not have arrived."


class Silence:
    """Asks about what has been silent for long enough, beside the clock's rounds: they wait for no provider."""

    def __init__(
        self,
        database: Database,
        receipts: ReceiptDesk,
        providers: Mapping[str, Channel],
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._receipts = receipts
        self._providers = providers
        self._now = now
        self._asking: asyncio.Task[None] | None = None

    async def round(self) -> None:
        """Begin to ask, unless nothing is due or the last questions are still unanswered."""
        if self._asking is not None and not self._asking.done():
            return
        async with self._database.reading() as connection:
            if not await any_silent(connection, now=self._now()):
                return
        self._asking = asyncio.get_running_loop().create_task(self._ask_all())

    async def answered(self) -> None:
        """Wait until what is being asked is answered and on record."""
        if self._asking is not None:
            await self._asking

    async def stop(self) -> None:
        """Ask no more; the questions come back when their lease is over."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def _ask_all(self) -> None:
        now = self._now()
        try:
            async with self._database.writing() as connection:
                rows = await take_silent(connection, now=now, until=now + LEASE, limit=MOST)
        except Exception:  # noqa: BLE001  # nobody waits for this task to hear of it, and the next round asks again
            _log.exception("silence_not_read")
            return
        by_provider: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            by_provider[row.provider or ""].append(row)
        await asyncio.gather(*(self._ask(name, of_provider) for name, of_provider in by_provider.items()))

    async def _ask(self, name: str, rows: Sequence[Any]) -> None:
        """Ask one provider, and plan the next questions; its failures are nobody else's."""
        try:
            asked = await self._asked(name, rows)
            await self._plan(rows, asked=asked)
        except Exception as error:  # noqa: BLE001  # whatever it is, the questions come back after the lease
            _log.warning(
                "provider_not_asked", extra={"provider": name, "number": len(rows), "error": type(error).__name__}
            )

    async def _asked(self, name: str, rows: Sequence[Any]) -> bool:
        """Ask and apply the answers; False when the provider could not be asked."""
        provider = self._providers.get(name)
        if not isinstance(provider, Askable) or not isinstance(provider, Channel):
            return True  # it is not in use any more: there is nobody to ask
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await provider.open()
                news = await provider.news_of([row.provider_id for row in rows if row.provider_id])
        except Exception as error:  # noqa: BLE001  # an adapter's fault must not end the questions
            _log.warning(
                "provider_not_asked", extra={"provider": name, "number": len(rows), "error": type(error).__name__}
            )
            return False
        await self._receipts.take(news)
        return True

    async def _plan(self, rows: Sequence[Any], *, asked: bool) -> None:
        """Plan the next question about each, and say so where there is none left (its state stays `sent`)."""
        now = self._now()
        planned = {row.id: next_question(row.lane, row.changed_at, now=now) for row in rows}
        last = {name for name, ask_at in planned.items() if ask_at is None}
        if not asked:
            last = {row.id for row in rows if row.id in last and self._is_given_up(row, now)}
            planned = dict.fromkeys(last)
        async with self._database.writing() as connection:
            await plan_questions(connection, planned.items())
            silent = await still_silent(connection, last) if last else ()
            told = {"at": now, "state": "sent", "news": "silent", "detail": _NOTHING_FINAL}
            await add_events(connection, [{"delivery": name} | told for name in sorted(silent)])

    def _is_given_up(self, row: Any, now: dt.datetime) -> bool:
        return next_question(row.lane, row.changed_at, now=now - GIVEN_UP) is None
