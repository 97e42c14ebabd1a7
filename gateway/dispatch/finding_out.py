"""Finding out what became of attempts that got no answer, as their provider allows."""

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from channels.base import Channel, Envelope, Handover, Recovery
from gateway.directory.model import ChannelName
from gateway.dispatch.recording import Recorder
from gateway.dispatch.rendering import Renderer
from gateway.store.database import Database

_log = logging.getLogger(__name__)

_Findings = list[tuple[Any, Handover | None]]
"""Rows of unanswered attempts, each with the provider's late answer, or None where it has got nothing."""


class Inquiry:
    """Settles deliveries in the state `unknown`: repeated, looked up, or put to a person."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[ChannelName, Channel],
        renderer: Renderer,
        recorder: Recorder,
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._channels = channels
        self._renderer = renderer
        self._recorder = recorder
        self._now = now

    async def settle(self, rows: Sequence[Any]) -> None:
        """Settle unanswered attempts of one channel."""
        if not rows:
            return
        provider = self._channels[ChannelName(rows[0].channel)]
        findings: _Findings = [(row, None) for row in rows]
        lost: _Findings = []
        if provider.recovery is Recovery.LOOK_UP:
            findings, lost = await self._looked_up(provider, rows)
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
        except Exception:  # noqa: BLE001  # an adapter's fault must not lose a batch
            _log.exception("look_up_failed", extra={"provider": provider.name})
            now = self._now()
            late = [row for row, _ in pairs if row.expires_at is not None and row.expires_at <= now]
            return [], [*lost, *((row, None) for row in late)]
        return [(row, handover) for (row, _), handover in zip(pairs, found, strict=True)], lost
