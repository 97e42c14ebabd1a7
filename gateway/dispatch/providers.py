"""Several providers on one channel: which of them gets the next hand-overs.

Work is shared by weight among those that are well. One that has just failed comes after them and gets a single trial
hand-over a minute later; one whose breaker is open gets its probes, of which alerts make none while another is well.
Whose approval is over, or whose budget is used up, gets nothing (Q09).
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import STAFF, Channel, Envelope, Recovery, Text
from gateway.directory.model import ChannelName
from gateway.dispatch.provider_gate import ASK_AGAIN, Admission, Outlook, ProviderGate
from gateway.dispatch.requests import Lane
from gateway.store.provider_use import in_flight, units_used


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """One provider of a channel as the operator set it up."""

    key: str
    """Channel and name, such as `sms/twilio`: the same company has other limits for voice."""
    channel: Channel
    weight: int = 1
    """Its share of the work against the others' weights; 0 stands by until none of the others takes any."""
    approved_until: dt.date | None = None
    """The last day on which it may be used."""
    budget: int | None = None
    """Units a calendar month: mails, parts of texts, calls, letters. What is under way counts as one each, so that long
    texts alone may exceed it a little."""


Providers = Mapping[ChannelName, Sequence[Provider]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What binds a provider at present, for metrics and the doctor."""

    provider: str
    """Its key."""
    budget: int | None
    used: int | None
    """Units of its budget that this month has used; None when that is not known or has no limit."""
    approved_days: int | None
    """Days after today on which it may be used; below 0 once its approval is over, None when that has no end."""


class Standing(StrEnum):
    """Why a provider may not be used at all."""

    UNAPPROVED = "unapproved"
    OVER_BUDGET = "over_budget"


def adapters(providers: Providers) -> list[Channel]:
    """List all adapters."""
    return [provider.channel for of_channel in providers.values() for provider in of_channel]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Who gets the next hand-overs, and how many."""

    provider: Provider | None
    """None when nobody may be given any now."""
    admission: Admission
    unusable: Mapping[str, Standing]
    """Providers that may not be used at all, by key."""
    trial: bool = False
    """Whether it may well fail, so that what failed before must not be given to it."""

    @property
    def hopeless(self) -> bool:
        """Whether only a person can change that nobody takes it."""
        return self.provider is None and self.admission.retry_at is None


def approved(providers: Sequence[Provider], now: dt.datetime) -> list[Provider]:
    """Leave out whose approval is over."""
    return [each for each in providers if each.approved_until is None or now.date() <= each.approved_until]


def month_of(now: dt.datetime) -> str:
    """Name the month whose budget is used, such as `2026-11` (UTC)."""
    return now.astimezone(dt.UTC).strftime("%Y-%m")


def units_of(envelope: Envelope) -> int:
    """Say what an envelope takes of a budget: a text its parts, anything else one."""
    return max(1, envelope.payload.segments) if isinstance(envelope.payload, Text) else 1


def in_turn(
    outlooks: Sequence[tuple[Provider, Outlook]], *, urgent: bool, chance: Callable[[], float]
) -> list[tuple[Provider, bool]]:
    """Order providers by who is asked first, each with whether it gets a single hand-over for trial only. Pure.

    Trials come first: while another provider is well they cost one message a pause, and an alert not even that.
    """
    well = [provider for provider, outlook in outlooks if outlook is Outlook.WELL]
    ready = [provider for provider, outlook in outlooks if outlook is Outlook.TRIAL]
    rest = {
        outlook: [provider for provider, other in outlooks if other is outlook]
        for outlook in (Outlook.DOUBTFUL, Outlook.AWAY)
    }
    if not well:
        order = [*ready, *_drawn(rest[Outlook.DOUBTFUL], chance), *_drawn(rest[Outlook.AWAY], chance)]
        return [(provider, False) for provider in order]
    trials = [] if urgent else [(provider, True) for provider in ready]
    later = [*(ready if urgent else ()), *_drawn(rest[Outlook.DOUBTFUL], chance), *_drawn(rest[Outlook.AWAY], chance)]
    return [*trials, *((provider, False) for provider in (*_drawn(well, chance), *later))]


def _drawn(providers: Sequence[Provider], chance: Callable[[], float]) -> list[Provider]:
    """Draw providers one by one, each as likely as its weight; those of weight 0 come last, as they are written."""
    left = [provider for provider in providers if provider.weight]
    drawn = []
    while len(left) > 1:
        mark = chance() * sum(provider.weight for provider in left)
        for provider in left:
            mark -= provider.weight
            if mark < 0:
                break
        drawn.append(provider)
        left.remove(provider)
    return [*drawn, *left, *(provider for provider in providers if not provider.weight)]


class ProviderChoice:
    """Chooses for all workers of a process."""

    def __init__(
        self,
        providers: Providers,
        gate: ProviderGate,
        *,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float],
    ) -> None:
        self._providers = providers
        self._gate = gate
        self._now = now
        self._chance = chance

    async def admit(
        self, connection: AsyncConnection, channel: ChannelName, *, lane: Lane, wanted: int, fresh: int
    ) -> Choice:
        """Choose who gets up to `wanted` hand-overs of a lane now, `fresh` of which are tried for the first time."""
        usable, unusable = await self._usable(connection, channel, lane)
        left = {} if lane is Lane.EMERGENCY else await self._left(connection, usable)
        order = [(provider, False) for provider in usable]
        if len(usable) > 1:
            urgent = lane is Lane.EMERGENCY
            outlooks = await asyncio.gather(*(self._gate.outlook(provider.key, urgent=urgent) for provider in usable))
            order = in_turn(list(zip(usable, outlooks, strict=True)), urgent=urgent, chance=self._chance)
        again: list[dt.datetime] = []
        for provider, trial in order:
            if trial and not fresh:
                continue
            most = min(1 if trial else wanted, left.get(provider.key, wanted))
            if not most:  # the last of its budget is under way
                again.append(self._now() + ASK_AGAIN)
                continue
            admission = await self._gate.admit(provider.key, provider.channel.limits, lane=lane, wanted=most)
            if admission.granted:
                return Choice(provider=provider, admission=admission, unusable=unusable, trial=trial)
            if admission.retry_at is not None:
                again.append(admission.retry_at)
        nobody = Admission(granted=0, retry_at=min(again, default=None))
        return Choice(provider=None, admission=nobody, unusable=unusable)

    async def _left(self, connection: AsyncConnection, usable: Sequence[Provider]) -> dict[str, int]:
        """Say how much of its budget each provider that has one may still be given, by key."""
        used = await self.used(connection) if any(each.budget is not None for each in usable) else {}
        return {
            each.key: max(0, each.budget - used[each.key] - await in_flight(connection, each.channel.name))
            for each in usable
            if each.budget is not None
        }

    def recovery(self, channel: ChannelName, adapter: Channel | None) -> Recovery:
        """Say what settles an unanswered attempt; where nobody can be asked, or could tell a repetition, a person.

        A repeated mail has the same Message-ID whichever relay takes it, and staff have nothing that is not on their
        list; any other provider knows only its own repetitions, and nobody can say who gets the next attempt.
        """
        if adapter is None:
            return Recovery.PERSON
        known_anywhere = channel is ChannelName.EMAIL or adapter.name == STAFF or len(self._providers[channel]) == 1
        return adapter.recovery if adapter.recovery is not Recovery.REPEAT or known_anywhere else Recovery.PERSON

    def named(self, channel: ChannelName, name: str | None) -> Channel | None:
        """Find the adapter that a delivery was handed to, for whatever has to be asked of it later.

        Without a name it is the first: attempts whose worker died said nothing while there was one provider only.
        """
        providers = self._providers[channel]
        if name is None:
            return providers[0].channel
        return next((provider.channel for provider in providers if provider.channel.name == name), None)

    @property
    def has_budgets(self) -> bool:
        """Whether any provider has a budget."""
        return bool(self._budgeted())

    def unapproved(self) -> dict[str, Standing]:
        """Name the providers whose approval is over, by key."""
        found: dict[str, Standing] = {}
        for configured in self._providers.values():
            found |= _unapproved(configured, self._now())
        return found

    async def over_budget(self, connection: AsyncConnection) -> dict[str, Standing]:
        """Name the providers whose budget is used up, by key."""
        used = await self.used(connection)
        spent = [each.key for each in self._budgeted() if each.budget is not None and used[each.key] >= each.budget]
        return dict.fromkeys(spent, Standing.OVER_BUDGET)

    async def used(self, connection: AsyncConnection) -> dict[str, int]:
        """Say how much of its budget each provider that has one has used this month, by key."""
        month = month_of(self._now())
        return {each.key: await units_used(connection, each.key, month) for each in self._budgeted()}

    def terms(self, used: Mapping[str, int]) -> list[Terms]:
        """List what binds those providers that something binds; `used` is what `used` has found."""
        today = self._now().date()
        return [
            Terms(
                provider=each.key,
                budget=each.budget,
                used=used.get(each.key),
                approved_days=None if each.approved_until is None else (each.approved_until - today).days,
            )
            for configured in self._providers.values()
            for each in configured
            if each.budget is not None or each.approved_until is not None
        ]

    def _budgeted(self) -> list[Provider]:
        return [each for configured in self._providers.values() for each in configured if each.budget is not None]

    async def _usable(
        self, connection: AsyncConnection, channel: ChannelName, lane: Lane
    ) -> tuple[list[Provider], dict[str, Standing]]:
        """Leave out whose approval is over, and whose budget is used up unless it is for an alert."""
        configured = self._providers[channel]
        unusable = _unapproved(configured, self._now())
        if lane is not Lane.EMERGENCY and any(provider.budget is not None for provider in configured):
            unusable = await self.over_budget(connection) | unusable
        usable = [each for each in configured if each.key not in unusable]
        return usable, {each.key: unusable[each.key] for each in configured if each.key in unusable}


def _unapproved(providers: Sequence[Provider], now: dt.datetime) -> dict[str, Standing]:
    usable = approved(providers, now)
    return {each.key: Standing.UNAPPROVED for each in providers if each not in usable}
