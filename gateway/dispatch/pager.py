"""Sends pages: claimed under a lease, on record before a provider is called, repeated when nobody knows (R45).

Unlike a message to a family, an unanswered page is repeated without asking the provider what became of it: twice on
the telephone of somebody on duty does no harm, not at all may cost a child's safety. A mailbox sees the same
Message-ID and can tell. Pages are few and pass by the gate that paces and pauses hand-overs to a provider.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from channels.base import STAFF, Channel, Envelope, Handover
from channels.email_mime import UnsafeHeaderError
from channels.errors import Retry, SendError
from gateway.directory.model import ChannelName
from gateway.dispatch.deciding import school_of
from gateway.dispatch.page_texts import PageWriter
from gateway.dispatch.providers import Providers, approved
from gateway.dispatch.stopping import heard_out
from gateway.store.database import Database
from gateway.store.pages import claim_pages, record_pages
from gateway.tracking.states import State

_log = logging.getLogger(__name__)

LEASE = dt.timedelta(seconds=60)
"""How long a claim lasts: longer than any provider is waited for."""

MOST_ATTEMPTS = 4
"""The next round comes after five minutes anyway."""

AGAIN = dt.timedelta(seconds=20)
"""How long until a page is tried again, times the attempts so far."""

_AT_ONCE = 100


class Pager:
    """Works on the notifications it is woken for; any number of pagers may run."""

    def __init__(
        self,
        database: Database,
        providers: Providers,
        writer: PageWriter,
        *,
        owner: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._providers = providers
        self._writer = writer
        self._owner = owner
        self._now = now

    async def send(self, notification: str) -> None:
        """Send the due pages about one notification; told to stop, hear out the providers that are being talked to."""
        await heard_out(lambda _stopping: self._send(notification))

    async def _send(self, notification: str) -> None:
        now = self._now()
        async with self._database.writing() as connection:
            rows = await claim_pages(
                connection, notification, owner=self._owner, now=now, until=now + LEASE, limit=_AT_ONCE
            )
            if not rows:
                return
            school, _version = await school_of(connection, rows[0].school)
        by_channel: dict[ChannelName, list[tuple[Any, Envelope]]] = defaultdict(list)
        unwritable = []
        for row in rows:
            try:
                by_channel[ChannelName(row.channel)].append((row, self._writer.write(row, school)))
            except UnsafeHeaderError:
                unwritable.append((row, _UNWRITABLE))
        await self._record(unwritable)
        # Side by side: a text provider that does not answer must not keep the call and the mail waiting.
        await asyncio.gather(*(self._hand_over(channel, pairs) for channel, pairs in by_channel.items()))

    async def _hand_over(self, channel: ChannelName, pairs: Sequence[tuple[Any, Envelope]]) -> None:
        """Hand over the pages of one channel and record what was answered; what one provider refuses the next gets."""
        answers = {row.id: _NOBODY for row, _ in pairs}
        left = list(pairs)
        for provider in approved(self._providers[channel], self._now()):
            answers |= await self._answers(provider.channel, left)
            left = [(row, page) for row, page in left if _may_go_elsewhere(answers[row.id])]
            if not left:
                break
        await self._record([(row, answers[row.id]) for row, _ in pairs])

    async def _answers(self, adapter: Channel, pairs: Sequence[tuple[Any, Envelope]]) -> dict[str, Handover]:
        silence = Handover(delivery="", provider=adapter.name, error=_SILENCE)
        answers = {row.id: silence for row, _ in pairs}
        try:
            async with contextlib.aclosing(adapter.send([page for _, page in pairs])) as handovers:
                async for handover in handovers:
                    # Nobody is put on staff's list about a page: who is paged has to be reached by a machine.
                    answers[handover.delivery] = _BY_HAND if handover.provider == STAFF else handover
        except Exception:  # noqa: BLE001  # an adapter's fault must not lose a page
            _log.exception("adapter_failed", extra={"provider": adapter.name})
        return answers

    async def _record(self, answers: Sequence[tuple[Any, Handover]]) -> None:
        if not answers:
            return
        now = self._now()
        rows = [answered(row, handover, now=now) for row, handover in answers]
        async with self._database.writing() as connection:
            await record_pages(connection, rows, owner=self._owner)
        for row in rows:
            _log.info("page_handed_over", extra={"page": row["id"], "state": row["state"], "code": row["code"]})


_SILENCE = SendError(
    retry=Retry.UNKNOWN,
    code="no_answer",
    explanation="The provider's program failed while the page was being handed over.",
    ours=True,
)
_NOBODY = Handover(
    delivery="",
    provider="gateway",
    error=SendError(
        retry=Retry.LATER,
        code="no_provider",
        explanation="No provider of this channel may be used; the operator must have its approval renewed.",
        ours=True,
    ),
)
_BY_HAND = Handover(
    delivery="",
    provider=STAFF,
    error=SendError(
        retry=Retry.LATER,
        code="only_by_hand",
        explanation="Only staff make calls here, or none of our voices speaks the language: a page needs a provider.",
        ours=True,
    ),
)
_UNWRITABLE = Handover(
    delivery="",
    provider="gateway",
    error=SendError(
        retry=Retry.NEVER,
        code="unsafe_header",
        explanation="The address or the school's name holds signs that a mail must not carry.",
        ours=True,
    ),
)


def _may_go_elsewhere(handover: Handover) -> bool:
    """Whether a provider has certainly not taken a page."""
    return handover.error is not None and handover.error.retry is Retry.LATER


def answered(row: Any, handover: Handover, *, now: dt.datetime) -> dict[str, Any]:
    """Say what an answer makes of a claimed page (`id`, `attempts`): sent, failed, or due once more. Pure."""
    state, due_at, error = State.SENT, None, handover.error
    if error is not None:
        again = error.retry is not Retry.NEVER and row.attempts < MOST_ATTEMPTS
        due_at = now + max(AGAIN * row.attempts, dt.timedelta(seconds=error.retry_after or 0)) if again else None
        state = State.FAILED
        if error.retry is Retry.UNKNOWN:
            state = State.UNKNOWN
        elif again:
            state = State.RETRYING
    return {
        "id": row.id,
        "attempts": row.attempts,
        "state": state.value,
        "due_at": due_at,
        "provider": handover.provider,
        "provider_id": handover.provider_id,
        "code": error.code if error is not None else None,
        "detail": error.explanation if error is not None else None,
        "changed_at": now,
    }
