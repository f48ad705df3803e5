"""What this service measures."""

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["DECISIONS_WAITING", "VALIDATION_SECONDS", "VERDICTS"]

# From a short text, a hundredth of a millisecond, to the longest.
_BUCKETS_S = (
    0.00001,
    0.000025,
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.5,
    2.5,
)
VALIDATION_SECONDS = Histogram(
    "safety_validation_seconds",
    "Time to reach a verdict on one text.",
    buckets=_BUCKETS_S,
)
VERDICTS = Counter(
    "claude_agi_safety_verdicts_total", "Verdicts given.", ["verdict", "kind"]
)
DECISIONS_WAITING = Gauge(
    "claude_agi_safety_decisions_waiting", "Decisions not yet written to PostgreSQL."
)
