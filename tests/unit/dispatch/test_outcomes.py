"""What a hand-over's answer means: the state, when it is tried again, what was learnt of the address."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Handover
from channels.errors import Retry, SendError
from gateway.directory.model import PointState
from gateway.dispatch.outcomes import outcome_of, withdrawn
from gateway.dispatch.requests import Lane
from gateway.dispatch.retrying import LONGEST_ASKED, RECOVERY_DELAY, next_attempt
from gateway.tracking.states import News, State, Step

NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
OF_DELIVERIES = [lane for lane in Lane if lane is not Lane.WEBHOOKS]


def row(**columns: Any) -> SimpleNamespace:
    """Describe a claimed delivery of the standard lane at its first attempt."""
    return SimpleNamespace(**{"lane": "standard", "attempts": 1, "expires_at": NOON + HOUR, **columns})


def answer(**fields: Any) -> Handover:
    """Give the provider's answer; no fields mean that it was accepted."""
    error = SendError(**{"code": "code", "explanation": "A sentence.", **fields}) if fields else None
    return Handover(delivery="d1", provider="outbox", provider_id=None if error else "p1", error=error)


@pytest.mark.parametrize(
    ("fields", "state", "step", "mark"),
    [
        ({}, State.SENT, Step.NOTHING, None),
        ({"retry": Retry.NEVER}, State.FAILED, Step.NEXT_ROUTE, None),
        ({"retry": Retry.NEVER, "address_dead": True}, State.FAILED, Step.NEXT_ROUTE, PointState.DEAD),
        ({"retry": Retry.NEVER, "opted_out": True}, State.FAILED, Step.NEXT_ROUTE, PointState.CARRIER_BLOCKED),
        ({"retry": Retry.LATER}, State.RETRYING, Step.RETRY, None),
        ({"retry": Retry.UNKNOWN}, State.UNKNOWN, Step.RECOVER, None),
    ],
)
def test_answers(fields: dict[str, Any], state: State, step: Step, mark: PointState | None) -> None:
    """Accepted, refused for good, not now, no answer."""
    outcome = outcome_of(row(), answer(**fields), now=NOON, chance=0.5)
    assert (outcome.change.state, outcome.change.step, outcome.mark) == (state, step, mark)
    assert outcome.handed_over


def test_no_answer_rests_before_it_is_looked_into() -> None:
    """Late answers of the provider may still come in meanwhile."""
    assert outcome_of(row(), answer(retry=Retry.UNKNOWN), now=NOON, chance=0.5).due_at == NOON + RECOVERY_DELAY


def test_retries_are_used_up() -> None:
    """After the last retry the next contact point is started."""
    outcome = outcome_of(row(attempts=8, expires_at=None), answer(retry=Retry.LATER), now=NOON, chance=0.5)
    assert (outcome.change.state, outcome.change.step) == (State.FAILED, Step.NEXT_ROUTE)


def test_no_retry_after_the_end() -> None:
    """A retry that would come after the delivery's time is not waited for."""
    near = NOON + dt.timedelta(seconds=10)
    outcome = outcome_of(row(expires_at=near), answer(retry=Retry.LATER), now=NOON, chance=0.5)
    assert (outcome.change.state, outcome.due_at) == (State.EXPIRED, None)


def test_what_was_withdrawn_is_no_attempt() -> None:
    """No provider was called, so none is named."""
    outcome = withdrawn(News.SUPPRESSED, "R01", "An order bars this.")
    assert (outcome.change.state, outcome.handed_over) == (State.SUPPRESSED, False)


@pytest.mark.parametrize(
    ("lane", "refusals", "asked", "chance", "seconds"),
    [
        (Lane.EMERGENCY, 1, None, 0.5, 2),
        (Lane.EMERGENCY, 9, None, 0.5, 600),
        (Lane.EMERGENCY, 1, 7.0, 0.0, 7),
        (Lane.STANDARD, 1, None, 0.0, 13.5),
        (Lane.STANDARD, 1, None, 1.0, 16.5),
        (Lane.STANDARD, 2, 10.0, 0.5, 60),
        (Lane.STANDARD, 1, 100.0, 1.0, 110),
        (Lane.BULK, 6, None, 0.5, 43_200),
        (Lane.BULK, 1, 30 * LONGEST_ASKED, 0.0, 86_400),
    ],
)
def test_how_long(lane: Lane, refusals: int, asked: float | None, chance: float, seconds: float) -> None:
    """The lane's schedule give or take a tenth, or what the provider asked for and up to a tenth more."""
    due = next_attempt(lane, refusals, now=NOON, chance=chance, asked=asked)
    assert due is not None
    assert (due - NOON).total_seconds() == pytest.approx(seconds)


@given(st.sampled_from(OF_DELIVERIES), st.integers(1, 20), st.floats(0, 1), st.floats(0, 86_400))
def test_delays(lane: Lane, refusals: int, chance: float, asked: float) -> None:
    """A retry comes later than now and never sooner than the provider asked; the last one is the end."""
    due = next_attempt(lane, refusals, now=NOON, chance=chance, asked=asked)
    if due is not None:
        assert due > NOON
        assert (due - NOON).total_seconds() >= asked - 0.001
    else:
        assert next_attempt(lane, refusals + 1, now=NOON, chance=chance) is None


@pytest.mark.parametrize("lane", OF_DELIVERIES)
def test_delays_grow_and_end(lane: Lane) -> None:
    """Each wait is longer than the one before it, whatever chance says, until there is none."""
    waits = []
    while (due := next_attempt(lane, len(waits) + 1, now=NOON, chance=1.0)) is not None:
        waits.append(due - NOON)
        earliest = next_attempt(lane, len(waits) + 1, now=NOON, chance=0.0)
        assert earliest is None or earliest - NOON > waits[-1]
    assert len(waits) > 3


def test_an_emergency_hurries() -> None:
    """The first three retries of an emergency come within 20 seconds, those of a newsletter after a minute each."""
    emergency = [next_attempt(Lane.EMERGENCY, number, now=NOON, chance=0.5) for number in (1, 2, 3)]
    assert all(due is not None and due - NOON <= dt.timedelta(seconds=20) for due in emergency)
    bulk = next_attempt(Lane.BULK, 1, now=NOON, chance=0.0)
    assert bulk is not None
    assert bulk - NOON >= dt.timedelta(seconds=50)
