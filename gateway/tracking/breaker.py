"""The circuit breaker of one provider as a pure state machine: closed, open, half open.

    closed ──half of what was handed over failed, or told to slow down──▶ open ──its time is over──▶ half open
      ▲                                                                    ▲                         │  (one probe)
      └────────────────── the probe was accepted ──────────────────────────┼─────────────────────────┤
                                                                           └── it failed ◀───────────┘

Every news has an answer in every state. All processes share one value per provider (`dispatch.provider_gate`).
"""

import datetime as dt
from enum import StrEnum

import msgspec

from gateway.tracking.blame import Tally


class Standing(StrEnum):
    """Whether the provider is handed anything."""

    CLOSED = "closed"
    """All is well: everything."""
    OPEN = "open"
    """Nothing, until its time is over."""
    HALF_OPEN = "half_open"
    """One probe is under way; the rest waits for its answer."""


class Cause(StrEnum):
    """Why a breaker is not closed."""

    FAILING = "failing"
    THROTTLED = "throttled"


FAILURES_TO_OPEN = 5
"""So many failures, and at least half of all hand-overs since the first of them, open the breaker."""

TALLY_LASTS = dt.timedelta(seconds=60)
"""Failures are forgotten after it, unless nothing at all was accepted since the first of them."""

FIRST_PAUSE = dt.timedelta(seconds=1)
LONGEST_PAUSE = dt.timedelta(minutes=5)
"""Pauses double from the first to the longest, with up to a fifth off so that providers are not probed in step."""

LONGEST_TOLD = dt.timedelta(minutes=15)
"""A provider that asks for a longer pause is probed after this one."""

STEADY = dt.timedelta(seconds=60)
"""A breaker closed for so long begins again with the first pause; before that, pauses go on doubling."""

URGENT_PROBE = {Cause.FAILING: dt.timedelta(seconds=5), Cause.THROTTLED: dt.timedelta(seconds=30)}
"""An emergency probes at least so often, whatever pause the rest keeps: one message is worth a refusal."""


class Breaker(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One provider's breaker; instants are aware, UTC."""

    since: dt.datetime
    standing: Standing = Standing.CLOSED
    cause: Cause | None = None
    until: dt.datetime | None = None
    """Not closed: when the next ordinary probe may leave."""
    tried_at: dt.datetime | None = None
    """Not closed: when it opened or the last probe left."""
    openings: int = 0
    """How often in a row it opened without having been told for how long."""
    tally_since: dt.datetime | None = None
    accepted: int = 0
    failed: int = 0
    """Hand-overs since the first failure of this tally."""

    @property
    def untroubled(self) -> bool:
        """Whether good news would change nothing."""
        return self.standing is Standing.CLOSED and self.tally_since is None

    def probe_at(self, *, urgent: bool) -> dt.datetime | None:
        """Tell when the next probe may leave, or None when closed: no probe is needed."""
        if self.cause is None or self.until is None or self.tried_at is None:
            return None
        return min(self.until, self.tried_at + URGENT_PROBE[self.cause]) if urgent else self.until

    def probed(self, *, now: dt.datetime, patience: dt.timedelta) -> "Breaker":
        """Note that a probe leaves; after `patience` without an answer another one may."""
        return msgspec.structs.replace(
            self,
            standing=Standing.HALF_OPEN,
            since=self.since if self.standing is Standing.HALF_OPEN else now,
            until=now + patience,
            tried_at=now,
        )

    def told(self, news: Tally, *, now: dt.datetime, chance: float) -> "Breaker":
        """Take in what became of hand-overs; `chance` from 0 to 1 shortens pauses. Equal when nothing changes."""
        match self.standing:
            case Standing.CLOSED:
                return self._told_closed(news, now, chance)
            case Standing.OPEN:
                return self._told_open(news, now)
            case Standing.HALF_OPEN:
                return self._told_half_open(news, now, chance)

    def _told_closed(self, news: Tally, now: dt.datetime, chance: float) -> "Breaker":
        if news.throttled:
            return self._opened(Cause.THROTTLED, news.retry_after, now, chance)
        counted = self._counted(news, now)
        if counted.failed >= FAILURES_TO_OPEN and counted.failed >= counted.accepted:
            return self._opened(Cause.FAILING, None, now, chance)
        return counted

    def _told_open(self, news: Tally, now: dt.datetime) -> "Breaker":
        """Late answers of what was under way change nothing, but a provider's word on the pause does."""
        if not news.throttled or news.retry_after is None or self.until is None:
            return self
        until = max(self.until, now + _bounded(news.retry_after))
        return msgspec.structs.replace(self, cause=Cause.THROTTLED, until=until)

    def _told_half_open(self, news: Tally, now: dt.datetime, chance: float) -> "Breaker":
        if news.throttled:
            return self._opened(Cause.THROTTLED, news.retry_after, now, chance)
        if news.failed:
            return self._opened(Cause.FAILING, None, now, chance)
        return Breaker(since=now, openings=self.openings) if news.accepted else self

    def _counted(self, news: Tally, now: dt.datetime) -> "Breaker":
        if self.tally_since is None or (self.accepted and now - self.tally_since >= TALLY_LASTS):
            if news.failed:
                return self._with_tally(now, news.accepted, news.failed)
            return self if self.tally_since is None else self._with_tally(None, 0, 0)
        return self._with_tally(self.tally_since, self.accepted + news.accepted, self.failed + news.failed)

    def _with_tally(self, since: dt.datetime | None, accepted: int, failed: int) -> "Breaker":
        return msgspec.structs.replace(self, tally_since=since, accepted=accepted, failed=failed)

    def _opened(self, cause: Cause, told: dt.timedelta | None, now: dt.datetime, chance: float) -> "Breaker":
        steady = self.standing is Standing.CLOSED and now - self.since >= STEADY
        openings = 0 if steady else self.openings
        return Breaker(
            since=now,
            standing=Standing.OPEN,
            cause=cause,
            until=now + (_pause(openings, chance) if told is None else _bounded(told)),
            tried_at=now,
            openings=openings + 1 if told is None else openings,
        )


def _pause(openings: int, chance: float) -> dt.timedelta:
    doubled: dt.timedelta = FIRST_PAUSE * 2 ** min(openings, 16)
    return min(doubled, LONGEST_PAUSE) * (1 - 0.2 * chance)


def _bounded(told: dt.timedelta) -> dt.timedelta:
    return min(max(told, FIRST_PAUSE), LONGEST_TOLD)
