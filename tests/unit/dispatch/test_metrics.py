"""Figures for Prometheus: what was counted is told, by words of our own and nobody's data."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.dispatch.metrics import Metrics, Waiting
from gateway.dispatch.requests import Lane

Sample = tuple[str, dict[str, str]]


def read(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read the exposition as Prometheus does."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Give one figure."""
    return read(metrics).get((f"gateway_{name}", frozenset(labels.items())))


@pytest.mark.parametrize(
    ("count", "name", "labels", "expected"),
    [
        (lambda m: m.accepted("bulk"), "accepted_total", {"lane": "bulk"}, 2),
        (lambda m: m.accepted("bulk", 40), "accepted_total", {"lane": "bulk"}, 80),
        (
            lambda m: m.planned("standard", contacts=250, deliveries=400),
            "planned_contacts_total",
            {"lane": "standard"},
            500,
        ),
        (
            lambda m: m.planned("standard", contacts=250, deliveries=400),
            "planned_deliveries_total",
            {"lane": "standard"},
            800,
        ),
        (
            lambda m: m.handed_over("smtp", "email", "bulk", "sent", 99),
            "handed_over_total",
            {"provider": "smtp", "channel": "email", "lane": "bulk", "outcome": "sent"},
            198,
        ),
        (lambda m: m.provider_took("smtp", 0.02), "hand_over_seconds_count", {"provider": "smtp"}, 2),
        (
            lambda m: m.provider_took("smtp", 0.02),
            "hand_over_seconds_bucket",
            {"provider": "smtp", "le": "0.025"},
            2,
        ),
        (
            lambda m: m.settled("sms", "emergency", "delivered"),
            "settled_total",
            {"channel": "sms", "lane": "emergency", "state": "delivered"},
            2,
        ),
        (lambda m: m.claims_lost("bulk", 3), "claims_lost_total", {"lane": "bulk"}, 6),
        (lambda m: m.clock_round(made=True), "clock_rounds_total", {"result": "made"}, 2),
        (lambda m: m.clock_round(made=False), "clock_rounds_total", {"result": "failed"}, 2),
        (
            lambda m: m.request("GET", "/v1/notifications/{id}", 200, 0.01),
            "http_requests_total",
            {"method": "GET", "route": "/v1/notifications/{id}", "status": "200"},
            2,
        ),
    ],
)
def test_what_is_counted_twice_is_told_twice(
    count: Callable[[Metrics], None], name: str, labels: dict[str, str], expected: float
) -> None:
    """Each call adds what it says to the figure of its labels."""
    metrics = Metrics()
    count(metrics)
    count(metrics)
    assert value(metrics, name, **labels) == expected


def test_every_gateway_counts_for_itself() -> None:
    """Two in one process, as tests have them, do not add up."""
    one, other = Metrics(), Metrics()
    one.accepted("bulk")
    assert value(other, "accepted_total", lane="bulk") is None


def test_a_lane_without_work_is_told_as_empty() -> None:
    """An alert on a lane's age needs a figure at every moment, also before its first message."""
    metrics = Metrics()
    metrics.backlog([Waiting(lane="bulk", work="send", number=900, oldest_seconds=12.5)])
    assert value(metrics, "queue_age_seconds", lane="bulk", work="send") == 12.5
    assert value(metrics, "open_work", lane="bulk", work="send") == 900
    for lane in set(Lane) - {Lane.BULK}:
        for work in ("plan", "send"):
            assert value(metrics, "queue_age_seconds", lane=lane, work=work) == 0
            assert value(metrics, "open_work", lane=lane, work=work) == 0
    assert value(metrics, "backlog_known") == 1


def test_what_is_not_known_is_not_told() -> None:
    """While the database is away its last figures would lie; that it is away is told."""
    metrics = Metrics()
    metrics.backlog([Waiting(lane="bulk", work="send", number=900, oldest_seconds=12.5)])
    metrics.backlog(None)
    assert value(metrics, "queue_age_seconds", lane="bulk", work="send") is None
    assert value(metrics, "backlog_known") == 0


def test_a_breaker_is_in_one_state() -> None:
    """The state before is no longer told."""
    metrics = Metrics()
    metrics.providers({"sms/twilio": "closed"})
    metrics.providers({"sms/twilio": "open"})
    assert value(metrics, "provider_state", provider="sms/twilio", state="open") == 1
    assert value(metrics, "provider_state", provider="sms/twilio", state="closed") is None
