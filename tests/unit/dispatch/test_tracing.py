"""Traces: spans know their place, carry no person, and cost nothing when nobody wants them."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.dispatch.tracing import OpenTelemetryTracer, Tracer, make_tracer

ROOT = Path(__file__).parents[3]
BEGINNING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Give a place where spans go."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> OpenTelemetryTracer:
    """Give a tracer that exports each span at once."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OpenTelemetryTracer(provider)


def test_a_span_inside_another_belongs_to_it(tracer: OpenTelemetryTracer, exporter: InMemorySpanExporter) -> None:
    """Also when it is told of another trace: the running work knows better than a stored beginning."""
    with tracer.span("request"), tracer.span("plan", parent=BEGINNING):
        pass
    plan, request = exporter.get_finished_spans()
    assert plan.parent == request.context
    assert request.parent is None


def test_a_trace_goes_on_elsewhere(tracer: OpenTelemetryTracer, exporter: InMemorySpanExporter) -> None:
    """What `traceparent` says in one process makes the next one's span part of the trace."""
    with tracer.span("request"):
        here = tracer.traceparent()
    with tracer.span("send", parent=here):
        pass
    request, send = exporter.get_finished_spans()
    assert send.context.trace_id == request.context.trace_id
    assert send.parent is not None
    assert send.parent.span_id == request.context.span_id


def test_outside_of_spans_there_is_no_trace(tracer: OpenTelemetryTracer) -> None:
    """Nothing to carry on."""
    assert tracer.traceparent() is None


@pytest.mark.parametrize("nonsense", ["", "00-zz-zz-01", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_senseless_traceparent_begins_a_trace(
    nonsense: str, tracer: OpenTelemetryTracer, exporter: InMemorySpanExporter
) -> None:
    """Anybody may send the header: a bad one is left aside."""
    with tracer.span("request", parent=nonsense):
        assert tracer.traceparent() is not None
    (request,) = exporter.get_finished_spans()
    assert request.parent is None


def test_an_error_is_known_by_its_type_alone(tracer: OpenTelemetryTracer, exporter: InMemorySpanExporter) -> None:
    """Messages of errors may quote addresses; nothing of them is exported."""
    with pytest.raises(ValueError, match="robin"), tracer.span("send", facts={"gateway.lane": "bulk"}):
        raise ValueError("robin@example.org")
    (span,) = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"gateway.lane": "bulk", "error.type": "ValueError"}
    assert not span.status.is_ok
    assert "robin" not in span.to_json()


def test_without_a_collector_nothing_is_loaded() -> None:
    """An installation that traces nothing need not have the packages, nor pay for loading them."""
    program = (
        "import sys; from gateway.dispatch.tracing import make_tracer; tracer = make_tracer(None)\n"
        "with tracer.span('send', parent='x') as note: note({'n': 1})\n"
        "assert tracer.traceparent() is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_missing_extra_is_said_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages matter more than their traces."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert type(make_tracer("http://127.0.0.1:4318")) is Tracer
    (record,) = caplog.records
    assert "[telemetry]" in str(record.__dict__["fault"])


@contextmanager
def _collector(answers: threading.Event) -> Iterator[tuple[str, list[str]]]:
    """Run a collector on loopback that answers once it may; gives its address and the paths it was sent."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            answers.wait(10)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        answers.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_reach_the_collector_before_the_process_ends() -> None:
    """Over OTLP/HTTP, at the path that the standard adds to the endpoint."""
    answers = threading.Event()
    answers.set()
    with _collector(answers) as (address, paths):
        tracer = make_tracer(address)
        with tracer.span("request"):
            pass
        tracer.close()
    assert paths == ["/v1/traces"]


def test_a_silent_collector_delays_no_stop() -> None:
    """Half a minute, as the SDK would wait, is longer than a container is given to stop."""
    with _collector(threading.Event()) as (address, _):
        tracer = make_tracer(address)
        with tracer.span("request"):
            pass
        began = time.monotonic()
        tracer.close()
        assert time.monotonic() - began < 6
