"""Takes back letters that a provider has and has not acted on, when the rules decide otherwise by now (R44).

What stays is written anew where that is possible: an address that has changed since must not be posted to.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Channel, Envelope, Recallable, Receipt, ReceiptStatus
from gateway.dispatch.by_hand import let_go
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.grouping import by_notification
from gateway.dispatch.rechecking import recheck
from gateway.dispatch.rendering import Renderer, RenderingError
from gateway.dispatch.stopping import heard_out
from gateway.dispatch.taking_back import take_back
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.print_runs import doubtful_letters, lock_waiting, mark_beyond_recall
from gateway.store.receipts import keep_receipts
from gateway.store.sending import add_events, load_deliveries, load_notifications, merged_with
from gateway.tracking.states import News, State

_log = logging.getLogger(__name__)

WAKE_UP = "recall"
"""The kind of wake-up that a worker answers by deciding again about a notification's letters."""

CHUNK = 250
"""Letters a transaction."""

_TRIES = 3
_TOO_LATE = "It is withdrawn, but its provider has printed it already: it could not be called back."


@runtime_checkable
class LetterHouse(Channel, Recallable, Protocol):
    """A provider of letters that can give them back."""


class _MustAskError(Exception):
    """Letters are to be withdrawn that the provider has not given back yet; nothing was changed."""

    def __init__(self, provider_ids: Mapping[str, str]) -> None:
        super().__init__("letters are to be taken back first")
        self.provider_ids = provider_ids
        """By delivery."""


class Recall:
    """Decides again about letters that were handed over."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        renderer: Renderer,
        houses: Sequence[LetterHouse],
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        snapshots: DenySnapshots,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._renderer = renderer
        self._houses = houses
        self._now = now
        self._policy = policy
        self._snapshots = snapshots

    async def work(self, notification: str) -> None:
        """Decide again about the letters of a notification that has changed; told to stop, finish the chunk in hand."""
        await heard_out(lambda stopping: self._work(notification, stopping))

    async def _work(self, notification: str, stopping: asyncio.Event) -> None:
        for house in self._houses:
            seen: set[str] = set()
            while not stopping.is_set():
                async with self._database.reading() as connection:
                    letters = await doubtful_letters(connection, house.name, notification, limit=CHUNK)
                if seen.issuperset(letters):  # what is left could not be settled: the clock comes back to it
                    break
                seen.update(letters)
                await self.look_again(house, notification, letters)

    async def look_again(self, house: LetterHouse, notification: str, letters: Sequence[str]) -> list[str]:
        """Ask the rules about letters of one notification; gives those that may be printed as they lie there now.

        Raises `RestrictionsUnreadableError` where nobody can say who is barred (R46).
        """
        asked, given = list(letters), set[str]()
        for _ in range(_TRIES):
            try:
                return await self._look(house, notification, asked, given)
            except _MustAskError as wanted:
                back = await house.recall(list(wanted.provider_ids.values()))
                kept = [delivery for delivery, name in wanted.provider_ids.items() if name not in back]
                await self._let_be(kept)
                given |= wanted.provider_ids.keys() - set(kept)
                asked = [delivery for delivery in asked if delivery not in kept]
        return []

    async def _look(self, house: LetterHouse, notification: str, letters: Sequence[str], given: set[str]) -> list[str]:
        wake: list[tuple[str, str]] = []
        async with self._database.writing() as connection:
            rows = await lock_waiting(connection, letters)
            if not rows:
                return []
            record = (await load_notifications(connection, [notification]))[notification]
            if record.status == "cancelled":
                _check_given(rows, given)
                why = ("cancelled", "Withdrawn by the sender.")
                await let_go(connection, rows, News.CALLED_OFF, why, now=self._now())
                staying: list[str] = []
            else:
                staying, wake = await self._decided(connection, record, rows, given)
                if house.recall_window is None and staying:
                    staying = await self._written_anew(connection, house, staying)
        await settle_statuses(self._database, [notification], now=self._now())
        await self._wakeups.wake_batches(wake)
        if len(staying) < len(rows):
            _log.info("letters_taken_back", extra={"notification": notification, "letters": len(rows) - len(staying)})
        return staying

    async def _decided(
        self, connection: AsyncConnection, record: Any, rows: Sequence[Any], given: set[str]
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """Withdraw what the rules bar by now; gives what stays, and (lane, batch) to wake."""
        now = self._now()
        carried = await merged_with(connection, [row.id for row in rows])
        # As a worker asks before it hands anything over: these can still be called back, too.
        claimed = [SimpleNamespace(**row._asdict() | {"state": State.SENDING.value}) for row in (*rows, *carried)]
        checked = await recheck(connection, record, claimed, now=now, policy=self._policy, snapshots=self._snapshots)
        _check_given([row for row in rows if row.id in checked.withdrawn], given)
        wake = list(checked.wake)
        # Merged ones first: those that stay then part from a carrier that is withdrawn.
        for row in (*carried, *rows):
            if row.id in checked.withdrawn:
                wake += await take_back(connection, row, checked.withdrawn[row.id], now)
        return [row.id for row in rows if row.id not in checked.withdrawn], wake

    async def _written_anew(self, connection: AsyncConnection, house: LetterHouse, staying: Sequence[str]) -> list[str]:
        """Put letters as they would be written today in the place of those that wait, before anybody can print them."""
        rows = await load_deliveries(connection, staying)
        rendered = await self._renderer.render(connection, [rows[delivery] for delivery in staying])
        envelopes = [made for made in rendered.values() if isinstance(made, Envelope)]
        unwritten = {key: made for key, made in rendered.items() if isinstance(made, RenderingError)}
        kept = [handover.delivery async for handover in house.send(envelopes) if handover.accepted]
        if len(kept) < len(envelopes):
            raise OSError("letters could not be written anew")
        now = self._now()
        news = [_unprintable(rows[key], why, now) for key, why in unwritten.items()]
        if news:
            await keep_receipts(connection, news, at=now, look_at=now)
        return kept

    async def _let_be(self, letters: Sequence[str]) -> None:
        """Say of letters that they are on their way although they should not be."""
        if letters:
            now = self._now()
            async with self._database.writing() as connection:
                await mark_beyond_recall(connection, letters)
                await add_events(
                    connection,
                    [
                        {
                            "delivery": delivery,
                            "at": now,
                            "state": State.SENT.value,
                            "news": "beyond_recall",
                            "detail": _TOO_LATE,
                        }
                        for delivery in letters
                    ],
                )


def in_chunks(rows: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    """Name letters by notification, a chunk each."""
    for notification, letters in by_notification(rows).items():
        for start in range(0, len(letters), CHUNK):
            yield notification, [row.id for row in letters[start : start + CHUNK]]


def _check_given(rows: Iterable[Any], given: set[str]) -> None:
    missing = {row.id: str(row.provider_id) for row in rows if row.id not in given}
    if missing:
        raise _MustAskError(missing)


def _unprintable(row: Any, why: RenderingError, now: dt.datetime) -> Receipt:
    return Receipt(
        provider=row.provider,
        event_id=f"unprintable:{row.id}",
        status=ReceiptStatus.FAILED,
        at=now,
        delivery=row.id,
        provider_id=row.provider_id,
        code=why.code,
        explanation=why.explanation,
    )
