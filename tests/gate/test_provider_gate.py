"""The gate as the senders of several processes meet it: lanes, budgets, breakers; embedded and on Redis."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import Limits
from gateway.dispatch.coordination.base import Taken
from gateway.dispatch.coordination.bucket import Bucket
from gateway.dispatch.coordination.in_process import InProcess
from gateway.dispatch.provider_gate import ASK_AGAIN, RESERVE, Admission, ProviderGate, ProviderHealth
from gateway.dispatch.requests import Lane
from gateway.tracking.breaker import Cause, Standing
from tests.gate.workers import NOON, Clock, gates

NAME = "sms/test"
FREE = Limits()
SECOND = dt.timedelta(seconds=1)


async def ask(gate: ProviderGate, wanted: int, *, lane: Lane = Lane.STANDARD, limits: Limits = FREE) -> Admission:
    """Ask for hand-overs."""
    return await gate.admit(NAME, limits, lane=lane, wanted=wanted)


async def tell(gate: ProviderGate, **news: Any) -> None:
    """Report what became of hand-overs."""
    await gate.report(NAME, **{"accepted": 0, "failed": 0, "throttled": 0, "retry_after": None, **news})


class Counting(InProcess):
    """Counts what it is asked."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(now=clock)
        self.asked = 0

    async def take(self, name: str, bucket: Bucket, *, wanted: int, reserve: float) -> Taken:
        """Count, then take."""
        self.asked += 1
        return await super().take(name, bucket, wanted=wanted, reserve=reserve)

    async def read(self, name: str) -> bytes | None:
        """Count, then read."""
        self.asked += 1
        return await super().read(name)

    async def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Count, then replace."""
        self.asked += 1
        return await super().replace(name, old, new)


async def test_good_times_without_a_limit_cost_one_question_a_second(clock: Clock) -> None:
    """A thousand batches are admitted and reported without a word to the others."""
    place = Counting(clock)
    gate = ProviderGate(place, {}, now=clock, chance=lambda: 0.0)
    for _ in range(1000):
        assert await ask(gate, 100) == Admission(granted=100, retry_at=None)
        await tell(gate, accepted=100)
    assert place.asked == 1
    clock.forward(1)
    await ask(gate, 100)
    assert place.asked == 2


async def test_each_lane_leaves_a_reserve_to_those_above(shared_on: str | None, clock: Clock) -> None:
    """Bulk stops at half of the bucket, standard at a quarter; an emergency takes the last token."""
    limits = Limits(rate=100)
    async with gates(shared_on, clock, limits) as (one, other, third):
        assert (await ask(one, 1000, lane=Lane.BULK, limits=limits)).granted == 50
        assert (await ask(other, 1000, lane=Lane.BULK, limits=limits)).granted == 0
        assert (await ask(third, 1000, limits=limits)).granted == 25
        assert (await ask(one, 1000, limits=limits)).granted == 0
        assert (await ask(other, 1000, lane=Lane.EMERGENCY, limits=limits)).granted == 25
        refused = await ask(one, 1000, lane=Lane.EMERGENCY, limits=limits)
        assert refused.granted == 0
        assert refused.retry_at is not None
        clock.now = refused.retry_at
        assert (await ask(one, 50, lane=Lane.EMERGENCY, limits=limits)) == Admission(granted=50, retry_at=None)


LANES = st.lists(
    st.tuples(
        st.floats(0, 2, width=32),
        st.integers(0, 2),
        st.sampled_from(list(RESERVE)),
        st.integers(1, 60),
    ),
    max_size=30,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rate=st.floats(0.1, 40), steps=LANES)
def test_no_other_lane_ever_refuses_an_emergency(
    shared_on: str | None, rate: float, steps: list[tuple[float, int, Lane, int]]
) -> None:
    """Emergencies get at least what a bucket of their own, with the reserve's size and the full rate, would give."""

    async def granted_to_emergencies() -> list[tuple[float, int, int]]:
        clock, granted = Clock(), []
        limits = Limits(rate=rate)
        async with gates(shared_on, clock, limits) as workers:
            for seconds, worker, lane, wanted in steps:
                clock.forward(seconds)
                admission = await ask(workers[worker], wanted, lane=lane, limits=limits)
                if lane is Lane.EMERGENCY:
                    granted.append(((clock.now - NOON).total_seconds(), wanted, admission.granted))
        return granted

    reserve = Bucket(rate).size * RESERVE[Lane.STANDARD]
    assert reserve >= 1
    own, at = reserve, 0.0
    for now, wanted, granted in asyncio.run(granted_to_emergencies()):
        own, at = min(reserve, own + (now - at) * rate), now
        assert granted >= min(wanted, int(own - 1e-3))
        own = max(0.0, own - granted)


async def test_a_failing_provider_is_left_alone_by_all(shared_on: str | None, clock: Clock) -> None:
    """What one worker finds out holds for the others within a second; nothing leaves while the pause lasts."""
    async with gates(shared_on, clock, FREE) as (one, other, third):
        assert (await ask(other, 10)).granted == 10
        await tell(one, failed=5)
        until = NOON + SECOND
        assert await ask(one, 10) == Admission(granted=0, retry_at=until)
        assert await ask(third, 10) == Admission(granted=0, retry_at=until)
        clock.forward(0.5)
        await tell(one, failed=100)
        clock.forward(0.49)
        assert await ask(one, 10) == Admission(granted=0, retry_at=until)


async def test_one_probe_at_a_time_and_its_success_frees_all(shared_on: str | None, clock: Clock) -> None:
    """Of all workers that come back, one hands over one; when it is accepted, everything leaves again."""
    async with gates(shared_on, clock, FREE, 6) as workers:
        assert [(await ask(worker, 10)).granted for worker in workers] == [10] * 6
        await tell(workers[0], failed=5)
        clock.forward(1)
        admissions = await asyncio.gather(*(ask(worker, 10) for worker in workers))
        assert sorted(admission.granted for admission in admissions) == [0, 0, 0, 0, 0, 1]
        assert {admission.retry_at for admission in admissions} == {clock.now + ASK_AGAIN}
        await tell(workers[3], accepted=1)
        assert await ask(workers[3], 10) == Admission(granted=10, retry_at=None)
        clock.forward(1)
        assert [(await ask(worker, 10)).granted for worker in workers] == [10] * 6


async def test_a_probe_that_never_answers_is_given_up(shared_on: str | None, clock: Clock) -> None:
    """Its worker may have died: after the provider's time limit and a margin another one probes."""
    limits = Limits(timeout=30)
    async with gates(shared_on, clock, limits) as (one, other, _):
        await tell(one, failed=5)
        clock.forward(1)
        assert (await ask(one, 1, limits=limits)) == Admission(granted=1, retry_at=None)
        clock.forward(34.9)
        assert (await ask(other, 1, limits=limits)).granted == 0
        clock.forward(0.2)
        assert (await ask(other, 1, limits=limits)).granted == 1


async def test_failed_probes_wait_longer(shared_on: str | None, clock: Clock) -> None:
    """One second, two, four: whoever probes, the pauses double."""
    async with gates(shared_on, clock, FREE) as workers:
        await tell(workers[0], failed=5)
        for number, pause in enumerate((1, 2, 4, 8)):
            worker = workers[number % 3]
            clock.forward(pause - 0.01)
            assert (await ask(worker, 5)).granted == 0
            clock.forward(0.01)
            assert (await ask(worker, 5)).granted == 1
            await tell(worker, failed=1)


async def test_a_pause_is_kept_as_the_provider_told(shared_on: str | None, clock: Clock) -> None:
    """Retry-After of one worker's answer binds all of them; an emergency may knock every 30 seconds."""
    async with gates(shared_on, clock, FREE) as (one, other, _):
        await tell(one, accepted=99, throttled=1, retry_after=120 * SECOND)
        assert (await ask(other, 10)).retry_at == NOON + 120 * SECOND
        assert (await ask(other, 10, lane=Lane.EMERGENCY)).retry_at == NOON + 30 * SECOND
        clock.forward(30)
        assert (await ask(other, 10, lane=Lane.BULK)).granted == 0
        assert (await ask(other, 10, lane=Lane.EMERGENCY)).granted == 1
        clock.forward(90)
        assert (await ask(one, 10, lane=Lane.EMERGENCY)).granted == 1


async def test_refused_recipients_do_not_open_it(shared_on: str | None, clock: Clock) -> None:
    """The provider did its part: such answers count as accepted, and nothing at all is no news."""
    async with gates(shared_on, clock, FREE) as (one, _, _):
        await tell(one, accepted=1000)
        await tell(one)
        assert (await ask(one, 10)).granted == 10


async def test_a_probe_needs_budget_too(shared_on: str | None, clock: Clock) -> None:
    """What bulk may not draw from the bucket it may not send as a probe either."""
    limits = Limits(rate=10)
    async with gates(shared_on, clock, limits) as (one, other, _):
        assert (await ask(one, 10, lane=Lane.EMERGENCY, limits=limits)).granted == 10
        await tell(one, failed=5)
        clock.forward(0.3)
        await tell(one, throttled=1, retry_after=SECOND)
        clock.forward(0.7)
        drained = await ask(other, 100, lane=Lane.EMERGENCY, limits=limits)
        assert drained.granted == 0
        clock.forward(0.3)
        assert (await ask(other, 100, lane=Lane.EMERGENCY, limits=limits)).granted == 1


@pytest.mark.parametrize("wanted", [1, 10])
async def test_states_tell_the_same_everywhere(shared_on: str | None, clock: Clock, wanted: int) -> None:
    """Readiness, metrics and the doctor see breaker and budget as all workers share them."""
    limits = Limits(rate=20)
    async with gates(shared_on, clock, limits) as (one, other, _):
        await ask(one, wanted, limits=limits)
        healthy = ProviderHealth(
            provider=NAME, standing=Standing.CLOSED, since=NOON, cause=None, retry_at=None, rate=20.0,
            budget_left=20 - wanted,
        )  # fmt: skip
        assert await other.states() == [healthy]
        clock.forward(5)
        await tell(one, throttled=1, retry_after=60 * SECOND)
        (paused,) = await other.states()
        assert (paused.standing, paused.cause, paused.since) == (Standing.OPEN, Cause.THROTTLED, clock.now)
        assert (paused.retry_at, paused.budget_left) == (clock.now + 60 * SECOND, 20)


async def test_what_another_release_stored_is_a_closed_breaker(clock: Clock) -> None:
    """An unreadable value stops nothing, and the next news replaces it."""
    place = InProcess(now=clock)
    await place.replace(NAME, None, b'{"since": "yesterday"}')
    gate = ProviderGate(place, {}, now=clock, chance=lambda: 0.0)
    assert (await ask(gate, 10)).granted == 10
    await tell(gate, failed=5)
    assert (await ask(gate, 10)).granted == 0
