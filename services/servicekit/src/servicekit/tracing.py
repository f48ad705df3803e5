"""Spans of OpenTelemetry, where an endpoint is named; else none is made.

The endpoint is OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, and
the SDK's other variables hold too. Only then is the SDK imported: the package's extra
`tracing` has it. A span says how long something took and whether it failed, never what
was thought or told.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import structlog
from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import (
    Span,
    StatusCode,
    Tracer,
    get_current_span,
)

from contracts.call import traceparent
from servicekit.metrics import SPANS_LOST

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

__all__ = [
    "configure_tracing",
    "current_traceparent",
    "finish_tracing",
    "request_telemetry",
    "span",
]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
# Spans that wait to be sent; more are dropped and counted. Some 4 MB.
MAX_SPANS_WAITING = 2048
# A process that ends waits for its last spans no longer than this.
FINISH_S = 0.5
# Probes and Prometheus come every few seconds and tell nothing.
UNTRACED_PATHS = frozenset({"/livez", "/readyz", "/metrics"})

_NO_SPAN = nullcontext()
_provider: "TracerProvider | None" = None
_tracer: Tracer | None = None

log = structlog.get_logger()


def configure_tracing(service: str) -> None:
    """Begins to trace, if the environment names where spans go."""
    wanted = any(os.environ.get(name) for name in ENDPOINTS)
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        provider = _make_provider(service)
    except ImportError as error:
        log.warning("nothing is traced: the extra `tracing` is missing", error=error)
        return
    global _provider, _tracer
    _provider, _tracer = provider, provider.get_tracer("claude-agi")


def request_telemetry() -> TelemetryConfig:
    """How an application traces its requests; asked for in vain it costs 8 µs each."""
    return TelemetryConfig(
        tracing=_provider is not None,
        tracer_provider=_provider,
        metrics=False,
        logs=False,
        operation_spans=False,
        auto_configure=False,
        exclude=lambda scope: scope["path"] in UNTRACED_PATHS,
    )


def span(name: str) -> AbstractContextManager[None]:
    """Traces a block within the span around it; calls it makes carry that on."""
    return _NO_SPAN if _tracer is None else _traced(_tracer, name)


def current_traceparent() -> str | None:
    """The header that names the span we are in, if we trace."""
    return None if _tracer is None else _header(get_current_span())


def finish_tracing() -> None:
    """Sends what is left, as far as that is quickly done."""
    if _provider is None:
        return
    # It has no limit of its own, and waits for a collector that is out.
    thread = threading.Thread(target=_provider.shutdown, daemon=True)
    thread.start()
    thread.join(FINISH_S)


@contextmanager
def _traced(tracer: Tracer, name: str) -> Iterator[None]:
    # What an exception says may be what somebody told.
    with tracer.start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ) as current:
        token = traceparent.set(_header(current))
        try:
            yield
        except Exception as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            traceparent.reset(token)


def _header(current: Span) -> str | None:
    """https://www.w3.org/TR/trace-context/#traceparent-header"""
    context = current.get_span_context()
    if not context.is_valid:
        return None
    flags = int(context.trace_flags)
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"


def _make_provider(service: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    class Waiting:
        """How many spans wait, and which were lost: the SDK only says so in a log."""

        def __init__(self) -> None:
            self._lock = threading.Lock()
            self._count = 0

        def add(self) -> None:
            with self._lock:
                if self._count < MAX_SPANS_WAITING:
                    self._count += 1
                    return
            SPANS_LOST.labels("queue-full").inc()

        def take(self, count: int) -> None:
            with self._lock:
                self._count -= count

    waiting = Waiting()

    class CountingExporter(OTLPSpanExporter):
        """Counts what the collector did not take."""

        def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
            waiting.take(len(spans))
            result = super().export(spans)
            if result is not SpanExportResult.SUCCESS:
                SPANS_LOST.labels("refused").inc(len(spans))
            return result

    class CountingProcessor(BatchSpanProcessor):
        """Counts what finds no place in the queue."""

        def on_end(self, span: "ReadableSpan") -> None:
            if span.context and span.context.trace_flags.sampled:
                waiting.add()
            super().on_end(span)

    named = os.environ.get("OTEL_SERVICE_NAME")
    provider = TracerProvider(
        resource=Resource.create({} if named else {"service.name": service}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        CountingProcessor(CountingExporter(), max_queue_size=MAX_SPANS_WAITING)
    )
    return provider
