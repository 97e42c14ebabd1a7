"""Traces across the queue: a request, its planning and its batches are one, however long the way takes."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import insert

from gateway.assembly import assembled, utc_now
from gateway.dispatch.requests import Lane
from gateway.dispatch.tracing import OpenTelemetryTracer
from gateway.dispatch.wakeups import WakeUps
from gateway.settings import Settings
from gateway.store.tables import deliveries, notifications, schools
from tests.flow.installation import PATIENCE, SECRET
from tests.store.rows import delivery, notification

TRACE = "0af7651916cd43dd8448eb211c80319c"
BEGINNING = f"00-{TRACE}-b7ad6b7169203331-01"


class Spans:
    """The spans that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = OpenTelemetryTracer(provider)

    def ended(self) -> dict[str, ReadableSpan]:
        """Give the last one of each name."""
        return {span.name: span for span in self._exporter.get_finished_spans()}

    async def until(self, condition: Callable[[dict[str, ReadableSpan]], bool]) -> dict[str, ReadableSpan]:
        """Wait until the spans fulfil a condition."""
        deadline = time.monotonic() + PATIENCE
        while not condition(ended := self.ended()):
            assert time.monotonic() < deadline, list(ended)
            await asyncio.sleep(0.01)
        return ended


@pytest.fixture
def spans() -> Spans:
    """Give a tracer whose spans can be looked at."""
    return Spans()


async def test_a_trace_crosses_the_queue_twice(servers_urls: tuple[str, str | None], spans: Spans) -> None:
    """Request → plan → send: each hop's span hangs below the one that woke it, and names its lane and subject."""
    wakeups = WakeUps(servers_urls[1], tracer=spans.tracer)

    async def plan(notification: str) -> None:
        await wakeups.wake("send", Lane.BULK, [f"batch of {notification}"])

    async def send(_batch: str) -> None:
        return

    wakeups.serve("plan", plan)
    wakeups.serve("send", send)
    wakeups.start({Lane.BULK: 2})
    try:
        with spans.tracer.span("request", kind="server"):
            await wakeups.wake("plan", Lane.BULK, ["n1"])
        ended = await spans.until(lambda ended: {"plan", "send"} <= ended.keys())
    finally:
        await wakeups.stop(patience=5)
    for child, parent in (("plan", "request"), ("send", "plan")):
        above, here = ended[child].parent, ended[parent].context
        assert above is not None
        assert here is not None
        assert (above.trace_id, above.span_id) == (here.trace_id, here.span_id)
    assert dict(ended["send"].attributes or {}) == {"gateway.subject": "batch of n1", "gateway.lane": "bulk"}


async def test_what_the_clock_wakes_continues_the_trace_it_belongs_to(
    servers_urls: tuple[str, str | None], tmp_path: Path, spans: Spans
) -> None:
    """The first wake-up is long gone: the trace is kept with the notification."""
    database_url, redis_url = servers_urls
    settings = Settings(
        database_url=database_url, redis_url=redis_url, outbox_dir=tmp_path / "outbox", secret_key=SECRET
    )
    async with assembled(settings, tracer=spans.tracer) as gateway:
        async with gateway.database.writing() as connection:
            school = {"id": "school", "document": '{"id":"school","name":"S"}', "version": 1, "changed_at": utc_now()}
            await connection.execute(insert(schools), [school])
            rows = [
                notification("n1", traceparent=BEGINNING),
                notification("n2", traceparent=BEGINNING, status="sending"),
            ]
            await connection.execute(insert(notifications), rows)
            await connection.execute(insert(deliveries), [delivery("d1", notification="n2", batch="b2")])
        await gateway.work(list(Lane))
        await gateway.clock.round()
        ended = await spans.until(lambda ended: {"plan", "send"} <= ended.keys())
    for name, subject in (("plan", "n1"), ("send", "b2")):
        span = ended[name]
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == TRACE
        assert (span.attributes or {})["gateway.subject"] == subject
