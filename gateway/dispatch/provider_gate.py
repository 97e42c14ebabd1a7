"""How much may be handed to a provider now: its rate limit and its circuit breaker, shared by all workers.

The sender asks before each slice and reports after it. What is not admitted goes back without an attempt being used up.
A lane draws from one bucket per provider, but the lower ones leave a reserve in it: whatever bulk and standard do, an
emergency finds what a quarter of the bucket, refilled at the full rate, would give it.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from channels.base import Limits
from gateway.dispatch.coordination.base import Coordination
from gateway.dispatch.coordination.bucket import Bucket
from gateway.dispatch.requests import Lane
from gateway.tracking.blame import Tally
from gateway.tracking.breaker import TALLY_LASTS, Breaker, Cause, Standing

_log = logging.getLogger(__name__)

RESERVE: Mapping[Lane, float] = {Lane.EMERGENCY: 0.0, Lane.STANDARD: 0.25, Lane.BULK: 0.5, Lane.LETTERS: 0.25}
"""The share of a provider's bucket that each lane leaves for those above it."""

CACHED = dt.timedelta(seconds=1)
"""How old a process's knowledge of a breaker may be: what another one found out takes effect within it."""

ASK_AGAIN = dt.timedelta(seconds=2)
"""While a probe is under way, everybody else comes back after this."""

_PROBE_MARGIN = dt.timedelta(seconds=5)
"""A probe that got no answer for this much longer than its provider's time limit is given up."""

_TRIES = 10
"""How often a change is tried when other workers are quicker; all of them tell the same story."""


class Outlook(StrEnum):
    """How a provider promises to take the next hand-over, for the choice among several."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    """Something failed within the last minute, not enough to open the breaker."""
    TRIAL = "trial"
    """It failed a while ago: one hand-over may find out whether it is well again."""
    AWAY = "away"
    """Its breaker is open, or somebody's trial is under way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """How many hand-overs may leave now."""

    granted: int
    retry_at: dt.datetime | None
    """When the rest may be asked for again; None when all was granted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderHealth:
    """One provider as all workers together know it, for readiness, metrics and the doctor."""

    provider: str
    standing: Standing
    since: dt.datetime
    cause: Cause | None
    retry_at: dt.datetime | None
    """When it is probed next; None when the breaker is closed."""
    rate: float | None
    """Hand-overs a second; None means unlimited."""
    budget_left: int | None
    """Hand-overs that may leave at once; None means unlimited."""


class ProviderGate:
    """Admits hand-overs by provider, named by its key (`dispatch.providers`).

    `watched` names the installation's providers and what they bear.
    """

    def __init__(
        self,
        coordination: Coordination,
        watched: Mapping[str, Limits],
        *,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float],
    ) -> None:
        self._coordination = coordination
        self._watched = watched
        self._now = now
        self._chance = chance
        self._known: dict[str, _Known] = {}
        self._started = now()

    async def admit(self, provider: str, limits: Limits, *, lane: Lane, wanted: int) -> Admission:
        """Tell how many of `wanted` hand-overs may leave now.

        With a closed breaker and no rate limit nothing is asked of anybody, but for one read a second. While the
        breaker is open, one hand-over goes as a probe when its time has come; an emergency probes every 5 seconds
        (every 30 when the provider told us to slow down).
        """
        probe_at = (await self._breaker(provider)).probe_at(urgent=lane is Lane.EMERGENCY)
        if probe_at is not None and self._now() < probe_at:
            return Admission(granted=0, retry_at=self._come_back(provider, probe_at))
        drawn = await self._draw(provider, limits.rate, lane=lane, wanted=wanted if probe_at is None else 1)
        if probe_at is None or not drawn.granted:
            return drawn
        return await self._probe(provider, limits, urgent=lane is Lane.EMERGENCY, wanted=wanted)

    async def is_closed(self, provider: str) -> bool:
        """Tell whether a provider's breaker lets everything pass, as it was at most a second ago."""
        return (await self._breaker(provider)).standing is Standing.CLOSED

    async def outlook(self, provider: str, *, urgent: bool) -> Outlook:
        """Judge a provider by its breaker, as it was at most a second ago."""
        breaker, now = await self._breaker(provider), self._now()
        probe_at = breaker.probe_at(urgent=urgent)
        if probe_at is not None:
            return Outlook.TRIAL if now >= probe_at else Outlook.AWAY
        if breaker.untroubled or breaker.tally_since is None:
            return Outlook.WELL
        return Outlook.TRIAL if now - breaker.tally_since >= TALLY_LASTS else Outlook.DOUBTFUL

    async def report(
        self, provider: str, *, accepted: int, failed: int, throttled: int, retry_after: dt.timedelta | None
    ) -> None:
        """Tell what became of hand-overs (`tracking.blame.tally` counts); good news costs nothing in good times."""
        news = Tally(accepted=accepted, failed=failed, throttled=throttled, retry_after=retry_after)
        if not (accepted or failed or throttled):
            return
        if not failed and not throttled and (await self._breaker(provider)).untroubled:
            return
        chance = self._chance()
        await self._revise(provider, lambda breaker: breaker.told(news, now=self._now(), chance=chance))

    async def states(self) -> list[ProviderHealth]:
        """Describe the watched providers as they are now, in the order of their names."""
        return await asyncio.gather(*(self._health(provider) for provider in sorted(self._watched)))

    async def _draw(self, provider: str, rate: float | None, *, lane: Lane, wanted: int) -> Admission:
        if rate is None:
            return Admission(granted=wanted, retry_at=None)
        taken = await self._coordination.take(provider, Bucket(rate), wanted=wanted, reserve=RESERVE[lane])
        if taken.granted == wanted:
            return Admission(granted=wanted, retry_at=None)
        return Admission(granted=taken.granted, retry_at=self._now() + dt.timedelta(seconds=taken.wait))

    async def _probe(self, provider: str, limits: Limits, *, urgent: bool, wanted: int) -> Admission:
        """Let one hand-over go, if no other worker has sent a probe meanwhile."""
        patience = dt.timedelta(seconds=limits.timeout) + _PROBE_MARGIN
        probing = False

        def probe(breaker: Breaker) -> Breaker:
            nonlocal probing
            now = self._now()
            probe_at = breaker.probe_at(urgent=urgent)
            probing = probe_at is not None and now >= probe_at
            return breaker.probed(now=now, patience=patience) if probing else breaker

        revised = await self._revise(provider, probe)
        if revised is None:
            return Admission(granted=0, retry_at=self._now() + ASK_AGAIN)
        probe_at = revised.probe_at(urgent=urgent)
        if probing or probe_at is None:
            rest = None if wanted == 1 else self._now() + (ASK_AGAIN if probing else dt.timedelta())
            return Admission(granted=1, retry_at=rest)
        return Admission(granted=0, retry_at=self._come_back(provider, probe_at))

    def _come_back(self, provider: str, probe_at: dt.datetime) -> dt.datetime:
        """Tell when to ask again: an answer to a probe comes sooner than the probe is given up."""
        if self._known[provider].breaker.standing is Standing.HALF_OPEN:
            return min(probe_at, self._now() + ASK_AGAIN)
        return probe_at

    async def _breaker(self, provider: str) -> Breaker:
        """Give the breaker as it was at most a second ago."""
        known = self._known.get(provider)
        if known is None or abs(self._now() - known.read_at) >= CACHED:
            known = await self._read(provider)
        return known.breaker

    async def _read(self, provider: str) -> "_Known":
        """Ask for the breaker as it is. One that was lost with Redis's memory is put back while its pause lasts."""
        stored = await self._coordination.read(provider)
        remembered = self._known.get(provider)
        if stored is None and remembered is not None and remembered.stored is not None:
            until = remembered.breaker.until
            if until is not None and self._now() < until:
                await self._coordination.replace(provider, None, remembered.stored)
                stored = await self._coordination.read(provider)
        return self._keep(provider, stored)

    async def _revise(self, provider: str, change: Callable[[Breaker], Breaker]) -> Breaker | None:
        """Change the shared breaker and give it as it then is; None when others were quicker every time."""
        for _ in range(_TRIES):
            known = await self._read(provider)
            changed = change(known.breaker)
            if changed == known.breaker:
                return changed
            new = msgspec.json.encode(changed)
            if await self._coordination.replace(provider, known.stored, new):
                self._keep(provider, new)
                _tell(provider, known.breaker, changed)
                return changed
        _log.warning("breaker_contended", extra={"provider": provider})
        return None

    def _keep(self, provider: str, stored: bytes | None) -> "_Known":
        known = _Known(breaker=self._decoded(stored), stored=stored, read_at=self._now())
        self._known[provider] = known
        return known

    def _decoded(self, stored: bytes | None) -> Breaker:
        """Read a stored breaker; nothing, or what another release wrote, is a closed one."""
        if stored is not None:
            try:
                return msgspec.json.decode(stored, type=Breaker)
            except msgspec.DecodeError:
                _log.warning("breaker_unreadable")
        return Breaker(since=self._started)

    async def _health(self, provider: str) -> ProviderHealth:
        breaker = (await self._read(provider)).breaker
        rate = self._watched[provider].rate
        left = None
        if rate is not None:
            left = int((await self._coordination.take(provider, Bucket(rate), wanted=0, reserve=0.0)).left)
        return ProviderHealth(
            provider=provider,
            standing=breaker.standing,
            since=breaker.since,
            cause=breaker.cause,
            retry_at=breaker.until,
            rate=rate,
            budget_left=left,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What this process last knew of a breaker."""

    breaker: Breaker
    stored: bytes | None
    read_at: dt.datetime


def _tell(provider: str, before: Breaker, after: Breaker) -> None:
    if before.standing is not after.standing:
        extra = {"provider": provider, "standing": after.standing, "cause": after.cause, "until": after.until}
        _log.warning("breaker_moved", extra=extra)
