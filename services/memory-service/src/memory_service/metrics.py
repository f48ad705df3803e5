"""What memory-service measures; labels never name an agent or a memory."""

from prometheus_client import Counter, Gauge, Histogram

from servicekit.metrics import LATENCY_BUCKETS_S

# Of work that takes from milliseconds to minutes.
LONG_BUCKETS_S = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

# From an agent with nothing new to one of a million memories.
JOB_BUCKETS_S = (0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)

RETRIEVAL_SECONDS = Histogram(
    "memory_retrieval_seconds",
    "Time of a recall, from the parsed query to the memories.",
    ["mode"],
    buckets=LATENCY_BUCKETS_S,
)
EMBEDDING_SECONDS = Histogram(
    "claude_agi_memory_embedding_seconds",
    "Time of one run of the encoder, over one or a few texts.",
    buckets=LATENCY_BUCKETS_S,
)
WRITES = Counter(
    "claude_agi_memory_writes_total",
    "Memories written, by what became of them.",
    ["outcome"],
)
UNJUDGED = Counter(
    "claude_agi_memory_unjudged_total",
    "Calls that stored nothing because safety gave no verdict.",
)
JUDGED_LATER = Counter(
    "claude_agi_memory_judged_later_total",
    "Imported memories that got their whole verdict, by what became of them.",
    ["outcome"],
)
COMMIT_SECONDS = Histogram(
    "claude_agi_memory_commit_seconds",
    "Time of one transaction that stores memories.",
    buckets=LATENCY_BUCKETS_S,
)
IMPORT_LINES = Counter(
    "claude_agi_memory_import_lines_total",
    "Lines of imports, by what became of them.",
    ["outcome"],
)
TOOL_CALLS = Counter(
    "claude_agi_memory_tool_calls_total",
    "Tools called over the Model Context Protocol, by what became of the call.",
    ["tool", "outcome"],
)
VECTOR_STORE_FAILURES = Counter(
    "claude_agi_memory_vector_store_failures_total",
    "Calls that the server that keeps the vectors did not answer.",
)
INDEX_VECTORS = Gauge(
    "claude_agi_memory_index_vectors", "Vectors in the indexes that are open."
)
INDEX_AGENTS = Gauge("claude_agi_memory_index_agents", "Agents whose index is open.")
INDEX_LAG = Gauge(
    "claude_agi_memory_index_lag",
    "Changes that the open indexes had yet to apply when they were last compared.",
)
INDEX_LAG_SECONDS = Gauge(
    "claude_agi_memory_index_lag_seconds",
    "How long the open index that is behind for longest has been so.",
)
INDEX_BYTES = Gauge(
    "claude_agi_memory_index_bytes",
    "Memory of the open indexes that no file backs, as they count it.",
)
INDEX_LOAD_SECONDS = Histogram(
    "claude_agi_memory_index_load_seconds",
    "Time until an index was open, by where it was loaded from.",
    ["source"],
    buckets=LONG_BUCKETS_S,
)
INDEX_BUILD_SECONDS = Histogram(
    "claude_agi_memory_index_build_seconds",
    "Time in which a part of an index was made anew, by why.",
    ["reason"],
    buckets=LONG_BUCKETS_S,
)
INDEX_BUILD_FAILURES = Counter(
    "claude_agi_memory_index_build_failures_total",
    "Builds of a part of an index that came to nothing.",
)
SNAPSHOT_SECONDS = Histogram(
    "claude_agi_memory_snapshot_seconds",
    "Time in which a snapshot was written.",
    buckets=LONG_BUCKETS_S,
)
SNAPSHOT_AGE_SECONDS = Gauge(
    "claude_agi_memory_snapshot_age_seconds",
    "Since when the open index with the oldest snapshot has had it, if it changed.",
)
SNAPSHOT_FAILURES = Counter(
    "claude_agi_memory_snapshot_failures_total",
    "Snapshots that failed, by what was tried: open, save, restore or remove.",
    ["step"],
)
PRIMARY_READS = Counter(
    "claude_agi_memory_primary_reads_total",
    "Reads repeated on the primary because a replica had not caught up.",
)
CACHE = Counter(
    "claude_agi_memory_cache_total",
    "Questions by where their answer was: in this process, in Valkey, or nowhere yet.",
    ["kind", "level"],
)
CACHE_BYTES = Gauge(
    "claude_agi_memory_cache_bytes", "What the caches of this process take."
)
JOBS = Counter(
    "claude_agi_memory_jobs_total", "Jobs that ended, by their state.", ["state"]
)
JOB_SECONDS = Histogram(
    "claude_agi_memory_job_seconds",
    "Time of a job in the process that ended it.",
    buckets=JOB_BUCKETS_S,
)
CONSOLIDATED = Counter(
    "claude_agi_memory_consolidated_total", "Memories that went into consolidations."
)
REMOVED = Counter(
    "claude_agi_memory_removed_total",
    "Memories deleted because their agent had more than it has room for.",
)
MONTHS_AHEAD = Gauge(
    "claude_agi_memory_months_ahead", "Coming months whose partition is made."
)
RETIRED = Counter(
    "claude_agi_memory_retired_total",
    "Memories deleted because they were older than is kept.",
)
WAITING_TEXTS = Gauge(
    "claude_agi_memory_waiting_texts", "Texts that wait for the encoder."
)
