"""Figures of one process for Prometheus: what was accepted, planned, handed over and settled, and what waits.

Labels are words of our own vocabulary and route templates: no id, name, address or school, so that anybody who may
see the figures learns nothing about a person, and their number stays small. One object a process; counting costs
about a microsecond (measured), and callers count whole batches.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.dispatch.providers import Terms
from gateway.dispatch.requests import Lane

CONTENT_TYPE = CONTENT_TYPE_LATEST

_PROVIDER_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Work of one kind in one lane that is not done: to be planned (`plan`) or to be sent (`send`)."""

    lane: str
    work: str
    number: int
    oldest_seconds: float
    """How long the oldest has been due; 0 when nothing is due yet."""


class Metrics:
    """Counts for one process, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"gateway_{name}", what, labels, registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"gateway_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"gateway_{name}", what, labels, buckets=buckets, registry=registry)

        # Looking a label up costs twice what counting does: each is looked up once.
        self._accepted = functools.cache(counter("accepted", "Notifications accepted.", "lane").labels)
        self._contacts = functools.cache(counter("planned_contacts", "Contacts decided about.", "lane").labels)
        self._deliveries = functools.cache(counter("planned_deliveries", "Deliveries planned.", "lane").labels)
        self._handed_over = functools.cache(
            counter(
                "handed_over", "Deliveries a provider was asked to take.", "provider", "channel", "lane", "outcome"
            ).labels
        )
        self._hand_over_seconds = functools.cache(
            histogram(
                "hand_over_seconds",
                "Time a provider took for one hand-over.",
                _PROVIDER_SECONDS,
                "provider",
            ).labels
        )
        self._settled = functools.cache(
            counter("settled", "Deliveries that came to a state.", "channel", "lane", "state").labels
        )
        self._claims_lost = functools.cache(
            counter("claims_lost", "Deliveries whose worker died at them.", "lane").labels
        )
        self._rounds = functools.cache(counter("clock_rounds", "Rounds of the clock.", "result").labels)
        self._requests = functools.cache(counter("http_requests", "Requests.", "method", "route", "status").labels)
        self._request_seconds = functools.cache(
            histogram("http_request_seconds", "Time until the answer was ready.", _REQUEST_SECONDS, "route").labels
        )
        self._came_in = functools.cache(
            counter("came_in", "What people and mail servers sent back.", "kind", "outcome").labels
        )
        self._callbacks = functools.cache(
            counter("callbacks_taken", "Requests by which providers brought news that was kept.", "provider").labels
        )
        self._receipts_refused = functools.cache(
            counter("receipts_refused", "Providers' news that was not believed.", "provider", "reason").labels
        )
        self._queue_age = gauge("queue_age_seconds", "How long the oldest due work has waited.", "lane", "work")
        self._open_work = gauge("open_work", "Notifications to plan and deliveries to send.", "lane", "work")
        self._backlog_known = gauge("backlog_known", "1 when the database could be asked what waits, else 0.")
        self._provider_state = gauge("provider_state", "1 for the state of a provider's breaker.", "provider", "state")
        self._budget = gauge("provider_budget_units", "What a provider may be given in a calendar month.", "provider")
        self._used = gauge("provider_used_units", "What a provider was given of its budget this month.", "provider")
        self._approved_days = gauge(
            "provider_approved_days", "Days after today on which a provider may be used; below 0 none.", "provider"
        )

    def accepted(self, lane: str, count: int = 1) -> None:
        """Count notifications that are durable."""
        self._accepted(lane).inc(count)

    def planned(self, lane: str, *, contacts: int, deliveries: int) -> None:
        """Count a planned chunk."""
        self._contacts(lane).inc(contacts)
        self._deliveries(lane).inc(deliveries)

    def handed_over(self, provider: str, channel: str, lane: str, outcome: str, count: int = 1) -> None:
        """Count deliveries a provider was given; `outcome` is a word such as `sent`, `later`, `never`, `unknown`."""
        self._handed_over(provider, channel, lane, outcome).inc(count)

    def provider_took(self, provider: str, seconds: float) -> None:
        """Note how long a provider took for one hand-over, of however many deliveries."""
        self._hand_over_seconds(provider).observe(seconds)

    def settled(self, channel: str, lane: str, state: str, count: int = 1) -> None:
        """Count deliveries that came to a state, whether by a hand-over, a receipt, a rule or a person."""
        self._settled(channel, lane, state).inc(count)

    def claims_lost(self, lane: str, count: int = 1) -> None:
        """Count deliveries that were swept from a dead worker."""
        self._claims_lost(lane).inc(count)

    def clock_round(self, *, made: bool) -> None:
        """Count a round of the clock, made or failed: while none is counted, nothing that waits is woken."""
        self._rounds("made" if made else "failed").inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request by its route's template, never by its path."""
        self._requests(method, route, status).inc()
        self._request_seconds(route).observe(seconds)

    def callback_taken(self, provider: str) -> None:
        """Count a provider's request whose news is durable: from one that brings none for hours nothing is heard."""
        self._callbacks(provider).inc()

    def receipts_refused(self, provider: str, reason: str, count: int = 1) -> None:
        """Count news that was not believed: `forged`, `too_large`, `unreadable`, `broken_off`, `receipt_mismatch`."""
        self._receipts_refused(provider, reason).inc(count)

    def came_in(self, kind: str, outcome: str, count: int = 1) -> None:
        """Count what was sent back: its kind (`reply`, `bounced`, `mail`), and whether it was kept or why not."""
        self._came_in(kind, outcome).inc(count)

    def backlog(self, waiting: list[Waiting] | None) -> None:
        """Show what waits in each lane; None when that is not known at the moment, and the old figures would lie."""
        self._queue_age.clear()
        self._open_work.clear()
        self._backlog_known.set(waiting is not None)
        if waiting is None:
            return
        for lane in Lane:
            for work in ("plan", "send"):
                self._queue_age.labels(lane, work).set(0)
                self._open_work.labels(lane, work).set(0)
        for row in waiting:
            self._queue_age.labels(row.lane, row.work).set(row.oldest_seconds)
            self._open_work.labels(row.lane, row.work).set(row.number)

    def providers(self, states: Mapping[str, str]) -> None:
        """Show the breaker's state of each provider."""
        self._provider_state.clear()
        for provider, state in states.items():
            self._provider_state.labels(provider, state).set(1)

    def terms(self, terms: Sequence[Terms]) -> None:
        """Show what binds providers; those that nothing binds have no figures."""
        for figure in (self._budget, self._used, self._approved_days):
            figure.clear()
        for each in terms:
            if each.budget is not None:
                self._budget.labels(each.provider).set(each.budget)
            if each.used is not None:
                self._used.labels(each.provider).set(each.used)
            if each.approved_days is not None:
                self._approved_days.labels(each.provider).set(each.approved_days)

    def exposition(self) -> bytes:
        """Write all figures in Prometheus' text format."""
        return generate_latest(self._registry)
