"""What a receiver's answer means: whether and when an event is posted again, and how its endpoint stands. Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

DELAYS = tuple(
    dt.timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""From each attempt to the next (Standard Webhooks 1.0.0); the first is made at once, the tenth is the last."""

JITTER = 0.1
"""How much of a delay chance may add, so that what failed together does not come back together."""

GIVEN_UP_AFTER = dt.timedelta(days=5)
"""So long an endpoint may take nothing at all before it is disabled."""

_THROTTLING = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT},
)
_THROTTLED_REST = dt.timedelta(seconds=60)
_LONGEST_WISH = dt.timedelta(days=1)
_SHORTEST_REST = dt.timedelta(seconds=5)
_LONGEST_REST = dt.timedelta(minutes=5)


class PostOutcome(StrEnum):
    """What came of one attempt."""

    DELIVERED = "delivered"
    """It was taken: 2xx."""
    REFUSED = "refused"
    """Any other status; a redirection (3xx) too, which is not followed."""
    GONE = "gone"
    """410: this endpoint wants nothing any more."""
    THROTTLED = "throttled"
    """429, 502 or 504: it cannot keep up."""
    NO_ANSWER = "no_answer"
    """It was connected to and did not answer in time, or broke off."""
    NOT_CONNECTED = "not_connected"
    """No connection came about, or none that TLS trusts."""
    ADDRESS_REFUSED = "address_refused"
    """Its name leads to an address that is not public."""


ENOUGH = frozenset(PostOutcome) - {PostOutcome.DELIVERED, PostOutcome.REFUSED}
"""Outcomes after which the events that wait are left alone for now: nobody is there, or nobody wants them."""


class Disabled(StrEnum):
    """Why an endpoint is not posted to any more until somebody enables it."""

    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It has taken nothing for five days."""
    SECRET_LOST = "secret_lost"  # noqa: S105  # a reason, no secret
    """The installation's secret key has changed, and with it this endpoint's secret: rotate it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostAnswer:
    """What came of one attempt, and how long it took."""

    outcome: PostOutcome
    milliseconds: int
    status: int | None = None
    retry_after: dt.timedelta | None = None
    """How long the receiver wants to be left alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How an endpoint has fared so far."""

    failures: int = 0
    failing_since: dt.datetime | None = None
    rests_until: dt.datetime | None = None
    disabled: Disabled | None = None


def outcome_of(status: int) -> PostOutcome:
    """Judge a status."""
    if 200 <= status < 300:
        return PostOutcome.DELIVERED
    if status == HTTPStatus.GONE:
        return PostOutcome.GONE
    return PostOutcome.THROTTLED if status in _THROTTLING else PostOutcome.REFUSED


def wish_of(header: str | None, *, now: dt.datetime) -> dt.timedelta | None:
    """Read a Retry-After (RFC 9110: seconds or a date); nobody is left alone for more than a day."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(dt.timedelta(seconds=min(int(text[:9]), 10**8)), _LONGEST_WISH)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return min(max(until - now, dt.timedelta()), _LONGEST_WISH)


def next_due(attempts: int, answer: PostAnswer, *, now: dt.datetime, chance: float) -> dt.datetime | None:
    """Say when an event is posted again after so many attempts, the last with this answer; None for never."""
    if answer.outcome is PostOutcome.DELIVERED or attempts > len(DELAYS):
        return None
    delay = DELAYS[attempts - 1] * (1 + JITTER * chance)
    return now + max(delay, answer.retry_after or dt.timedelta())


def standing_after(before: Standing, answers: Sequence[PostAnswer], *, now: dt.datetime) -> Standing:
    """Say how an endpoint stands after a round of posts.

    One that takes nothing rests, and is then tried with one event at a time: the others keep their attempts, and go
    out at once when it is back.
    """
    if not answers:
        return before
    if any(answer.outcome is PostOutcome.GONE for answer in answers):
        return replace(before, disabled=Disabled.GONE)
    standing = Standing()
    rest = dt.timedelta()
    if all(answer.outcome is not PostOutcome.DELIVERED for answer in answers):
        since = before.failing_since or now
        failures = before.failures + 1
        disabled = Disabled.FAILING if now - since >= GIVEN_UP_AFTER else None
        standing = Standing(failures=failures, failing_since=since, disabled=disabled)
        rest = min(_SHORTEST_REST * 2 ** min(failures - 1, 10), _LONGEST_REST)
    if any(answer.outcome is PostOutcome.THROTTLED for answer in answers):
        rest = max(rest, _THROTTLED_REST)
    rest = max([rest, *(answer.retry_after for answer in answers if answer.retry_after)])
    return replace(standing, rests_until=now + rest if rest else None)
