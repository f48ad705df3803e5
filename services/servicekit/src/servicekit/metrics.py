"""What every service measures, and `GET /metrics`."""

from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Histogram,
    generate_latest,
)

__all__ = ["HTTP_SECONDS", "LATENCY_BUCKETS_S", "TASK_FAILURES", "metrics_router"]

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
HTTP_SECONDS = Histogram(
    "claude_agi_http_request_seconds",
    "Time from a request's head to the end of its answer.",
    ["method", "route", "status"],
    buckets=LATENCY_BUCKETS_S,
)
TASK_FAILURES = Counter(
    "claude_agi_background_failures_total",
    "Times a background task ended by an error and was started again.",
    ["task"],
)


def metrics_router() -> APIRouter:
    """`GET /metrics` in Prometheus' text format."""
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router
