"""Claiming what is to be sent: of the school whose turn it is, and as many as a provider may be given now."""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import ChannelName
from gateway.dispatch.chunks import BATCH
from gateway.dispatch.help_wanted import NoProviderError, ProviderAwayError, Work, ask_for_help
from gateway.dispatch.lease import lease_end
from gateway.dispatch.providers import Choice, Provider, ProviderChoice
from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.store.claims import (
    Due,
    claim_batch,
    claim_expired,
    claim_unknown,
    due_of,
    next_due,
    put_off,
    take_turn,
    waiting_since,
)
from gateway.store.database import Database

_log = logging.getLogger(__name__)

PUT_OFF = dt.timedelta(seconds=60)
"""After so long is tried again what could not be checked before it was to leave."""

SOON = dt.timedelta(seconds=2)
"""What may go on within this is woken by whoever put it off: at the clock's rounds a provider's budget would run over
unused, of bulk work the half."""

IN_HAND_SECONDS = 0.5
"""After so long what was due and locked is looked for again: news of an earlier attempt is soon applied."""

ALERT_WAITS = dt.timedelta(minutes=2)
"""So long an alert may wait for a provider that takes nothing before somebody is told (R45)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a worker has taken on a wake-up."""

    batch: str
    """Whose deliveries `rows` are."""
    rows: Sequence[Any] = ()
    provider: Provider | None = None
    """Who gets them."""
    unknown: Sequence[Any] = ()
    more: bool = False
    """Whether more of the batch may be due."""


class Claiming:
    """Claims deliveries for a worker that was woken; lets wait what no provider takes, and somebody know of it."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        choice: ProviderChoice,
        *,
        owner: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._choice = choice
        self._owner = owner
        self._now = now

    async def take(self, batch: str) -> Taken:
        """Claim deliveries to send, of this batch or of the school whose turn it is, and unanswered ones of this."""
        now = self._now()
        async with self._database.writing() as connection:
            due = await due_of(connection, batch, now=now)
            if due is None:
                return Taken(batch)
            unknown: Sequence[Any] = ()
            if due.unknown:
                unknown = await claim_unknown(connection, batch, now=now, until=lease_end(now), limit=BATCH)
            school = await take_turn(connection, due.lane, now=now) if due.number else None
            if school is not None and school != due.school:
                other = await next_due(connection, school, due.lane, now=now)
                theirs = None if other is None else await self._admitted(connection, other, now)
                if theirs is not None and theirs.rows:
                    return replace(theirs, unknown=unknown)
            work = await self._admitted(connection, due, now) if due.number else Taken(batch)
            # What has been found out about may be due to be sent again.
            more = bool(unknown) or (bool(work.rows) and due.number > len(work.rows))
            return replace(work, unknown=unknown, more=more)

    async def _admitted(self, connection: AsyncConnection, due: Due, now: dt.datetime) -> Taken:
        """Claim as many as a provider may be given now; the rest waits."""
        choice = await self._choice.admit(
            connection,
            ChannelName(due.channel),
            lane=Lane(due.lane),
            wanted=min(due.number, BATCH),
            fresh=due.fresh,
        )
        if choice.provider is None:
            return Taken(due.batch, await self._waiting(connection, due, choice, now))
        rows = await claim_batch(
            connection,
            due.batch,
            provider=choice.provider.channel.name,
            owner=self._owner,
            now=now,
            until=lease_end(now),
            limit=choice.admission.granted,
            fresh=choice.trial,
        )
        if not rows and choice.admission.granted:
            # Someone has them in hand: this wake-up is used up, and the clock's next would come when an alert is late.
            self._wakeups.wake_later(due.lane, due.batch, seconds=IN_HAND_SECONDS)
        return Taken(due.batch, rows, provider=choice.provider)

    async def _waiting(self, connection: AsyncConnection, due: Due, choice: Choice, now: dt.datetime) -> Sequence[Any]:
        """Let a batch wait that nobody takes, and let somebody know; gives what has run out of time, claimed."""
        if choice.hopeless:
            await self._ask_for_provider(connection, due, choice, now)
        elif due.lane == Lane.EMERGENCY:
            for notification in await waiting_since(connection, due.batch, since=now - ALERT_WAITS):
                await ask_for_help(connection, notification, Work.SENDING, ProviderAwayError(), now=now)
        late = await claim_expired(connection, due.batch, owner=self._owner, now=now, until=lease_end(now), limit=BATCH)
        until = choice.admission.retry_at or now + PUT_OFF
        await put_off(connection, due.batch, now=now, until=until)
        if until - now < SOON:
            self._wakeups.wake_later(due.lane, due.batch, seconds=(until - now).total_seconds())
        return late

    async def _ask_for_provider(self, connection: AsyncConnection, due: Due, choice: Choice, now: dt.datetime) -> None:
        """Say at once which provider may not be used and why: only a person can change that (Q09)."""
        why = ", ".join(f"{key} ({standing})" for key, standing in sorted(choice.unusable.items()))
        _log.error("no_provider", extra={"channel": due.channel, "lane": due.lane, "unusable": why})
        for notification in await waiting_since(connection, due.batch, since=now):
            await ask_for_help(connection, notification, Work.SENDING, NoProviderError(why), now=now)
