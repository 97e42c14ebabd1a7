"""Whose fault a refused hand-over is: the recipient's, the provider's, or our own haste. Pure.

Only the provider's faults open its circuit breaker: a full mailbox says nothing about the next mail.
"""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from channels.base import Handover
from channels.errors import Retry, SendError


class Blame(StrEnum):
    """Who has to change before the same provider is worth another hand-over."""

    NOBODY = "nobody"
    """It was accepted."""
    RECIPIENT = "recipient"
    """This address or this message; the provider did its part."""
    PROVIDER = "provider"
    """The provider fails, is away or does not let us in: others would fare the same."""
    THROTTLED = "throttled"
    """We were too fast for the provider."""


_OUTAGES = frozenset({"connection_lost", "login_deferred", "provider_unreachable", "server_unavailable", "timed_out"})
"""Codes of our adapters for a provider that is away; those the operator must mend are told by `ours`."""

_GREYLISTED = re.compile(r"4\d\d 4\.7\.1$")
"""Says "not now" to one pair of sender and recipient, often with a waiting time; the next mail may pass."""

_OUTAGE_REPLY = re.compile(r"45[12]$|4\d\d 4\.(?:3\.\d+|4\.5)$")
"""A mail server's own troubles: 451 and 452 without more detail, which must come in numbers to count; 4.3.x, 4.4.5."""

_HASTE_REPLY = re.compile(r"4(?:21|29)\b")
"""421 (RFC 5321) and HTTP 429, at whatever stage."""


def blame(error: SendError | None) -> Blame:
    """Judge one answer by its fields."""
    if error is None:
        return Blame.NOBODY
    reply = error.provider_code or ""
    if error.retry is Retry.NEVER or _GREYLISTED.match(reply):
        return Blame.RECIPIENT
    if _OUTAGE_REPLY.match(reply):
        return Blame.PROVIDER
    if error.throttled or _HASTE_REPLY.match(reply):
        return Blame.THROTTLED
    if error.retry is Retry.UNKNOWN:
        # With a waiting time it is HTTP 503 of an overloaded provider, which says when to come back.
        return Blame.PROVIDER if error.retry_after is None else Blame.THROTTLED
    return Blame.PROVIDER if error.ours or error.code in _OUTAGES else Blame.RECIPIENT


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What became of some hand-overs; `dispatch.provider_gate` tells it to the breaker."""

    accepted: int = 0
    """Those the provider dealt with, refusals of single recipients included."""
    failed: int = 0
    throttled: int = 0
    retry_after: dt.timedelta | None = None
    """The longest wait that a throttled answer asked for."""


def tally(handovers: Iterable[Handover]) -> Tally:
    """Count answers by whose fault they are."""
    counts = dict.fromkeys(Blame, 0)
    asked: list[float] = []
    for handover in handovers:
        fault = blame(handover.error)
        counts[fault] += 1
        if fault is Blame.THROTTLED and handover.error is not None and handover.error.retry_after is not None:
            asked.append(handover.error.retry_after)
    return Tally(
        accepted=counts[Blame.NOBODY] + counts[Blame.RECIPIENT],
        failed=counts[Blame.PROVIDER],
        throttled=counts[Blame.THROTTLED],
        retry_after=dt.timedelta(seconds=max(asked)) if asked else None,
    )
