"""R45: who is paged when, as a table of minutes since a hold was due."""

import datetime as dt
from collections.abc import Collection

import pytest

from gateway.rules.escalation import BETWEEN_ROUNDS, MOST_ROUNDS, Advice, Alarm, Role, Round, advise

DUE = dt.datetime(2026, 6, 15, 9, 2, tzinfo=dt.UTC)
EVERYBODY = (Role.SAFEGUARDING, Role.HEAD, Role.OFFICE)
LEAD, HEAD, OFFICE = EVERYBODY


def at(minutes: float) -> dt.datetime:
    """Give the instant so many minutes after the hold was due."""
    return DUE + dt.timedelta(minutes=minutes)


def paged(*minutes: float, failed: Collection[float] = ()) -> list[Round]:
    """Say when there were rounds."""
    return [
        Round(number=number, at=at(minute), failed=minute in failed) for number, minute in enumerate(minutes, start=1)
    ]


@pytest.mark.parametrize(
    ("rounds", "minute", "role"),
    [
        (paged(), -0.01, None),
        (paged(), 0, LEAD),
        (paged(), 90, LEAD),
        (paged(0), 4.99, None),
        (paged(0), 5, HEAD),
        (paged(0, 5), 9.99, None),
        (paged(0, 5), 10, OFFICE),
        (paged(0, 5, 10), 15, LEAD),
        (paged(0, 5, 10, 15, 20), 25, OFFICE),
        (paged(0, failed=[0]), 0.02, HEAD),
        (paged(0, 0.02, failed=[0, 0.02]), 0.04, OFFICE),
        (paged(0, 0.02, 0.04, failed=[0, 0.02, 0.04]), 1, None),
        (paged(0, 0.02, 0.04, failed=[0, 0.02, 0.04]), 5.04, LEAD),
    ],
)
def test_who_is_paged_when(rounds: list[Round], minute: float, role: Role | None) -> None:
    """The lead at once, then every five minutes the next role; a round that reached nobody is followed up at once."""
    advice = advise(DUE, rounds, EVERYBODY, now=at(minute))
    assert advice == Advice(role=role, number=len(rounds) + 1 if role else 0)


@pytest.mark.parametrize(
    ("on_duty", "roles", "alarm"),
    [
        ([LEAD], [LEAD, LEAD, LEAD, LEAD, LEAD, LEAD], None),
        ([LEAD, OFFICE], [LEAD, OFFICE, LEAD, OFFICE, LEAD, OFFICE], None),
        ([HEAD], [HEAD, HEAD, HEAD, HEAD, HEAD, HEAD], Alarm.NOBODY_ON_DUTY),
        (EVERYBODY, [LEAD, HEAD, OFFICE, LEAD, HEAD, OFFICE], None),
    ],
)
def test_a_whole_half_hour_in_vain(on_duty: Collection[Role], roles: list[Role], alarm: Alarm | None) -> None:
    """Whoever is on the roster takes turns, six times; then it is the office's to find somebody."""
    rounds: list[Round] = []
    for role in roles:
        advice = advise(DUE, rounds, on_duty, now=at(5 * len(rounds)))
        assert (advice.role, advice.alarm) == (role, alarm)
        rounds.append(Round(number=advice.number, at=at(5 * len(rounds))))
    assert len(rounds) == MOST_ROUNDS
    assert advise(DUE, rounds, on_duty, now=rounds[-1].at + BETWEEN_ROUNDS) == Advice(alarm=Alarm.NOBODY_ANSWERS)


def test_an_empty_roster_is_the_offices_matter_at_once() -> None:
    """Nobody can be paged, and that is said as soon as somebody should be, not before."""
    assert advise(DUE, [], (), now=at(-1)) == Advice()
    assert advise(DUE, [], (), now=at(0)) == Advice(alarm=Alarm.NOBODY_ON_DUTY)


def test_a_new_hold_begins_again_with_the_lead() -> None:
    """Earlier rounds were about holds that somebody has answered; their numbers are not used twice."""
    earlier = paged(-20, -15)
    assert advise(DUE, earlier, EVERYBODY, now=at(0)) == Advice(role=LEAD, number=3)
    assert advise(DUE, [*earlier, Round(number=3, at=at(0))], EVERYBODY, now=at(5)) == Advice(role=HEAD, number=4)
