"""Traces across the hops of the queue: request → plan → batch → provider.

Spans carry ids, counts and words of our own vocabulary: never a person, an address, a text, a path or an error's
message. A span's place in its trace is a `traceparent` (W3C Trace Context), which travels in the wake-up's options
and is kept with the notification, so that what the clock wakes days later continues the trace it belongs to.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

Facts = Mapping[str, str | int]
Note = Callable[[Facts], None]
"""Adds facts to a span that has begun; the fact `error.type` marks it as failed."""
Kind = Literal["internal", "server", "client", "producer", "consumer"]

_FLUSH_SECONDS = 3.0
"""How long a stopping process tries to get rid of its last spans; a collector that is away delays no stop."""
_NO_FACTS: Facts = {}

_log = logging.getLogger(__name__)


def _note_nothing(_facts: Facts) -> None:
    return


_NOTHING: AbstractContextManager[Note] = nullcontext(_note_nothing)


class Tracer:
    """Begins no span and loads nothing: what runs when no traces are wanted (0.2 µs a span, measured)."""

    wanted = False

    def span(
        self,
        name: str,  # noqa: ARG002  # for the one below
        *,
        kind: Kind = "internal",  # noqa: ARG002  # the same
        facts: Facts = _NO_FACTS,  # noqa: ARG002  # the same
        parent: str | None = None,  # noqa: ARG002  # the same
    ) -> AbstractContextManager[Note]:
        """Wrap one piece of work; inside another span it belongs to that one, else to the trace of `parent`."""
        return _NOTHING

    def traceparent(self) -> str | None:
        """Say where in a trace the running code is, for whoever continues it elsewhere."""
        return None

    def close(self) -> None:
        """Hand over what is still to be exported, for a few seconds at most. Blocks: call it in a thread."""


class OpenTelemetryTracer(Tracer):
    """Begins spans and exports them in batches; `provider` is an SDK's `TracerProvider`."""

    wanted = True

    def __init__(self, provider: Any) -> None:
        # Loaded here: only who wants traces has the packages, and they take a quarter of a second.
        from opentelemetry import trace  # noqa: PLC0415  # see above
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415  # see above

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("gateway")
        self._propagator = tracecontext.TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, *, kind: Kind = "internal", facts: Facts = _NO_FACTS, parent: str | None = None
    ) -> Iterator[Note]:
        """Wrap one piece of work; of an exception that ends it, the span learns the type alone."""
        context = None
        if parent is not None and not self._trace.get_current_span().get_span_context().is_valid:
            context = self._propagator.extract({"traceparent": parent})
        span = self._tracer.start_span(
            name, context=context, kind=self._trace.SpanKind[kind.upper()], attributes=dict(facts)
        )

        def note(more: Facts) -> None:
            span.set_attributes(more)
            if "error.type" in more:
                span.set_status(self._trace.StatusCode.ERROR)

        try:
            with self._trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield note
        except BaseException as error:
            note({"error.type": type(error).__name__})
            raise
        finally:
            span.end()

    def traceparent(self) -> str | None:
        """Say where in a trace the running code is, or None outside of every span."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        """Export what is left; the SDK would wait up to half a minute for a collector that is away."""
        shutting_down = threading.Thread(target=self._provider.shutdown, daemon=True)
        shutting_down.start()
        shutting_down.join(_FLUSH_SECONDS)


def make_tracer(endpoint: str | None) -> Tracer:
    """Trace to a collector at this OTLP address (`OTEL_EXPORTER_OTLP_ENDPOINT`), or not at all without one.

    The SDK reads the other standard variables itself: `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`,
    `OTEL_EXPORTER_OTLP_HEADERS`, …
    """
    if endpoint is None:
        return Tracer()
    with contextlib.suppress(ImportError):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # optional
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # the same

        resource = Resource.create()
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "school-messaging-gateway"}))
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return OpenTelemetryTracer(provider)
    _log.warning("traces_impossible", extra={"fault": "install the extra: school-messaging-gateway[telemetry]"})
    return Tracer()
