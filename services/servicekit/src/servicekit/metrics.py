"""What every service measures, and `GET /metrics`."""

from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from servicekit.json_route import JsonRoute

__all__ = [
    "CACHE_FAILURES",
    "CONNECTION_WAIT_SECONDS",
    "HTTP_SECONDS",
    "LATENCY_BUCKETS_S",
    "REPLICA_FAILURES",
    "REPLICA_LAG_SECONDS",
    "SPANS_LOST",
    "TASK_FAILURES",
    "measured_gauge",
    "metrics_router",
]

# From a cache hit to a slow model, finer around the targets of 10 and 200 ms.
LATENCY_BUCKETS_S = (
    0.001,
    0.0025,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.025,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)


def measured_gauge(name: str, text: str) -> Gauge:
    """A gauge that `servicekit.gauges` measures: NaN while nothing is known."""
    gauge = Gauge(name, text)
    gauge.set(float("nan"))
    return gauge


HTTP_SECONDS = Histogram(
    "claude_agi_http_request_seconds",
    "Time from a request's head to the end of its answer.",
    ["method", "route", "status"],
    buckets=LATENCY_BUCKETS_S,
)
SPANS_LOST = Counter(
    "claude_agi_spans_lost_total",
    "Spans that no collector got, by why: queue-full, refused.",
    ["why"],
)
TASK_FAILURES = Counter(
    "claude_agi_background_failures_total",
    "Times a background task ended by an error and was started again.",
    ["task"],
)
CONNECTION_WAIT_SECONDS = Histogram(
    "claude_agi_database_wait_seconds",
    "Time until a connection of the pool was free.",
    ["server"],
    buckets=LATENCY_BUCKETS_S,
)
REPLICA_FAILURES = Counter(
    "claude_agi_replica_failures_total",
    "Times the replica did not answer, so that the primary was read for a while.",
)
REPLICA_LAG_SECONDS = measured_gauge(
    "claude_agi_replica_lag_seconds",
    "How far the replica is behind the primary; NaN without one, or while it is away.",
)
CACHE_FAILURES = Counter(
    "claude_agi_cache_failures_total",
    "Times Valkey did not answer, so that it was left alone for a while.",
)


def metrics_router() -> APIRouter:
    """`GET /metrics` in Prometheus' text format."""
    router = APIRouter(route_class=JsonRoute)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router
