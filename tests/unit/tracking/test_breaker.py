"""The circuit breaker: when it opens, how it probes, when it closes; every news has an answer in every state."""

import datetime as dt
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tracking.blame import Tally
from gateway.tracking.breaker import LONGEST_PAUSE, LONGEST_TOLD, STEADY, TALLY_LASTS, Breaker, Cause, Standing

NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
PATIENCE = 35 * SECOND

CLOSED = Breaker(since=NOON - dt.timedelta(days=1))


def after(*news: Tally, breaker: Breaker = CLOSED, now: dt.datetime = NOON) -> Breaker:
    """Give the breaker after these news, all at one time, with the full pause."""
    for tally in news:
        breaker = breaker.told(tally, now=now, chance=0.0)
    return breaker


OPEN = after(Tally(failed=5))


@pytest.mark.parametrize(
    ("news", "standing"),
    [
        ([Tally(accepted=100)], Standing.CLOSED),
        ([Tally(failed=4)], Standing.CLOSED),
        ([Tally(failed=5)], Standing.OPEN),
        ([Tally(failed=1)] * 5, Standing.OPEN),
        ([Tally(accepted=95, failed=5)], Standing.CLOSED),
        ([Tally(accepted=50, failed=50)], Standing.OPEN),
        ([Tally(accepted=51, failed=49)], Standing.CLOSED),
        ([Tally(accepted=1000), Tally(failed=5)], Standing.OPEN),
        ([Tally(failed=4), Tally(accepted=10), Tally(failed=4)], Standing.CLOSED),
        ([Tally(accepted=99, throttled=1)], Standing.OPEN),
    ],
)
def test_when_it_opens(news: Sequence[Tally], standing: Standing) -> None:
    """Five failures and half of everything since the first of them; a single word to slow down."""
    assert after(*news).standing is standing


def test_failures_without_any_success_add_up_however_slowly() -> None:
    """A provider that has failed every hour's one mail is no better than one that fails five at once."""
    breaker = CLOSED
    for hour in range(5):
        breaker = after(Tally(failed=1), breaker=breaker, now=NOON + hour * dt.timedelta(minutes=50))
    assert breaker.standing is Standing.OPEN


def test_old_failures_are_forgotten_where_something_was_accepted() -> None:
    """Four failures and a success, then a minute of peace: the next failure is a first one."""
    breaker = after(Tally(accepted=1, failed=4))
    later = NOON + TALLY_LASTS
    assert after(Tally(failed=1), breaker=breaker, now=later).failed == 1
    assert after(Tally(accepted=1), breaker=breaker, now=later).untroubled


def test_a_probe_that_is_accepted_closes_it() -> None:
    """Everything may leave again."""
    later = NOON + SECOND
    probing = OPEN.probed(now=later, patience=PATIENCE)
    assert (probing.standing, probing.probe_at(urgent=False)) == (Standing.HALF_OPEN, later + PATIENCE)
    closed = after(Tally(accepted=1), breaker=probing, now=later)
    assert (closed.standing, closed.since, closed.probe_at(urgent=True)) == (Standing.CLOSED, later, None)


def test_pauses_double_up_to_five_minutes() -> None:
    """Each failed probe doubles the pause; jitter only shortens it, by a fifth at most."""
    pauses, breaker, now = [], OPEN, NOON
    for _ in range(12):
        assert breaker.until is not None
        pauses.append((breaker.until - now) / SECOND)
        now = breaker.until
        breaker = after(Tally(failed=1), breaker=breaker.probed(now=now, patience=PATIENCE), now=now)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    jittered = CLOSED.told(Tally(failed=5), now=NOON, chance=1.0)
    assert jittered.until == NOON + 0.8 * SECOND


def test_a_provider_that_only_bears_probes_is_paused_longer_each_time() -> None:
    """Opening again within a minute goes on doubling; after a steady minute it begins anew."""
    probing = OPEN.probed(now=NOON + SECOND, patience=PATIENCE)
    closed = after(Tally(accepted=1), breaker=probing, now=NOON + SECOND)
    soon, steady = closed.since + SECOND, closed.since + STEADY
    assert after(Tally(failed=5), breaker=closed, now=soon).until == soon + 2 * SECOND
    assert after(Tally(failed=5), breaker=closed, now=steady).until == steady + SECOND


@pytest.mark.parametrize(
    ("told", "pause"), [(7 * SECOND, 7 * SECOND), (dt.timedelta(0), SECOND), (dt.timedelta(days=2), LONGEST_TOLD)]
)
def test_a_pause_is_kept_as_told(told: dt.timedelta, pause: dt.timedelta) -> None:
    """Exactly so long, within bounds; being told does not count as another failure."""
    breaker = CLOSED.told(Tally(throttled=1, retry_after=told), now=NOON, chance=0.7)
    assert (breaker.cause, breaker.until, breaker.openings) == (Cause.THROTTLED, NOON + pause, 0)


def test_late_answers_do_not_touch_an_open_breaker() -> None:
    """What was under way when it opened says nothing new, unless the provider asks for a longer pause."""
    assert after(Tally(accepted=40), Tally(failed=40), Tally(throttled=1), breaker=OPEN) == OPEN
    longer = after(Tally(throttled=1, retry_after=60 * SECOND), breaker=OPEN)
    assert (longer.until, longer.cause) == (NOON + 60 * SECOND, Cause.THROTTLED)
    assert after(Tally(throttled=1, retry_after=10 * SECOND), breaker=longer) == longer


@pytest.mark.parametrize(
    ("news", "interval"),
    [(Tally(failed=5), 5 * SECOND), (Tally(throttled=1, retry_after=600 * SECOND), 30 * SECOND)],
)
def test_an_emergency_probes_sooner(news: Tally, interval: dt.timedelta) -> None:
    """Whatever pause the rest keeps, an emergency need not wait longer than this since the last try."""
    breaker = CLOSED
    for _ in range(9):
        breaker = after(news, breaker=breaker.probed(now=NOON, patience=PATIENCE) if breaker.cause else breaker)
    assert breaker.until is not None
    assert breaker.until > NOON + interval
    assert breaker.probe_at(urgent=True) == NOON + interval
    probing = breaker.probed(now=NOON + interval, patience=PATIENCE)
    assert probing.probe_at(urgent=True) == NOON + 2 * interval


_NEWS = st.builds(
    Tally,
    accepted=st.integers(0, 200),
    failed=st.integers(0, 200),
    throttled=st.integers(0, 200),
    retry_after=st.none() | st.timedeltas(dt.timedelta(days=-1), dt.timedelta(days=30)),
)
_STEPS = st.lists(
    st.tuples(st.timedeltas(-2 * SECOND, dt.timedelta(minutes=10)), st.none() | _NEWS, st.booleans(), st.floats(0, 1))
)


@given(_STEPS)
def test_every_news_has_an_answer_and_no_pause_is_for_ever(
    steps: list[tuple[dt.timedelta, Tally | None, bool, float]],
) -> None:
    """Whatever comes in whatever order, clocks that jump back included: closed, or a next probe within bounds."""
    breaker, now = CLOSED, NOON
    for wait, news, urgent, chance in steps:
        now += wait
        probe_at = breaker.probe_at(urgent=urgent)
        if news is not None:
            before, breaker = breaker, breaker.told(news, now=now, chance=chance)
            if before.standing is Standing.OPEN:
                assert breaker.standing is Standing.OPEN  # only a probe closes it
        elif probe_at is not None and now >= probe_at:
            breaker = breaker.probed(now=now, patience=PATIENCE)
        ordinary, urgent_at = breaker.probe_at(urgent=False), breaker.probe_at(urgent=True)
        if breaker.standing is Standing.CLOSED:
            assert ordinary is None
            assert urgent_at is None
        else:
            assert ordinary is not None
            assert urgent_at is not None
            assert urgent_at <= ordinary
            assert breaker.tried_at is not None
            assert ordinary - now <= max(LONGEST_PAUSE, LONGEST_TOLD) + 2 * SECOND * len(steps)
