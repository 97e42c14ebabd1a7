"""What `gateway doctor` advises: one sentence for each thing that works today and may not on a bad day."""

import datetime as dt
from types import SimpleNamespace

import pytest

from gateway.dispatch.metrics import Waiting
from gateway.dispatch.queue_server import QueueServerFacts
from gateway.operations import (
    Finding,
    database_findings,
    duty_findings,
    print_findings,
    queue_findings,
    waiting_findings,
)
from gateway.store.server import ServerFacts

NOW = dt.datetime(2026, 6, 15, 9, 0, tzinfo=dt.UTC)
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


def _server(*, in_use: int = 20, ahead: float = 0.0, **settings: str) -> ServerFacts:
    time = NOW + dt.timedelta(seconds=ahead)
    return ServerFacts(settings=SAFE | settings, time=time, connections=100, in_use=in_use)


def _advice(found: list[Finding]) -> str:
    return " ".join(finding.advice for finding in found if finding.advice is not None)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (_server(), ""),
        (_server(synchronous_commit="local"), ""),
        (_server(ahead=-1.9), ""),
        (_server(in_use=90), ""),
        (_server(fsync="off"), "set fsync to on"),
        (_server(fsync="off", full_page_writes="off"), "set fsync and full_page_writes to on"),
        (_server(synchronous_commit="off"), "202 can be lost"),
        (_server(ahead=61), "differ by 61 s"),
        (_server(ahead=-3), "differ by 3 s"),
        (_server(in_use=91), "may open 10"),
    ],
)
def test_a_database_that_may_lose_something_is_told_of(facts: ServerFacts, words: str) -> None:
    """A safe one gets no advice at all."""
    advice = _advice(list(database_findings(facts, now=NOW, pool=10)))
    assert words in advice
    assert bool(advice) == bool(words)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (QueueServerFacts(appends=True, when_full="noeviction"), ""),
        (QueueServerFacts(appends=False, when_full="noeviction"), "appendonly yes"),
        (QueueServerFacts(appends=True, when_full="allkeys-lru"), "allkeys-lru"),
    ],
)
def test_a_queue_that_forgets_is_told_of(facts: QueueServerFacts, words: str) -> None:
    """Nothing is lost by it, but the clock would have to find the work again."""
    advice = _advice(list(queue_findings(facts)))
    assert words in advice
    assert bool(advice) == bool(words)


@pytest.mark.parametrize(
    ("lane", "seconds", "late"),
    [("bulk", 299.0, False), ("bulk", 301.0, True), ("emergency", 9.0, False), ("emergency", 11.0, True)],
)
def test_work_that_nobody_takes_is_told_of(lane: str, seconds: float, late: bool) -> None:  # noqa: FBT001  # a table
    """A newsletter may wait for minutes, an alert not for seconds; the lane is named."""
    (finding,) = waiting_findings([Waiting(lane=lane, work="send", number=1, oldest_seconds=seconds)])
    assert f"{seconds:.0f} s" in finding.what
    assert (finding.advice is not None) == late
    assert not late or lane in str(finding.advice)


def test_without_work_nothing_is_late() -> None:
    """An idle installation is a healthy one."""
    assert [finding.advice for finding in waiting_findings([])] == [None]


def test_a_roster_without_a_lead_is_told() -> None:
    """Each school's gap is advice of its own; without any all is well."""
    assert [finding.advice for finding in duty_findings(["one", "two"])] == ["one", "two"]
    assert [finding.advice for finding in duty_findings([])] == [None]


@pytest.mark.parametrize(
    ("minutes", "fault", "words"),
    [
        ([], None, None),
        ([59], None, None),
        ([60], None, "1 not done, the oldest for 1 h. No worker has taken it up"),
        ([180, 10, 90], "The SFTP server cannot be reached.", "2 not done, the oldest for 3 h. The SFTP server cannot"),
    ],
)
def test_print_runs_that_nobody_finishes_are_told_of(minutes: list[int], fault: str | None, words: str | None) -> None:
    """Letters are slow, a run is not; what keeps the oldest is told as staff are told it."""
    runs = [SimpleNamespace(created_at=NOW - dt.timedelta(minutes=each), fault=fault) for each in minutes]
    (finding,) = print_findings(runs, now=NOW)
    assert finding.advice is None if words is None else words in str(finding.advice)
