"""Receipts: providers' later news, each applied once, through the state table, to the right delivery."""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Receipt, ReceiptStatus
from gateway.directory.model import PointState
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.settling import learn_of_addresses, start_next_routes
from gateway.dispatch.wakeups import WakeUps
from gateway.store.announcing import announce_deliveries
from gateway.store.database import Database
from gateway.store.receipts import deliveries_meant, keep_receipts, mark_applied, parked
from gateway.store.sending import add_events, set_states
from gateway.tracking.receipts import NEWS
from gateway.tracking.states import State, Step, settle

_log = logging.getLogger(__name__)


class ReceiptDesk:
    """Takes receipts in; those of deliveries not yet known are parked and applied later."""

    def __init__(self, database: Database, wakeups: WakeUps, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._wakeups = wakeups
        self._now = now

    async def take(self, news: Sequence[Receipt]) -> int:
        """Store and apply events; gives how many were new. Durable when it returns."""
        async with self._database.writing() as connection:
            fresh = await keep_receipts(connection, news, at=self._now())
            wake, concerned = await self._apply(connection, fresh)
        await self._follow_up(wake, concerned)
        return len(fresh)

    async def take_parked(self) -> None:
        """Apply events that came before their delivery was on record."""
        async with self._database.reading() as connection:
            waiting = await parked(connection)
        if not waiting:
            return
        async with self._database.writing() as connection:
            wake, concerned = await self._apply(connection, waiting)
        await self._follow_up(wake, concerned)

    async def _apply(
        self, connection: AsyncConnection, news: Sequence[Receipt]
    ) -> tuple[list[tuple[str, str]], set[str]]:
        """Apply what can be told whom it is about; gives (lane, batch) to wake, and the notifications concerned."""
        now = self._now()
        meant = await deliveries_meant(connection, news)
        known = [receipt for receipt in news if (receipt.provider, receipt.event_id) in meant]
        state_of = {row.id: State(row.state) for row in meant.values()}
        failed: list[Any] = []
        for receipt in sorted(known, key=lambda receipt: receipt.at):
            row = meant[receipt.provider, receipt.event_id]
            before = state_of[row.id]
            story = NEWS[receipt.status]
            change = settle(before, story) if story is not None else None
            if change is not None and change.state is not before:
                await set_states(connection, [_moved(row, receipt, before, change.state, now)])
                state_of[row.id] = change.state
                if change.step is Step.NEXT_ROUTE:
                    failed.append(row)
            await add_events(connection, [_event(row, receipt, state_of[row.id])])
        await mark_applied(connection, known, at=now)
        moved = [(row, state_of[row.id]) for row in meant.values() if state_of[row.id] != row.state]
        await announce_deliveries(connection, moved, at=now)
        learnt = [
            (meant[receipt.provider, receipt.event_id], mark, receipt.code or receipt.status.value)
            for receipt in known
            if (mark := _mark(receipt)) is not None
        ]
        if learnt:
            await learn_of_addresses(connection, learnt, now=now)
        wake = await start_next_routes(connection, failed, now=now) if failed else []
        return wake, {row.notification for row in meant.values()}

    async def _follow_up(self, wake: Sequence[tuple[str, str]], concerned: set[str]) -> None:
        await settle_statuses(self._database, concerned, now=self._now())
        await self._wakeups.wake_batches(wake)


def _mark(receipt: Receipt) -> PointState | None:
    """Say what an event teaches about the address (R33, R34)."""
    if receipt.status is ReceiptStatus.OPTED_OUT:
        return PointState.CARRIER_BLOCKED
    return PointState.DEAD if receipt.address_dead else None


def _moved(row: Any, receipt: Receipt, before: State, after: State, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "was": before.value,
        "state": after.value,
        "code": receipt.code or receipt.status.value,
        "detail": receipt.explanation,
        "due_at": None,
        "changed_at": now,
        "provider": receipt.provider,
        "provider_id": receipt.provider_id,
    }


def _event(row: Any, receipt: Receipt, state: State) -> dict[str, Any]:
    return {
        "delivery": row.id,
        "at": receipt.at,
        "state": state.value,
        "news": receipt.status.value,
        "detail": receipt.explanation,
    }
