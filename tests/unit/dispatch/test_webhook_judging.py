"""What receivers' answers lead to: the schedule of attempts, rests, and the end of an endpoint."""

import datetime as dt
import itertools
from typing import Any

import pytest

from gateway.dispatch.webhooks.judging import (
    DELAYS,
    Disabled,
    PostAnswer,
    PostOutcome,
    Standing,
    next_due,
    outcome_of,
    standing_after,
    wish_of,
)

NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)


def said(outcome: PostOutcome = PostOutcome.REFUSED, **fields: Any) -> PostAnswer:
    """Make an answer."""
    return PostAnswer(outcome=outcome, milliseconds=1, **fields)


def seconds(number: float) -> dt.timedelta:
    """Make a span."""
    return dt.timedelta(seconds=number)


def test_the_schedule_is_the_standards() -> None:
    """Ten attempts, the last after 75 h 35 min 5 s, each delay counted from the attempt before."""
    at: dt.datetime | None = NOON
    instants = []
    for attempt in range(1, 11):
        assert at is not None
        instants.append(at)
        at = next_due(attempt, said(), now=at, chance=0)
    assert at is None
    hours = [(instant - NOON) / dt.timedelta(hours=1) for instant in instants]
    assert instants[1] - NOON == seconds(5)
    assert hours[-1] == pytest.approx(75 + 35 / 60 + 5 / 3600)
    assert [later - earlier for earlier, later in itertools.pairwise(instants)] == list(DELAYS)


def test_chance_only_ever_adds() -> None:
    """Jitter lengthens a delay by up to a tenth."""
    for attempt, delay in enumerate(DELAYS, start=1):
        for chance in (0.0, 0.5, 1.0):
            due = next_due(attempt, said(), now=NOON, chance=chance)
            assert due is not None
            assert delay <= due - NOON <= delay * 1.1


def test_what_is_taken_is_not_sent_again_and_a_wish_is_kept() -> None:
    """A receiver that asks for two minutes gets them; one that asks for less than the schedule gets the schedule."""
    assert next_due(1, said(PostOutcome.DELIVERED), now=NOON, chance=1) is None
    assert next_due(1, said(retry_after=seconds(120)), now=NOON, chance=0) == NOON + seconds(120)
    assert next_due(2, said(retry_after=seconds(120)), now=NOON, chance=0) == NOON + seconds(300)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"), (204, "delivered"), (299, "delivered"), (301, "refused"), (307, "refused"),
        (400, "refused"), (404, "refused"), (410, "gone"), (429, "throttled"), (500, "refused"), (502, "throttled"),
        (503, "refused"), (504, "throttled"),
    ],
)  # fmt: skip
def test_statuses(status: int, outcome: str) -> None:
    """2xx takes it, 410 ends it, three are a cry for less, all else is a failure."""
    assert outcome_of(status) == outcome


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        (None, None), ("120", 120), (" 7 ", 7), ("0", 0), ("Mon, 15 Jun 2026 11:02:00 GMT", 120),
        ("Mon, 15 Jun 2026 10:00:00 GMT", 0), ("999999999999999999999", 86_400), ("-5", None), ("soon", None),
        ("", None), ("1e9", None), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400), ("²", None),
    ],
)  # fmt: skip
def test_retry_after(header: str | None, wish: float | None) -> None:
    """Seconds or a date, never more than a day; what is neither is no wish."""
    assert wish_of(header, now=NOON) == (None if wish is None else seconds(wish))


def test_an_endpoint_that_fails_rests_a_little_longer_each_time() -> None:
    """5 s, then twice as long, up to five minutes: never longer than the schedule's own delay; one success ends it."""
    standing, rests = Standing(), []
    for _ in range(9):
        standing = standing_after(standing, [said(), said()], now=NOON)
        assert standing.rests_until is not None
        rests.append((standing.rests_until - NOON).total_seconds())
    assert rests == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert all(rest <= delay.total_seconds() for rest, delay in zip(rests, DELAYS, strict=True))
    assert standing_after(standing, [said(), said(PostOutcome.DELIVERED)], now=NOON) == Standing()


@pytest.mark.parametrize(
    ("answers", "rest"),
    [
        ([said(PostOutcome.THROTTLED)], 60),
        ([said(PostOutcome.DELIVERED), said(PostOutcome.THROTTLED)], 60),
        ([said(PostOutcome.THROTTLED, retry_after=seconds(300))], 300),
        ([said(PostOutcome.REFUSED, retry_after=seconds(300)), said(PostOutcome.DELIVERED)], 300),
        ([said(PostOutcome.THROTTLED, retry_after=seconds(1))], 60),
    ],
)
def test_an_endpoint_that_cannot_keep_up_is_left_alone(answers: list[PostAnswer], rest: float) -> None:
    """For a minute or as long as it asks, even if it took others."""
    assert standing_after(Standing(), answers, now=NOON).rests_until == NOON + seconds(rest)


def test_five_days_of_nothing_but_failures_disable() -> None:
    """Not a second earlier, and not when it took anything in between."""
    failing = standing_after(Standing(), [said()], now=NOON)
    assert failing.failing_since == NOON
    just_before = standing_after(failing, [said()], now=NOON + dt.timedelta(days=5) - seconds(1))
    assert just_before.disabled is None
    assert standing_after(just_before, [said()], now=NOON + dt.timedelta(days=5)).disabled is Disabled.FAILING
    better = standing_after(just_before, [said(PostOutcome.DELIVERED)], now=NOON + dt.timedelta(days=4))
    assert standing_after(better, [said()], now=NOON + dt.timedelta(days=6)).disabled is None


def test_gone_disables_at_once() -> None:
    """410 is the receiver's own word; a round in which nothing was posted changes nothing."""
    assert standing_after(Standing(), [said(PostOutcome.GONE)], now=NOON).disabled is Disabled.GONE
    failing = Standing(failures=3, failing_since=NOON)
    assert standing_after(failing, [], now=NOON) is failing
