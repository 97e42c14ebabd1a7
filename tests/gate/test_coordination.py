"""One contract for both ways to coordinate: budgets are never overdrawn, values change hands one at a time."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.dispatch.coordination.base import Taken
from gateway.dispatch.coordination.bucket import Bucket
from tests.gate.workers import Clock, places

STEPS = st.lists(
    st.tuples(
        st.floats(0, 3, width=32),
        st.integers(0, 2),
        st.integers(0, 150),
        st.sampled_from([0.0, 0.25, 0.5]),
    ),
    max_size=25,
)
"""Seconds since the step before, which worker, how many it wants, what it leaves."""

Step = tuple[float, int, int, float]

FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""Redis is asked over the network; its database may be shared between examples, which use names of their own."""


async def taken(redis_url: str | None, rate: float, steps: list[Step]) -> list[tuple[float, Taken]]:
    """Walk through the steps; give the seconds since the beginning and what was taken."""
    clock, answers = Clock(), []
    start = clock.now
    async with places(redis_url, clock) as workers:
        for seconds, worker, wanted, reserve in steps:
            clock.forward(seconds)
            answer = await workers[worker].take("p", Bucket(rate), wanted=wanted, reserve=reserve)
            answers.append(((clock.now - start).total_seconds(), answer))
    return answers


@FEW
@given(rate=st.floats(0.05, 120), steps=STEPS)
def test_no_window_sees_more_than_its_rate_and_one_burst(shared_on: str | None, rate: float, steps: list[Step]) -> None:
    """Over any stretch of time, whoever asks in whatever order: at most rate x time + what the bucket holds."""
    answers = asyncio.run(taken(shared_on, rate, steps))
    for first, (start, _) in enumerate(answers):
        granted = 0
        for end, answer in answers[first:]:
            granted += answer.granted
            assert granted <= rate * (end - start) + Bucket(rate).size + 1e-3


@FEW
@given(rate=st.floats(0.05, 120), steps=STEPS)
def test_lua_and_python_reckon_alike(redis_database: str, rate: float, steps: list[Step]) -> None:
    """The script on Redis gives the very numbers of the pure bucket, to the last digit."""
    assert asyncio.run(taken(redis_database, rate, steps)) == asyncio.run(taken(None, rate, steps))


@FEW
@given(rate=st.floats(0.05, 120), steps=STEPS, reserve=st.sampled_from([0.0, 0.25, 0.5]))
def test_who_waits_as_told_gets_something(
    shared_on: str | None, rate: float, steps: list[Step], reserve: float
) -> None:
    """Whoever was refused and comes back when told, with nobody in between, is granted at least one."""

    async def come_back() -> tuple[Taken, Taken]:
        clock = Clock()
        async with places(shared_on, clock) as workers:
            for seconds, worker, wanted, kept in steps:
                clock.forward(seconds)
                await workers[worker].take("p", Bucket(rate), wanted=wanted, reserve=kept)
            refused = await workers[0].take("p", Bucket(rate), wanted=100_000, reserve=reserve)
            clock.forward(refused.wait)
            return refused, await workers[1].take("p", Bucket(rate), wanted=100_000, reserve=reserve)

    refused, granted = asyncio.run(come_back())
    assert refused.wait > 0
    assert granted.granted >= 1


async def test_all_at_once(shared_on: str | None, clock: Clock) -> None:
    """A hundred workers that ask in the same moment share one bucket."""
    async with places(shared_on, clock, 10) as workers:
        asked = (workers[i % 10].take("p", Bucket(40), wanted=3, reserve=0.0) for i in range(100))
        assert sum(answer.granted for answer in await asyncio.gather(*asked)) == 40


async def test_each_name_has_its_own_bucket(shared_on: str | None, clock: Clock) -> None:
    """One provider's budget is not another's."""
    async with places(shared_on, clock) as (one, other, _):
        assert (await one.take("a", Bucket(10), wanted=10, reserve=0.0)).granted == 10
        assert (await other.take("a", Bucket(10), wanted=10, reserve=0.0)).granted == 0
        assert (await other.take("b", Bucket(10), wanted=10, reserve=0.0)).granted == 10


async def test_a_lower_rate_takes_effect_at_once(shared_on: str | None, clock: Clock) -> None:
    """An operator who tightens a limit need not wait for a full bucket to run out."""
    async with places(shared_on, clock) as (one, other, _):
        assert (await one.take("p", Bucket(100), wanted=10, reserve=0.0)).left == 90
        assert (await other.take("p", Bucket(10), wanted=100, reserve=0.0)).granted == 10


async def test_a_clock_that_runs_behind_adds_nothing(shared_on: str | None, clock: Clock) -> None:
    """Workers with different clocks never draw the same second twice."""
    async with places(shared_on, clock) as (ahead, behind, _):
        clock.forward(10)
        assert (await ahead.take("p", Bucket(10), wanted=10, reserve=0.0)).granted == 10
        clock.forward(-10)
        answer = await behind.take("p", Bucket(10), wanted=10, reserve=0.0)
        assert (answer.granted, answer.wait > 10) == (0, True)
        clock.forward(10)
        assert (await ahead.take("p", Bucket(10), wanted=10, reserve=0.0)).granted == 0


async def test_a_value_changes_hands_one_at_a_time(shared_on: str | None, clock: Clock) -> None:
    """Of many who saw the same value one replaces it; the others learn that they were too late."""
    async with places(shared_on, clock, 8) as workers:
        assert await workers[0].read("v") is None
        first = await asyncio.gather(*(w.replace("v", None, b"%d" % i) for i, w in enumerate(workers)))
        assert sum(first) == 1
        winner = b"%d" % first.index(True)
        assert [await worker.read("v") for worker in workers] == [winner] * 8
        assert not await workers[1].replace("v", b"other", b"x")
        assert not await workers[1].replace("v", None, b"x")
        assert await workers[1].replace("v", winner, b"\xff\x00")
        assert await workers[2].read("v") == b"\xff\x00"


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_is_a_number_above_zero(rate: float) -> None:
    """No limit is None, never a bucket without a bottom."""
    with pytest.raises(ValueError, match="above zero"):
        Bucket(rate)
