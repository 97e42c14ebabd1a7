"""What makes the difference between an installation that works and one that works safely: for `gateway doctor`."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import QueuePool

from gateway.dispatch.backlog import Backlog
from gateway.dispatch.duty import duty_gaps
from gateway.dispatch.metrics import Waiting
from gateway.dispatch.queue_server import QueueServerFacts, ask_queue_server
from gateway.dispatch.requests import Lane
from gateway.store.database import Database
from gateway.store.print_runs import due_runs
from gateway.store.server import ServerFacts, server_facts

SKEW = dt.timedelta(seconds=2)
"""Leases last 30 to 60 seconds, and each process judges them by its own machine's clock."""
LATE_SECONDS = 300.0
"""Due work this old says that nobody takes it, or not fast enough."""
LATE_ALERT_SECONDS = 10.0
"""The same for an emergency."""
LATE_RUN = dt.timedelta(hours=1)
"""A print run takes minutes; one that is this old is stuck, or waits for a worker."""

_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    advice: str | None
    """What to change, in a sentence; None when all is well. Until it is heeded, a send still works."""


async def findings(
    database: Database, redis_url: str | None, backlog: Backlog, *, now: Callable[[], dt.datetime]
) -> list[Finding]:
    """Look; raises when a server is away, so see to readiness first."""
    found: list[Finding] = []
    pool = database.engine.pool
    before = now()
    async with database.reading() as connection:
        facts = await server_facts(connection)
        gaps = await duty_gaps(connection)
        # What failed is put off by an hour at most, and is not done all the same.
        runs = await due_runs(connection, now=before + 2 * LATE_RUN)
    if facts is not None:
        meanwhile = before + (now() - before) / 2
        found += database_findings(facts, now=meanwhile, pool=pool.size() if isinstance(pool, QueuePool) else 0)
    if redis_url is not None:
        found += queue_findings(await ask_queue_server(redis_url, patience=_PATIENCE_SECONDS))
    waiting = await backlog.waiting()
    return [*found, *duty_findings(gaps), *waiting_findings(waiting), *print_findings(runs, now=before)]


def duty_findings(gaps: Sequence[str]) -> list[Finding]:
    """Judge the schools' duty rosters by what they lack."""
    what = "somebody is paged about a held alert"
    return [Finding(what=what, advice=gap) for gap in gaps] or [Finding(what=what, advice=None)]


def database_findings(facts: ServerFacts, *, now: dt.datetime, pool: int) -> Iterator[Finding]:
    """Judge a PostgreSQL server; `now` is this machine's time at the moment the server told its own."""
    unsafe = [name for name in ("fsync", "full_page_writes") if facts.settings[name] == "off"]
    advice = None
    if unsafe:
        advice = f"a power cut can ruin all of it: set {' and '.join(unsafe)} to on."
    yield Finding(what="database survives a power cut", advice=advice)

    commit = facts.settings["synchronous_commit"]
    advice = None
    if commit == "off":
        advice = "synchronous_commit is off, so what was answered 202 can be lost: set it to on or local."
    yield Finding(what=f"commits are durable: synchronous_commit is {commit}", advice=advice)

    skew = abs(facts.time - now)
    advice = None
    if skew > SKEW:
        advice = f"they differ by {skew.total_seconds():.0f} s: let NTP set the clocks of both machines."
    yield Finding(what="clocks of this machine and the database agree", advice=advice)

    advice = None
    if facts.in_use + pool > facts.connections:
        advice = f"another process may open {pool}: raise max_connections or put a pooler in between."
    yield Finding(what=f"database connections: {facts.in_use} of {facts.connections} in use", advice=advice)


def queue_findings(facts: QueueServerFacts) -> Iterator[Finding]:
    """Judge a Redis server."""
    advice = None
    if not facts.appends:
        advice = "a restart forgets its wake-ups and the clock has to find the work again: set appendonly yes."
    yield Finding(what="queue survives a restart", advice=advice)

    advice = None
    if facts.when_full != "noeviction":
        advice = f"a full server drops wake-ups silently ({facts.when_full}): set maxmemory-policy noeviction."
    yield Finding(what="queue drops nothing when memory is short", advice=advice)


def waiting_findings(waiting: list[Waiting]) -> Iterator[Finding]:
    """Judge what waits."""
    oldest = max(waiting, key=lambda row: row.oldest_seconds, default=None)
    late = [row for row in waiting if row.oldest_seconds > _patience(row.lane)]
    advice = None
    if late:
        lanes = ", ".join(sorted({f"{row.lane} ({row.oldest_seconds:.0f} s)" for row in late}))
        advice = f"nobody takes the work of {lanes}: see that its workers and the clock run."
    age = 0.0 if oldest is None else oldest.oldest_seconds
    yield Finding(what=f"oldest due work: {age:.0f} s", advice=advice)


def print_findings(runs: Sequence[Any], *, now: dt.datetime) -> Iterator[Finding]:
    """Judge print runs that are not done; each has `created_at` and `fault`."""
    late = sorted((run for run in runs if run.created_at <= now - LATE_RUN), key=lambda run: run.created_at)
    advice = None
    if late:
        hours = (now - late[0].created_at).total_seconds() / 3600
        why = late[0].fault or "No worker has taken it up: see that one of the lane letters runs."
        advice = f"{len(late)} not done, the oldest for {hours:.0f} h. {why}"
    yield Finding(what="print runs are done within the hour", advice=advice)


def _patience(lane: str) -> float:
    return LATE_ALERT_SECONDS if lane == Lane.EMERGENCY else LATE_SECONDS
