"""Sending: take a batch whose turn it is, check it a last time, hand it over, record the answers as they come."""

import asyncio
import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from channels.base import Envelope, Handover
from channels.errors import Retry, SendError
from gateway.dispatch.chunks import BATCH
from gateway.dispatch.claiming import PUT_OFF, Claiming
from gateway.dispatch.finding_out import Inquiry
from gateway.dispatch.finishing import finish_those_done
from gateway.dispatch.flushing import Flushing
from gateway.dispatch.help_wanted import Work, ask_for_help
from gateway.dispatch.last_check import LastCheck, Rendered
from gateway.dispatch.lease import renewed
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.outcomes import outcome_of, withdrawn
from gateway.dispatch.provider_gate import ProviderGate
from gateway.dispatch.providers import Provider, ProviderChoice, month_of, units_of
from gateway.dispatch.recording import Recorder, Result
from gateway.dispatch.rendering import Quiet, RenderingError
from gateway.dispatch.stopping import heard_out
from gateway.dispatch.tracing import Tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.store.claims import hand_back
from gateway.store.database import Database
from gateway.store.provider_use import add_use
from gateway.store.sending import merged_with
from gateway.tracking.blame import tally
from gateway.tracking.states import News

_log = logging.getLogger(__name__)

_SLICE_SECONDS = 1.0
"""What a provider takes in this time is checked and handed over at once: a new restriction is seen within it (R44)."""


class Sender:
    """Works on the batches it is woken for; any number of senders may run."""

    def __init__(  # noqa: PLR0913  # all it works with; the assembly names each
        self,
        database: Database,
        wakeups: WakeUps,
        choice: ProviderChoice,
        gate: ProviderGate,
        check: LastCheck,
        recorder: Recorder,
        inquiry: Inquiry,
        *,
        owner: str,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float],
        metrics: Metrics,
        tracer: Tracer,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._claiming = Claiming(database, wakeups, choice, owner=owner, now=now)
        self._gate = gate
        self._check = check
        self._recorder = recorder
        self._inquiry = inquiry
        self._owner = owner
        self._now = now
        self._chance = chance
        self._metrics = metrics
        self._tracer = tracer
        self._pace: dict[str, float] = {}

    async def send(self, batch: str) -> None:
        """Hand over what is due of the batch; told to stop, finish the slice in hand and give back the rest."""
        await heard_out(lambda stopping: self._send(batch, stopping))

    async def _send(self, batch: str, stopping: asyncio.Event) -> None:
        touched: set[str] = set()
        try:
            while not stopping.is_set():
                work = await self._claiming.take(batch)
                await self._inquiry.settle(work.unknown)
                touched.update(row.notification for row in (*work.rows, *work.unknown))
                broken_off = bool(work.rows) and await self._work_on(work.provider, work.rows, stopping)
                if work.batch != batch:  # another school's turn: ours comes after those already waiting
                    waiting = [work.batch, batch] if broken_off else [batch]
                    await self._wakeups.wake("send", work.rows[0].lane, waiting)
                    return
                if not work.more and not broken_off:
                    return
        finally:
            await finish_those_done(self._database, touched, now=self._now())

    async def _work_on(self, provider: Provider | None, rows: Sequence[Any], stopping: asyncio.Event) -> bool:
        """Send claimed rows; whatever was not handed over when the worker has to stop or fails is given back.

        Tells whether it was broken off for a provider that takes nothing more: another may take the rest at once.

        Without a provider they were claimed only because their time has run out, which the check finds.
        """
        waiting = list(rows)
        try:
            async with renewed(self._database, [row.id for row in rows], owner=self._owner, now=self._now) as lease:
                while waiting and not stopping.is_set() and lease.holds():
                    slice_ = waiting[: BATCH if provider is None else self._slice(provider)]
                    # Each slice is checked by itself: the ones before may have taken their time.
                    try:
                        fit, rendered, wake, later = await self._check.pass_on(slice_)
                    except Exception as error:  # noqa: BLE001  # whatever failed, nothing has left and nothing may
                        _log.exception("not_checked", extra={"deliveries": len(slice_)})
                        await self._put_off(slice_, error)
                        del waiting[: len(slice_)]
                        continue
                    await self._wakeups.wake_batches(wake)
                    if not lease.holds():
                        return False
                    waiting[: len(slice_)] = later
                    fit = await self._kept_quiet(fit, rendered)
                    if provider is None:
                        await self._give_back(fit)
                    else:
                        await self._hand_over(provider, fit, rendered)
                        if waiting and not await self._gate.is_closed(provider.key):
                            return True
            return False
        finally:
            await self._give_back(waiting)

    def _slice(self, provider: Provider) -> int:
        """Say how many deliveries a provider takes in a moment."""
        limits = provider.channel.limits
        pace = self._pace.get(provider.key)
        return limits.batch if pace is None else max(limits.concurrency, min(BATCH, int(pace * _SLICE_SECONDS)))

    async def _give_back(self, rows: Sequence[Any]) -> None:
        if rows:
            async with self._database.writing() as connection:
                await hand_back(connection, rows, owner=self._owner, now=self._now())

    async def _put_off(self, rows: Sequence[Any], error: Exception) -> None:
        """Give back what could not be checked or rendered, for a later attempt, and let somebody know (R45, R46)."""
        now = self._now()
        async with self._database.writing() as connection:
            await hand_back(connection, rows, owner=self._owner, now=now, due_at=now + PUT_OFF)
            for notification in sorted({row.notification for row in rows}):
                await ask_for_help(connection, notification, Work.SENDING, error, now=now)

    async def _kept_quiet(self, rows: Sequence[Any], rendered: Rendered) -> list[Any]:
        """Let what would disturb now wait for the end of its readers' quiet hours (R32); gives the others."""
        loud = [row for row in rows if not isinstance(rendered[row.id], Quiet)]
        if len(loud) < len(rows):
            async with self._database.writing() as connection:
                for row in rows:
                    made = rendered[row.id]
                    if isinstance(made, Quiet):
                        await hand_back(connection, [row], owner=self._owner, now=self._now(), due_at=made.until)
        return loud

    async def _hand_over(self, provider: Provider, rows: Sequence[Any], rendered: Rendered) -> None:
        """Hand over one slice and record every answer."""
        if not rows:
            return
        by_id = {row.id: row for row in rows}
        units: dict[str, int] = {}
        flushing = Flushing(partial(self._record, provider, units))
        envelopes: list[Envelope] = []
        for row in rows:
            made = rendered[row.id]
            if isinstance(made, RenderingError):
                flushing.add((row, withdrawn(News.REFUSED, made.code, made.explanation)))
            elif isinstance(made, Envelope):
                envelopes.append(made)
                units[row.id] = units_of(made)
        started = time.perf_counter()
        answers: list[Handover] = []
        facts = {"gateway.channel": rows[0].channel, "gateway.lane": rows[0].lane, "gateway.number": len(envelopes)}
        with self._tracer.span("hand over", kind="client", facts=facts):
            async for answer in self._answers(provider, envelopes):
                row = by_id[answer.delivery]
                flushing.add((row, outcome_of(row, answer, now=self._now(), chance=self._chance())))
                answers.append(answer)
        await self._account(provider, answers, time.perf_counter() - started)
        await flushing.close()

    async def _answers(self, provider: Provider, envelopes: Sequence[Envelope]) -> AsyncIterator[Handover]:
        """Hand over; an adapter that breaks its promise and raises leaves its envelopes unanswered."""
        adapter = provider.channel
        silent = {envelope.delivery for envelope in envelopes}
        if not envelopes:
            return
        try:
            async with aclosing(adapter.send(envelopes)) as answers:
                async for answer in answers:
                    silent.discard(answer.delivery)
                    yield answer
        except Exception:  # noqa: BLE001  # an adapter's fault must not lose a batch
            _log.exception("adapter_failed", extra={"provider": adapter.name})
        for delivery in sorted(silent):
            yield _silence(delivery, adapter.name)

    async def _record(self, provider: Provider, units: Mapping[str, int], results: Sequence[Result]) -> None:
        async with self._database.writing() as connection:
            carrying = bool(await merged_with(connection, [row.id for row, _ in results]))
            wake = await self._recorder.record(connection, results, now=self._now(), carrying=carrying)
            if provider.budget is not None:
                # Of a voice provider's calls staff may have taken some, which cost nothing.
                name = provider.channel.name
                taken = [row.id for row, each in results if each.news is News.ACCEPTED and each.provider == name]
                if taken:
                    used = sum(units[delivery] for delivery in taken)
                    await add_use(connection, provider.key, month_of(self._now()), used)
        await self._wakeups.wake_batches(wake)
        first, _ = results[0]
        for (news, state), number in Counter((outcome.news, outcome.change.state) for _, outcome in results).items():
            self._metrics.settled(first.channel, first.lane, state.value, number)
            self._metrics.handed_over(provider.channel.name, first.channel, first.lane, news.value, number)

    async def _account(self, provider: Provider, answers: Sequence[Handover], seconds: float) -> None:
        """Tell gate and metrics how the provider fared, and remember its pace."""
        if not answers:
            return
        self._pace[provider.key] = len(answers) / max(seconds, 0.001)
        self._metrics.provider_took(provider.channel.name, seconds / len(answers))
        sum_ = tally(answers)
        await self._gate.report(
            provider.key,
            accepted=sum_.accepted,
            failed=sum_.failed,
            throttled=sum_.throttled,
            retry_after=sum_.retry_after,
        )


def _silence(delivery: str, provider: str) -> Handover:
    error = SendError(
        retry=Retry.UNKNOWN,
        code="no_answer",
        explanation="The provider's program failed while the message was being handed over.",
        ours=True,
    )
    return Handover(delivery=delivery, provider=provider, error=error)
