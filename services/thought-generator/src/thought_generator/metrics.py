"""What thought-generator measures; labels never name an agent."""

from prometheus_client import Counter, Gauge, Histogram

from servicekit.metrics import LATENCY_BUCKETS_S, measured_gauge

THOUGHT_SECONDS = Histogram(
    "thought_generation_seconds",
    "Time from a context to its committed thought.",
    ["engine", "origin"],
    buckets=LATENCY_BUCKETS_S,
)
STREAMS = Gauge(
    "active_consciousness_streams",
    "Streams that this replica thinks.",
)
STREAMS_ENABLED = measured_gauge(
    "claude_agi_streams_enabled",
    "Streams of the whole database that should be thinking: enabled, of agents that "
    "are not paused. Every replica tells the same.",
)
REFUSED = Counter(
    "claude_agi_thoughts_refused_total",
    "Contexts that did not become a thought, by the problem they met.",
    ["origin", "problem"],
)
WAITING = Gauge(
    "claude_agi_thoughts_waiting",
    "Thoughts that wait for the engine.",
)
BREAKER_STATE = Gauge(
    "claude_agi_engine_breaker_state",
    "Whether the model's server is asked: 0 always, 1 by one probing call, 2 not.",
)
BREAKER_OPENED = Counter(
    "claude_agi_engine_breaker_opened_total",
    "Times the model's server was left alone: after failures in a row, a probe that "
    "failed, or because it asked for a long pause.",
    ["reason"],
)
COST_USD = Counter("claude_agi_engine_cost_usd_total", "Dollars spent on the engine.")
TOKENS = Counter(
    "claude_agi_engine_tokens_total", "Tokens the engine used.", ["direction"]
)
BUDGET_USED_RATIO = measured_gauge(
    "claude_agi_budget_used_ratio",
    "Of all agents' budgets of today, in dollars and in tokens, the one most used: "
    "spent and reserved over the limit. Every replica tells the same.",
)
AGENTS_ON_RUNG = Gauge(
    "claude_agi_agents_on_rung",
    "Agents whose budget runs out, by the rung of the ladder in force. Every replica "
    "tells the same.",
    ["rung"],
)
RESPONSE_CACHE = Counter(
    "claude_agi_response_cache_total",
    "Look-ups in the response cache; `joined` waited for an equal call under way.",
    ["result"],
)
CONTINUITY_RATIO = measured_gauge(
    "claude_agi_continuity_ratio",
    "Of all agents that thought in the last five minutes, the lowest share of thoughts "
    "that are there and follow the one before. Every replica tells the same.",
)
LIVENESS_RATIO = measured_gauge(
    "claude_agi_liveness_ratio",
    "Of all agents, the lowest share of streams that thought in the last five minutes, "
    "or twice their interval, of those that should. Every replica tells the same.",
)
LOOPS_BROKEN = Counter(
    "claude_agi_thought_loops_broken_total",
    "Streamed thoughts that repeated one of their stream's last 200, so that the "
    "stream was turned to something else.",
)
OUTBOX_WAITING = Gauge(
    "claude_agi_outbox_thoughts", "Committed thoughts that memory does not have yet."
)
OUTBOX_AGE_SECONDS = Gauge(
    "claude_agi_outbox_age_seconds", "Age of the oldest of them; 0 when there is none."
)
OUTBOX_REFUSED = Counter(
    "claude_agi_outbox_refused_total",
    "Thoughts that memory refused for good, by the problem it named.",
    ["problem"],
)
LISTENERS = Gauge("claude_agi_live_listeners", "Open live feeds.")
LISTENERS_CUT = Counter(
    "claude_agi_live_listeners_cut_total",
    "Live feeds that were ended from here, by the reason that was told.",
    ["reason"],
)
DOZES = Counter(
    "claude_agi_stream_dozes_total",
    "Beats that were skipped, by the problem met.",
    ["problem"],
)
STOOD_IN = Counter(
    "claude_agi_thoughts_stood_in_total",
    "Streamed thoughts of the offline engine, the model being out, by the problem met.",
    ["problem"],
)
BEATS_SKIPPED = Counter(
    "claude_agi_stream_beats_skipped_total",
    "Beats left out because the one before was late or long; they are not made up for.",
)
