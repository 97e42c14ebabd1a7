"""What a hand-over's answer means for its delivery: pure."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from channels.base import Handover
from channels.errors import Retry
from gateway.directory.model import PointState
from gateway.dispatch.requests import Lane
from gateway.dispatch.retrying import RECOVERY_DELAY, next_attempt
from gateway.tracking.states import Change, News, State, settle


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What to record of one attempt."""

    news: News
    change: Change
    code: str | None = None
    detail: str | None = None
    """One sentence for staff; names nobody."""
    due_at: dt.datetime | None = None
    provider: str | None = None
    provider_id: str | None = None
    mark: PointState | None = None
    """What was learnt of the address."""

    @property
    def handed_over(self) -> bool:
        """Whether a provider was called at all; what was withdrawn before that is no attempt."""
        return self.provider is not None


def outcome_of(row: Any, handover: Handover, *, now: dt.datetime, chance: float) -> Outcome:
    """Judge the answer for one claimed delivery (`row` of the deliveries table)."""
    error = handover.error
    if error is None:
        return _outcome(News.ACCEPTED, provider=handover.provider, provider_id=handover.provider_id)
    if error.retry is Retry.UNKNOWN:
        return _outcome(
            News.NO_ANSWER,
            code=error.code,
            detail=error.explanation,
            due_at=now + RECOVERY_DELAY,
            provider=handover.provider,
        )
    if error.retry is Retry.LATER:
        return _postponed(row, handover, now=now, chance=chance)
    return _outcome(
        News.REFUSED,
        code=error.code,
        detail=error.explanation,
        provider=handover.provider,
        mark=PointState.CARRIER_BLOCKED if error.opted_out else PointState.DEAD if error.address_dead else None,
    )


def withdrawn(news: News, code: str, detail: str) -> Outcome:
    """Record that a claimed delivery never reached a provider, and why."""
    return _outcome(news, code=code, detail=detail)


def _postponed(row: Any, handover: Handover, *, now: dt.datetime, chance: float) -> Outcome:
    error = handover.error
    assert error is not None  # noqa: S101  # the caller has seen it
    due_at = next_attempt(Lane(row.lane), row.attempts, now=now, chance=chance, asked=error.retry_after)
    if due_at is None:
        detail = f"Given up after {row.attempts} attempts. {error.explanation}"
        return _outcome(News.REFUSED, code=error.code, detail=detail, provider=handover.provider)
    if row.expires_at is not None and due_at >= row.expires_at:
        detail = f"Its time ran out before the next attempt. {error.explanation}"
        return _outcome(News.EXPIRED, code=error.code, detail=detail, provider=handover.provider)
    return _outcome(
        News.POSTPONED, code=error.code, detail=error.explanation, due_at=due_at, provider=handover.provider
    )


def _outcome(news: News, **fields: Any) -> Outcome:
    return Outcome(news=news, change=settle(State.SENDING, news), **fields)
