"""What one call carries on to the next: request id, trace and deadline."""

import time
from contextvars import ContextVar

__all__ = [
    "DEADLINE_HEADER",
    "REQUEST_ID_HEADER",
    "TRACEPARENT_HEADER",
    "deadline_s",
    "outgoing_headers",
    "remaining_s",
    "request_id",
    "traceparent",
]

REQUEST_ID_HEADER = "X-Request-ID"
TRACEPARENT_HEADER = "traceparent"
# Milliseconds that the caller will still wait.
DEADLINE_HEADER = "X-Request-Timeout-Ms"

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
deadline_s: ContextVar[float | None] = ContextVar("deadline_s", default=None)


def remaining_s(at_most_s: float) -> float:
    """Seconds left until the caller gives up, `at_most_s` without a deadline."""
    deadline = deadline_s.get()
    if deadline is None:
        return at_most_s
    return max(0.0, min(at_most_s, deadline - time.monotonic()))


def outgoing_headers(timeout_s: float) -> dict[str, str]:
    """Headers that tell the next service whose call this is and how long it has."""
    headers = {DEADLINE_HEADER: str(max(1, int(timeout_s * 1000)))}
    if (own_id := request_id.get()) is not None:
        headers[REQUEST_ID_HEADER] = own_id
    if (trace := traceparent.get()) is not None:
        headers[TRACEPARENT_HEADER] = trace
    return headers
