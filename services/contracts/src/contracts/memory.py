"""memory-service's messages."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from contracts.base import (
    DEFAULT_AGENT_ID,
    AgentId,
    Answer,
    Contract,
    Metadata,
    PageSize,
    ScopeId,
    Score,
    Text,
    Timestamp,
    Unit,
)
from contracts.problem import Problem

__all__ = [
    "MAX_BATCH_MEMORIES",
    "MAX_CONTENT_CHARS",
    "MAX_QUERY_CHARS",
    "Evidence",
    "IndexState",
    "Memory",
    "MemoryBatchItem",
    "MemoryBatchRequest",
    "MemoryBatchResponse",
    "MemoryImport",
    "MemoryList",
    "MemoryPatch",
    "MemoryStats",
    "MemoryType",
    "MemoryWrite",
    "RecallFilters",
    "RecallMode",
    "RecallRequest",
    "RecallResponse",
    "RecallScores",
    "RecalledMemory",
    "SignedVerdict",
]

MAX_BATCH_MEMORIES = 1000
# A memory is a passage, not a document.
MAX_CONTENT_CHARS = 32_768
# Beyond it a query says nothing more: the embedder reads 256 tokens.
MAX_QUERY_CHARS = 8_192
# Ten years; longer is what `pinned` is for.
MAX_TTL_SECONDS = 315_360_000
# Query parameters of one statement.
MAX_FILTER_VALUES = 10_000


class MemoryType(StrEnum):
    """What sort of memory."""

    WORKING = "working"
    EPISODIC = "episodic"
    SEMANTIC = "semantic"
    PROCEDURAL = "procedural"
    THOUGHT = "thought"


class Evidence(StrEnum):
    """Where it comes from; only the first two are facts."""

    TOLD = "told"
    OBSERVED = "observed"
    INFERRED = "inferred"
    THOUGHT = "thought"


class RecallMode(StrEnum):
    """Which arms search."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    KEYWORD = "keyword"


class SignedVerdict(Contract):
    """A verdict that safety-validator gave for exactly this content."""

    verdict: Literal["allow", "flag", "redact"]
    policy_version: str
    signature: str


class MemoryWrite(Contract):
    """A memory to keep. A service may bring `id` and the `verdict` it was given."""

    content: Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)]
    agent_id: AgentId = DEFAULT_AGENT_ID
    user_id: ScopeId | None = None
    session_id: ScopeId | None = None
    memory_type: MemoryType = MemoryType.EPISODIC
    importance: Unit | None = None
    timestamp: Timestamp | None = None
    metadata: Metadata = Field(default_factory=dict)
    evidence: Evidence = Evidence.TOLD
    ttl_seconds: Annotated[StrictInt, Field(ge=1, le=MAX_TTL_SECONDS)] | None = None
    pinned: StrictBool = False
    id: UUID | None = None
    verdict: SignedVerdict | None = None


class MemoryImport(MemoryWrite):
    """A line of an import: a memory to keep, or one as an export writes it.

    `embedding` is base64 of little-endian float16, or a list of numbers; it is taken
    where `embedding_model` is the service's own.
    """

    expires_at: Timestamp | None = None
    embedding: str | list[Score] | None = None
    embedding_model: str | None = None


class MemoryPatch(Contract):
    """What changes; a field left out stays."""

    content: Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)] | None = None
    memory_type: MemoryType | None = None
    importance: Unit | None = None
    metadata: Metadata | None = None
    pinned: StrictBool | None = None


class Memory(Answer):
    """A memory that is kept."""

    id: UUID
    seq: int
    agent_id: str
    user_id: str | None
    session_id: str | None
    content: str
    memory_type: MemoryType
    importance: float
    timestamp: Timestamp
    created_at: Timestamp
    updated_at: Timestamp
    metadata: Metadata
    evidence: Evidence
    pinned: bool
    access_count: int
    last_accessed_at: Timestamp | None
    superseded_by: UUID | None
    expires_at: Timestamp | None


class MemoryBatchRequest(Contract):
    """Memories to keep, each judged for itself."""

    memories: Annotated[
        list[MemoryWrite], Field(min_length=1, max_length=MAX_BATCH_MEMORIES)
    ]


class MemoryBatchItem(Answer):
    """One of the two is set."""

    memory: Memory | None = None
    problem: Problem | None = None


class MemoryBatchResponse(Answer):
    """Results in the order of the request."""

    results: list[MemoryBatchItem]


class MemoryList(Answer):
    """A page; `next_cursor` is null at the end."""

    memories: list[Memory]
    next_cursor: str | None


class RecallFilters(Contract):
    """Only memories that meet all of them; a list means any of its values."""

    memory_type: MemoryType | list[MemoryType] | None = None
    user_id: ScopeId | None = None
    session_id: ScopeId | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None
    min_importance: Unit | None = None
    metadata: Metadata | None = None
    evidence: Evidence | list[Evidence] | None = None


class RecallRequest(Contract):
    """What to remember about."""

    query: Annotated[Text, Field(max_length=MAX_QUERY_CHARS)]
    agent_id: AgentId = DEFAULT_AGENT_ID
    limit: PageSize = 10
    mode: RecallMode = RecallMode.HYBRID
    filters: RecallFilters = Field(default_factory=RecallFilters)
    min_score: Score | None = None
    include_history: StrictBool = False


class RecallScores(Answer):
    """The parts of a score; None where that arm did not see the memory."""

    semantic: float | None
    keyword: float | None
    recency: float | None
    importance: float | None


class RecalledMemory(Memory):
    """A memory and how well it answers."""

    score: float
    scores: RecallScores


class IndexState(Answer):
    """The index that answered; `seq` is the last change it holds."""

    kind: str
    vectors: int
    seq: int
    lag: int | None = None


class RecallResponse(Answer):
    """Best first."""

    memories: list[RecalledMemory]
    took_ms: float
    index: IndexState


class MemoryStats(Answer):
    """Counts of one agent."""

    memories: int
    unjudged: int
    by_type: dict[str, int]
    index: IndexState
    embedding_model: str
    replica_lag_seconds: float | None
