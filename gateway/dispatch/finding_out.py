"""Finding out what became of attempts that got no answer, as their provider allows."""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from channels.base import Channel, Envelope, Handover, Recovery
from channels.errors import Retry, SendError
from gateway.directory.model import ChannelName
from gateway.dispatch.providers import ProviderChoice
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
        choice: ProviderChoice,
        renderer: Renderer,
        recorder: Recorder,
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._choice = choice
        self._renderer = renderer
        self._recorder = recorder
        self._now = now

    async def settle(self, rows: Sequence[Any]) -> None:
        """Settle unanswered attempts, each with the provider that it was made with."""
        by_provider: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
        for row in rows:
            by_provider[row.channel, row.provider].append(row)
        for (channel, name), of_provider in by_provider.items():
            provider = self._choice.named(ChannelName(channel), name)
            await self._settle(provider, self._choice.recovery(ChannelName(channel), provider), of_provider)

    async def _settle(self, provider: Channel | None, recovery: Recovery, rows: Sequence[Any]) -> None:
        """Settle unanswered attempts with one provider; of one that is in use no more only a person can find out."""
        findings: _Findings = [(row, None) for row in rows]
        lost: _Findings = []
        if provider is not None and recovery is Recovery.LOOK_UP:
            findings, lost = await self._looked_up(provider, rows)
        async with self._database.writing() as connection:
            await self._recorder.record_findings(connection, findings, recovery, now=self._now())
            await self._recorder.record_findings(connection, lost, Recovery.PERSON, now=self._now())

    async def _looked_up(self, provider: Channel, rows: Sequence[Any]) -> tuple[_Findings, _Findings]:
        """Ask the provider; gives what it said, and what nobody can ask it about any more, which is for a person.

        When it does not answer, the rows stay unknown and it is asked again after the lease, until their time is out.
        """
        async with self._database.reading() as connection:
            rendered = await self._renderer.render(connection, rows)
        pairs = [
            (row, replace(made, since=row.created_at)) for row in rows if isinstance(made := rendered[row.id], Envelope)
        ]
        lost: _Findings = [(row, None) for row in rows if not isinstance(rendered[row.id], Envelope)]
        found = await self._asked(provider, [envelope for _, envelope in pairs])
        heard = [(row, handover) for (row, _), handover in zip(pairs, found, strict=True)]
        now = self._now()
        late: _Findings = [
            (row, None) for row, handover in heard if _is_silence(handover) and row.expires_at and row.expires_at <= now
        ]
        return [(row, handover) for row, handover in heard if not _is_silence(handover)], [*lost, *late]

    async def _asked(self, provider: Channel, envelopes: Sequence[Envelope]) -> Sequence[Handover | None]:
        try:
            return await provider.look_up(envelopes)
        except Exception:  # noqa: BLE001  # an adapter's fault must not lose a batch
            _log.exception("look_up_failed", extra={"provider": provider.name})
            return [_not_asked(envelope, provider.name) for envelope in envelopes]


def _is_silence(handover: Handover | None) -> bool:
    """Whether the provider could not be asked: that says nothing about the text, least of all that it was taken."""
    return handover is not None and not handover.accepted


def _not_asked(envelope: Envelope, provider: str) -> Handover:
    error = SendError(retry=Retry.UNKNOWN, code="not_asked", explanation="The provider's program failed when asked.")
    return Handover(delivery=envelope.delivery, provider=provider, error=error)
