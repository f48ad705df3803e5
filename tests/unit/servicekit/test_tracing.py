"""Tracing: free when nobody asks for it, bounded when nobody takes it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from contracts.call import traceparent
from servicekit import tracing
from servicekit.metrics import SPANS_LOST


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose collector is not there."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(tracing, "_provider", None)
    monkeypatch.setattr(tracing, "_tracer", None)
    tracing.configure_tracing("test")
    yield
    tracing.finish_tracing()


def test_unasked_nothing_is_imported_or_made() -> None:
    assert isinstance(tracing.span("x"), nullcontext)
    assert tracing.current_traceparent() is None
    assert tracing.request_telemetry()["tracing"] is False
    asked = (
        "import sys; from servicekit import app, server, tracing;"
        "tracing.configure_tracing('x');"
        "assert 'opentelemetry.sdk' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", asked], check=True, env={})


@pytest.mark.usefixtures("traced")
def test_a_call_carries_the_span_it_is_made_in() -> None:
    with tracing.span("outer"):
        outer = traceparent.get()
        assert outer is not None
        assert outer == tracing.current_traceparent()
        with tracing.span("inner"):
            inner = traceparent.get()
        assert traceparent.get() == outer
    assert inner is not None
    assert inner.split("-")[1] == outer.split("-")[1]
    assert inner.split("-")[2] != outer.split("-")[2]
    assert traceparent.get() is None


@pytest.mark.usefixtures("traced")
def test_what_finds_no_place_is_dropped_and_counted() -> None:
    lost = SPANS_LOST.labels("queue-full")
    before = lost._value.get()
    # One batch may be under way beside the queue.
    for _ in range(tracing.MAX_SPANS_WAITING + 1000):
        with tracing.span("x"):
            pass
    dropped = lost._value.get() - before
    assert 0 < dropped <= 1000


def test_a_process_can_be_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing.configure_tracing("test")
    assert isinstance(tracing.span("x"), nullcontext)
