"""What memory-service measures; labels never name an agent or a memory."""

from prometheus_client import Counter, Gauge, Histogram

from servicekit.metrics import LATENCY_BUCKETS_S

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
INDEX_VECTORS = Gauge(
    "claude_agi_memory_index_vectors", "Vectors in the indexes that are open."
)
INDEX_AGENTS = Gauge("claude_agi_memory_index_agents", "Agents whose index is open.")
INDEX_LAG = Gauge(
    "claude_agi_memory_index_lag",
    "Changes that the open indexes had yet to apply when they were last compared.",
)
PRIMARY_READS = Counter(
    "claude_agi_memory_primary_reads_total",
    "Reads repeated on the primary because a replica had not caught up.",
)
WAITING_TEXTS = Gauge(
    "claude_agi_memory_waiting_texts", "Texts that wait for the encoder."
)
