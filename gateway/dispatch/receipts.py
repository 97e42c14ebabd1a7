"""Receipts: providers' later news, each applied once, through the state table, to the right delivery.

News is made durable together with what comes at the same moment, and applied many at once: what a statement costs this
process is the same for one as for a thousand. What a killed process leaves unapplied the clock finds, and in a flood it
applies most of it: who answers providers also takes the school's alerts in.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Receipt
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.group_commit import GroupCommit
from gateway.dispatch.judging import MISMATCH, Consequences, contested, judge, sort_out
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.questions import Questions
from gateway.dispatch.refusals import Refused
from gateway.dispatch.settling import learn_of_addresses, lift_blocks_of, start_next_routes
from gateway.dispatch.wakeups import WakeUps
from gateway.store.announcing import announce_deliveries
from gateway.store.database import Database
from gateway.store.postings import recording
from gateway.store.receipts import (
    Mark,
    Waiting,
    acknowledge,
    fits,
    keep_receipts,
    key_of,
    known_deliveries,
    mark_applied,
    mark_missed,
    parked,
    put_off,
    told_before,
)
from gateway.store.sending import add_events, load_deliveries, lock_messages, set_states
from gateway.store.silence import plan_questions
from gateway.tracking.states import SETTLED, State

_log = logging.getLogger(__name__)

UNREADABLE = "receipt_unreadable"
"""Why news is refused whose ids are no ids."""

UNCLAIMED = "unclaimed"
"""Why news is given up that was never about one of our deliveries."""

MOST = 1_000
"""Events applied in one transaction."""

_ROUNDS = 20
"""Transactions of the clock in one of its rounds; what is left then waits for the next."""

_AT_ONCE = 2
"""Transactions that keep news under way: while the disk takes one, the callbacks of the next are read and checked."""

_CROWD = 50
_GATHERING_SECONDS = 0.1
"""After so many events at once the next are gathered for a moment: more share a transaction."""

OWN_SHARE = 100
"""Events a second that the process which takes them applies itself; the rest of a flood is left to the clock."""

FIRST_LOOK = dt.timedelta(seconds=1)
"""After it the clock looks for a new event that was not applied, and then each time it has become twice as old."""

MOST_HELD = 5_000
"""Events that wait to be stored; more would fill the memory while the database hangs."""

_BUSY_SECONDS = 10
"""When a provider may try again whose news was one too many."""

LONGEST_PARKED = dt.timedelta(days=7)
"""News of a delivery that is not known by then was never about one of ours."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What one caller has brought."""

    news: Sequence[Receipt]
    waits: bool
    """Whether the caller applies it itself, to wait for the end of it."""


_LEFT = _Told((), waits=False)
"""Of a flood nothing is left for the callers to apply: it is the clock's."""


class ReceiptDesk:
    """Takes receipts in; those of deliveries not yet known are parked and applied later."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        *,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float],
        metrics: Metrics,
        questions: Questions | None = None,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._now = now
        self._chance = chance
        self._metrics = metrics
        self._questions = questions or Questions()
        # SQLite has one writer at a time: a second group would only wait for it, and others could not join any more.
        self._group = GroupCommit(self._commit, self._apply_kept, at_once=1 if database.sqlite else _AT_ONCE)
        self._held = 0
        self._second = 0
        self._in_second = 0
        self._looking = asyncio.Lock()

    async def keep(self, news: Sequence[Receipt]) -> None:
        """Store events; durable when it returns, and soon applied. Raises `Refused` (503) when too many wait for it."""
        fit = self._fit(news)
        if not fit:
            return
        if self._held >= MOST_HELD:
            raise Refused(503, "Too much news waits to be stored: send it again.", retry_after=_BUSY_SECONDS)
        self._held += len(fit)
        try:
            await self._group.take(_Told(fit, waits=False))
        finally:
            self._held -= len(fit)

    async def take(self, news: Sequence[Receipt]) -> int:
        """Store and apply events; gives how many were new. Durable and applied when it returns."""
        fit = self._fit(news)
        if not fit:
            return 0
        kept = await self._group.take(_Told(fit, waits=True))
        await self.apply(kept.news)
        return len(kept.news)

    async def apply(self, news: Sequence[Receipt]) -> None:
        """Apply events that are on record; those that cannot be are left to the clock."""
        for start in range(0, len(news), MOST):
            await self._apply(news[start : start + MOST])

    async def finish(self, *, patience: float) -> None:
        """Apply what was kept last, within seconds; beyond, the clock finds it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._group.finish()

    async def take_parked(self) -> None:
        """Apply events of a flood, that came before their delivery was on record, or whose process was killed."""
        async with self._looking:  # whoever comes second would only look at the same
            for _ in range(_ROUNDS):
                now = self._now()
                async with self._database.reading() as connection:
                    waiting = await parked(connection, now=now, limit=MOST)
                if waiting:
                    await self._apply_parked(waiting, now)
                if len(waiting) < MOST:
                    return

    async def _apply_parked(self, waiting: Sequence[Waiting], now: dt.datetime) -> None:
        """Apply events and put off, or give up, those that cannot be yet, in one transaction."""
        news = [each.receipt for each in waiting]
        since = {key_of(each.receipt): each.received_at for each in waiting}
        try:
            async with self._database.writing() as connection:
                applied = await self._apply_in(connection, news)
                old = [each for each in applied.waiting if now - since[key_of(each)] >= LONGEST_PARKED]
                await mark_applied(connection, [Mark(each, each.delivery, UNCLAIMED) for each in old], at=now)
                young = [each for each in applied.waiting if now - since[key_of(each)] < LONGEST_PARKED]
                await put_off(connection, [(each, _next_look(now, since[key_of(each)])) for each in young])
        except OSError:
            raise
        except Exception:  # noqa: BLE001  # whatever it is, the others are applied
            # Put off first: if they cannot be applied they do not keep the others from it the next time.
            async with self._database.writing() as connection:
                await put_off(connection, [(each, _next_look(now, since[key_of(each)])) for each in news])
            await self.apply(news)
        else:
            await self._follow_up(applied)

    def _fit(self, news: Sequence[Receipt]) -> list[Receipt]:
        """Leave out what cannot be stored: it must not keep its neighbours from it."""
        fit = []
        for receipt in news:
            if fits(receipt):
                fit.append(receipt)
            else:
                self._metrics.receipts_refused(receipt.provider, UNREADABLE)
                _log.warning(UNREADABLE, extra={"provider": receipt.provider})
        return fit

    async def _commit(self, told: Sequence[_Told]) -> Sequence[_Told | Exception]:
        """Keep the news of one moment in one transaction; gives each caller what of it was new."""
        now = self._now()
        news = [receipt for each in told for receipt in each.news]
        left = self._is_flood(len(news), now) and not any(each.waits for each in told)
        async with recording(self._database) as connection:
            fresh = await keep_receipts(connection, news, at=now, look_at=now if left else now + FIRST_LOOK)
        if left:
            return [_LEFT] * len(told)
        new = {key_of(receipt): receipt for receipt in fresh}
        return [
            _Told([kept for receipt in each.news if (kept := new.pop(key_of(receipt), None)) is not None], each.waits)
            for each in told
        ]

    def _is_flood(self, number: int, now: dt.datetime) -> bool:
        """Tell whether so many events more are beyond this process's share of the second."""
        second = int(now.timestamp())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += number
        return self._in_second > OWN_SHARE

    async def _apply_kept(self, kept: Sequence[_Told]) -> None:
        """Apply what was kept for callers that have gone."""
        news = [receipt for each in kept if not each.waits for receipt in each.news]
        await self.apply(news)
        if len(news) >= _CROWD:
            await asyncio.sleep(_GATHERING_SECONDS)

    async def _apply(self, news: Sequence[Receipt]) -> None:
        """Apply events in one transaction, or in two halves if that fails: one bad event keeps no other back."""
        try:
            async with self._database.writing() as connection:
                applied = await self._apply_in(connection, news)
        except OSError:  # the database is away: the clock finds them later
            raise
        except Exception:  # noqa: BLE001  # whatever it is, the others are applied
            if len(news) == 1:
                _log.exception("receipt_not_applied", extra={"provider": news[0].provider})
                return
            middle = len(news) // 2
            await self._apply(news[:middle])
            await self._apply(news[middle:])
        else:
            await self._follow_up(applied)

    async def _apply_in(self, connection: AsyncConnection, news: Sequence[Receipt]) -> "_Applied":
        """Apply what can be told whom it is about, in the caller's transaction."""
        now = self._now()
        known = await known_deliveries(connection, news)
        found = sort_out(news, known, now=now)
        told = await told_before(connection, contested(found.meant, known))
        marks = [Mark(each.receipt, each.delivery) for each in found.meant]
        refused = [Mark(receipt, receipt.delivery, MISMATCH) for receipt in found.refused]
        ours = await mark_applied(connection, [*marks, *refused], at=now)
        meant = [each for each in found.meant if key_of(each.receipt) in ours]
        consequences = judge(meant, known.rows, found.tries, told, now=now, chance=self._chance)
        wake = await _write(connection, consequences, now)
        await plan_questions(connection, self._first_questions(consequences, now))
        mismatched = Counter(receipt.provider for receipt in found.refused if key_of(receipt) in ours)
        return _Applied(consequences, wake, mismatched, found.waiting)

    def _first_questions(self, consequences: Consequences, now: dt.datetime) -> list[tuple[str, dt.datetime]]:
        """Ask also about what a provider itself has told us that it took, quicker than our own record."""
        sent = [row for row, state in consequences.moved if state is State.SENT]
        first = [(row.id, self._questions.first(row.lane, row.provider, now=now)) for row in sent]
        return [(name, ask_at) for name, ask_at in first if ask_at is not None]

    async def _follow_up(self, applied: "_Applied") -> None:
        for provider, number in applied.mismatched.items():
            self._metrics.receipts_refused(provider, MISMATCH, number)
            _log.warning(MISMATCH, extra={"provider": provider, "receipts": number})
        moved = applied.consequences.moved
        for (channel, lane, state), number in Counter((row.channel, row.lane, state) for row, state in moved).items():
            self._metrics.settled(channel, lane, state.value, number)
        # What moves from one end to another opens nothing, unless it starts a route.
        failed = set(applied.consequences.failed)
        concerned = {
            row.notification
            for row, state in moved
            if row.id in failed or row.state not in SETTLED or state not in SETTLED
        }
        await settle_statuses(self._database, concerned, now=self._now())
        await self._wakeups.wake_batches(applied.wake)


@dataclass(frozen=True, slots=True)
class _Applied:
    """What one transaction has changed."""

    consequences: Consequences
    wake: Sequence[tuple[str, str]]
    mismatched: Counter[str]
    """Events refused, by provider."""
    waiting: Sequence[Receipt]
    """Events whom nobody can be told to yet."""


async def _write(
    connection: AsyncConnection, consequences: Consequences, now: dt.datetime
) -> Sequence[tuple[str, str]]:
    """Write what follows from news; gives the (lane, batch) to wake."""
    await set_states(connection, consequences.states)
    await mark_missed(connection, consequences.missed, at=now)
    await add_events(connection, consequences.events)
    await announce_deliveries(connection, consequences.moved, at=now)
    if consequences.learnt:
        await learn_of_addresses(connection, consequences.learnt, now=now)
    if consequences.wanted_again:
        await lift_blocks_of(connection, consequences.wanted_again, now=now)
    failed = await load_deliveries(connection, consequences.failed) if consequences.failed else {}
    if failed and consequences.confirmed:  # all in one order, as whoever else locks them
        await lock_messages(connection, [*consequences.confirmed, *(row.message for row in failed.values())])
    await acknowledge(connection, consequences.confirmed)
    return await start_next_routes(connection, [failed[name] for name in sorted(failed)], now=now) if failed else ()


def _next_look(now: dt.datetime, since: dt.datetime) -> dt.datetime:
    return now + max(FIRST_LOOK, now - since)
