"""What this service measures."""

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "AUDIT_REFUSED",
    "BEHAVIOUR",
    "CACHE",
    "CATEGORIES",
    "DECISIONS_WAITING",
    "GUARD_ABSENCES",
    "GUARD_SECONDS",
    "POLICY",
    "POLICY_LOADED_SECONDS",
    "POLICY_REFUSED",
    "VALIDATION_SECONDS",
    "VERDICTS",
    "WINDOWS_READ",
    "WINDOWS_WAITING",
]

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
CATEGORIES = Counter(
    "claude_agi_safety_categories_total",
    "Texts in which a layer found a category.",
    ["category", "layer"],
)
CACHE = Counter(
    "claude_agi_safety_cache_total",
    "Texts that layers would be read for, by where findings were: process, shared or "
    "miss.",
    ["level"],
)
BEHAVIOUR = Counter(
    "claude_agi_safety_behaviour_total",
    "Texts that the behaviour of their stream was held against, by what it was.",
    ["behaviour", "verdict"],
)
POLICY = Gauge(
    "claude_agi_safety_policy_info", "1 for the policy in force.", ["version"]
)
POLICY_LOADED_SECONDS = Gauge(
    "claude_agi_safety_policy_loaded_timestamp_seconds",
    "When the policy in force was last read, in seconds since 1970.",
)
POLICY_REFUSED = Gauge(
    "claude_agi_safety_policy_refused",
    "1 while the policy file is refused, and an older policy in force.",
)
DECISIONS_WAITING = Gauge(
    "claude_agi_safety_decisions_waiting", "Decisions not yet written to PostgreSQL."
)
AUDIT_REFUSED = Counter(
    "claude_agi_safety_audit_refused_total",
    "Verdicts not given because they could not be put on record.",
)
GUARD_SECONDS = Histogram(
    "claude_agi_safety_guard_seconds",
    "Time of the external guard with one text.",
)
GUARD_ABSENCES = Counter(
    "claude_agi_safety_guard_absences_total",
    "Texts that the external guard did not read to their end, by the reason.",
    ["reason"],
)
WINDOWS_READ = Counter(
    "claude_agi_safety_classifier_windows_total",
    "Windows of texts that the classifier has read.",
)
WINDOWS_WAITING = Gauge(
    "claude_agi_safety_classifier_windows_waiting",
    "Windows of texts that the classifier still has to read, about.",
    ["lane"],
)
