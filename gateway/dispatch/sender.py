"""Sending: claim a batch, check it again, render, hand over, record."""

import asyncio
import contextlib
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Channel, Envelope, Handover, Recovery
from channels.errors import Retry, SendError
from gateway.directory.model import ChannelName
from gateway.dispatch.chunks import BATCH
from gateway.dispatch.deciding import school_of
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.help_wanted import Work, ask_for_help
from gateway.dispatch.outcomes import Outcome, outcome_of, withdrawn
from gateway.dispatch.rechecking import outdated, recheck
from gateway.dispatch.recording import Recorder
from gateway.dispatch.rendering import Renderer, RenderingError
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.people import load_school
from gateway.store.sending import (
    claim_batch,
    claim_unknown,
    hand_back,
    load_deliveries,
    load_notifications,
    merged_with,
    renew_leases,
)
from gateway.tracking.states import News, State

_log = logging.getLogger(__name__)

LEASE = dt.timedelta(seconds=60)
"""How long a claim lasts without renewal; a dead worker's batch is swept after it."""

PUT_OFF = dt.timedelta(seconds=60)
"""After so long is tried again what could not be checked before it was to leave."""

_RENEWAL_SECONDS = 20.0


_Findings = list[tuple[Any, Handover | None]]
"""Rows of unanswered attempts, each with the provider's late answer, or None where it has got nothing."""


class Sender:
    """Works on the batches it is woken for; any number of senders may run."""

    def __init__(  # noqa: PLR0913  # all it works with; the assembly names each
        self,
        database: Database,
        wakeups: WakeUps,
        channels: Mapping[ChannelName, Channel],
        renderer: Renderer,
        recorder: Recorder,
        *,
        owner: str,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float],
        policy: Policy,
        snapshots: DenySnapshots | None = None,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._channels = channels
        self._renderer = renderer
        self._recorder = recorder
        self._owner = owner
        self._now = now
        self._chance = chance
        self._policy = policy
        self._snapshots = snapshots

    async def send(self, batch: str) -> None:
        """Hand over everything of the batch that is due; told to stop, finish the slice in hand and give back the rest.

        The work itself is never cancelled: a provider that is being talked to is heard out, and SQLite keeps the lock
        of a transaction that is cancelled between two statements until the connection is collected.
        """
        stopping = asyncio.Event()
        working = asyncio.ensure_future(self._send(batch, stopping))
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            stopping.set()
            await working
            raise

    async def _send(self, batch: str, stopping: asyncio.Event) -> None:
        await self._find_out(batch)
        while not stopping.is_set() and (rows := await self._claimed(batch)):
            await self._work_on(rows, stopping)

    async def _claimed(self, batch: str) -> Sequence[Any]:
        """Take what is due."""
        now = self._now()
        async with self._database.writing() as connection:
            return await claim_batch(connection, batch, owner=self._owner, now=now, until=now + LEASE, limit=BATCH)

    async def _give_back(self, rows: Sequence[Any]) -> None:
        if rows:
            async with self._database.writing() as connection:
                await hand_back(connection, rows, owner=self._owner, now=self._now())

    async def _work_on(self, rows: Sequence[Any], stopping: asyncio.Event) -> None:
        """Send claimed rows; whatever was not handed over when the worker has to stop or fails is given back."""
        waiting = {row.id: row for row in rows}
        try:
            async with self._renewed(list(waiting)):
                for slice_ in _slices(rows, self._channels):
                    if stopping.is_set():
                        break
                    # Each slice is checked by itself: the ones before may have taken their time.
                    try:
                        fit, rendered = await self._written(slice_)
                    except Exception as error:  # noqa: BLE001  # whatever failed, nothing has left and nothing may
                        _log.exception("not_checked", extra={"deliveries": len(slice_)})
                        await self._put_off(slice_, error)
                        for row in slice_:
                            waiting.pop(row.id)
                        continue
                    for row in slice_:
                        waiting.pop(row.id)
                    await self._hand_over(fit, rendered)
        finally:
            await self._give_back(list(waiting.values()))

    async def _put_off(self, rows: Sequence[Any], error: Exception) -> None:
        """Give back what could not be checked or rendered, for a later attempt, and let somebody know (R45, R46)."""
        now = self._now()
        async with self._database.writing() as connection:
            await hand_back(connection, rows, owner=self._owner, now=now, due_at=now + PUT_OFF)
            for notification in sorted({row.notification for row in rows}):
                await ask_for_help(connection, notification, Work.SENDING, error, now=now)

    async def _written(self, rows: Sequence[Any]) -> tuple[list[Any], Mapping[str, Envelope | RenderingError]]:
        """Check and render; both again when the directory changed between the two."""
        fit = list(rows)
        while True:
            fit = await self._checked(fit)
            async with self._database.reading() as connection:
                rendered = await self._renderer.render(connection, fit)
                # Asked last: whatever change the renderer has seen, the version has risen with it.
                versions = {school: (await school_of(connection, school))[1] for school in {row.school for row in fit}}
            if all(row.directory_version == versions[row.school] for row in fit):
                return fit, rendered

    async def _checked(self, rows: Sequence[Any]) -> list[Any]:
        """Withdraw what must not leave any more; gives the other rows, as they are now."""
        now = self._now()
        wake: list[tuple[str, str]] = []
        attempts = {row.id: row.attempts for row in rows}
        async with self._database.writing() as connection:
            rows = await self._still_claimed(connection, attempts)
            notifications = await load_notifications(connection, list({row.notification for row in rows}))
            outcomes = {row.id: stop for row in rows if (stop := _stopped(row, notifications[row.notification], now))}
            merged: list[Any] = []
            for notification, group in _by_notification(row for row in rows if row.id not in outcomes).items():
                known = await load_school(connection, notifications[notification].school)
                if known is None:
                    continue
                carried = await merged_with(connection, [row.id for row in group])
                stale = outdated([*group, *carried], *known, now)
                if stale:
                    checked = await recheck(
                        connection,
                        notifications[notification],
                        stale,
                        now=now,
                        policy=self._policy,
                        snapshots=self._snapshots,
                    )
                    outcomes |= checked.withdrawn
                    wake += checked.wake
                    merged += carried
            # Merged ones first: those that stay then part from a carrier that is withdrawn.
            await self._recorder.withdraw_merged(connection, outcomes, merged, now=now)
            stopped = [(row, outcomes[row.id]) for row in rows if row.id in outcomes]
            wake += await self._recorder.record(connection, stopped, now=now)
            fit = await self._still_claimed(connection, attempts)
        await self._wake(wake)
        return fit

    async def _still_claimed(self, connection: AsyncConnection, attempts: Mapping[str, int]) -> list[Any]:
        """Load these deliveries, but those that a worker too slow to renew its lease has lost meanwhile."""
        rows = await load_deliveries(connection, list(attempts))
        return [
            row
            for delivery, attempt in attempts.items()
            if (row := rows[delivery]) and (row.state, row.owner, row.attempts) == (State.SENDING, self._owner, attempt)
        ]

    async def _hand_over(self, rows: Sequence[Any], rendered: Mapping[str, Envelope | RenderingError]) -> None:
        """Hand over one slice, then record every answer in one transaction."""
        if not rows:
            return
        results: list[tuple[Any, Outcome]] = []
        envelopes: list[Envelope] = []
        by_id = {row.id: row for row in rows}
        for row in rows:
            made = rendered[row.id]
            if isinstance(made, RenderingError):
                results.append((row, withdrawn(News.REFUSED, made.code, made.explanation)))
            else:
                envelopes.append(made)
        handovers = await self._answers(rows[0].channel, envelopes)
        now = self._now()
        results += [
            (by_id[handover.delivery], outcome_of(by_id[handover.delivery], handover, now=now, chance=self._chance()))
            for handover in handovers
        ]
        async with self._database.writing() as connection:
            wake = await self._recorder.record(connection, results, now=now)
        await self._wake(wake)

    async def _answers(self, channel: str, envelopes: Sequence[Envelope]) -> list[Handover]:
        """Hand over; an adapter that breaks its promise and raises leaves its envelopes unanswered."""
        provider = self._channels[ChannelName(channel)]
        if not envelopes:
            return []
        try:
            answers = await provider.send(envelopes)
        except Exception:  # noqa: BLE001  # an adapter's fault must not lose a batch
            _log.exception("adapter_failed", extra={"provider": provider.name})
            answers = []
        answered = {answer.delivery for answer in answers}
        return [
            *answers,
            *(_silence(envelope, provider.name) for envelope in envelopes if envelope.delivery not in answered),
        ]

    async def _find_out(self, batch: str) -> None:
        """Settle the batch's unanswered attempts as their provider allows."""
        now = self._now()
        async with self._database.writing() as connection:
            rows = await claim_unknown(connection, batch, now=now, until=now + LEASE, limit=BATCH)
        for channel, group in _by_channel(rows).items():
            provider = self._channels[ChannelName(channel)]
            findings: _Findings = [(row, None) for row in group]
            lost: _Findings = []
            if provider.recovery is Recovery.LOOK_UP:
                findings, lost = await self._looked_up(provider, group)
            async with self._database.writing() as connection:
                await self._recorder.record_findings(connection, findings, provider.recovery, now=self._now())
                await self._recorder.record_findings(connection, lost, Recovery.PERSON, now=self._now())

    async def _looked_up(self, provider: Channel, rows: Sequence[Any]) -> tuple[_Findings, _Findings]:
        """Ask the provider; gives what it said, and what nobody can ask it about any more, which is for a person.

        When it does not answer, the rows stay unknown and it is asked again after the lease, until their time is out.
        """
        async with self._database.reading() as connection:
            rendered = await self._renderer.render(connection, rows)
        pairs = [(row, made) for row in rows if isinstance(made := rendered[row.id], Envelope)]
        lost: _Findings = [(row, None) for row in rows if not isinstance(rendered[row.id], Envelope)]
        try:
            found = await provider.look_up([envelope for _, envelope in pairs])
        except Exception:  # noqa: BLE001  # the same
            _log.exception("look_up_failed", extra={"provider": provider.name})
            now = self._now()
            late = [row for row, _ in pairs if row.expires_at is not None and row.expires_at <= now]
            return [], [*lost, *((row, None) for row in late)]
        return [(row, handover) for (row, _), handover in zip(pairs, found, strict=True)], lost

    async def _wake(self, wake: Sequence[tuple[str, str]]) -> None:
        for lane, batch in dict.fromkeys(wake):
            await self._wakeups.wake("send", lane, [batch])

    @contextlib.asynccontextmanager
    async def _renewed(self, ids: list[str]) -> AsyncIterator[None]:
        """Keep the claim alive as long as the work lasts."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(_RENEWAL_SECONDS)
                try:
                    async with self._database.writing() as connection:
                        await renew_leases(connection, ids, owner=self._owner, until=self._now() + LEASE)
                except Exception:  # noqa: BLE001  # one missed renewal is no reason to lose the claim
                    _log.exception("lease_not_renewed")

        renewal = asyncio.ensure_future(renew())
        try:
            yield
        finally:
            renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewal


def _stopped(row: Any, notification: Any, now: dt.datetime) -> Outcome | None:
    """Say why a delivery must not leave although it is due."""
    if notification.status == "cancelled":
        return withdrawn(News.CANCELLED, "cancelled", "Withdrawn by the sender.")
    if row.expires_at is not None and row.expires_at <= now:
        return withdrawn(News.EXPIRED, "expired", "Its time ran out before it could leave.")
    return None


def _silence(envelope: Envelope, provider: str) -> Handover:
    error = SendError(
        retry=Retry.UNKNOWN,
        code="no_answer",
        explanation="The provider's program failed while the message was being handed over.",
        ours=True,
    )
    return Handover(delivery=envelope.delivery, provider=provider, error=error)


def _by_notification(rows: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.notification].append(row)
    return groups


def _by_channel(rows: Sequence[Any]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.channel].append(row)
    return groups


def _slices(rows: Sequence[Any], channels: Mapping[ChannelName, Channel]) -> list[list[Any]]:
    """Cut a batch into what its provider takes at a time."""
    slices = []
    for channel, group in _by_channel(rows).items():
        size = channels[ChannelName(channel)].limits.batch
        slices += [group[start : start + size] for start in range(0, len(group), size)]
    return slices
