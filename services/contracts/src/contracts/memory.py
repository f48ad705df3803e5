"""memory-service's messages."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, model_validator

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
    "CacheState",
    "ConsolidateRequest",
    "Evidence",
    "ForgetRequest",
    "ForgetResponse",
    "IndexState",
    "Job",
    "KeptMemory",
    "Memory",
    "MemoryBatchItem",
    "MemoryBatchRequest",
    "MemoryBatchResponse",
    "MemoryHistory",
    "MemoryImport",
    "MemoryList",
    "MemoryLookup",
    "MemoryLookupRequest",
    "MemoryPatch",
    "MemoryRevision",
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
    "Tombstone",
    "TombstoneKind",
    "TombstoneList",
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
# A thought recalls a few memories.
MAX_SOURCES = 100


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
    """A memory to keep. A service may bring `id` and the `verdict` it was given.

    `sources` are the memories that it was made from: deleting one of them deletes what
    was made from it. What brings an `id` is never merged into another memory.
    """

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
    sources: Annotated[list[UUID], Field(max_length=MAX_SOURCES)] = Field(
        default_factory=list
    )


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


class KeptMemory(Memory):
    """A memory as a write left it; `merged_into` is its id where it stood before."""

    merged_into: UUID | None = None


class MemoryBatchRequest(Contract):
    """Memories to keep, each judged for itself."""

    memories: Annotated[
        list[MemoryWrite], Field(min_length=1, max_length=MAX_BATCH_MEMORIES)
    ]


class MemoryBatchItem(Answer):
    """One of the two is set."""

    memory: KeptMemory | None = None
    problem: Problem | None = None


class MemoryBatchResponse(Answer):
    """Results in the order of the request."""

    results: list[MemoryBatchItem]


class MemoryList(Answer):
    """A page; `next_cursor` is null at the end."""

    memories: list[Memory]
    next_cursor: str | None


class MemoryLookupRequest(Contract):
    """The ids of an agent's memories."""

    agent_id: AgentId = DEFAULT_AGENT_ID
    ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_BATCH_MEMORIES)]


class MemoryLookup(Answer):
    """Those that are there, in no order; what was forgotten is left out."""

    memories: list[Memory]


class MemoryRevision(Answer):
    """A change of a memory: `before` and `after` have the fields that changed.

    Of kind `merged` where another write said the same: then `after` is that write,
    without its content where that was the memory's own.
    """

    seq: int
    kind: Literal["changed", "merged"]
    changed_at: Timestamp
    changed_by: str
    before: dict[str, Any]
    after: dict[str, Any]


class MemoryHistory(Answer):
    """A page, newest first; `next_cursor` is null at the end."""

    records: list[MemoryRevision]
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
    """Best first.

    `confidence` is from 0 to 1: below 0.5 what was asked is more likely about something
    that the agent has no memory of.
    """

    memories: list[RecalledMemory]
    # One of an earlier version, met during an upgrade, says nothing of it.
    confidence: float = 1.0
    took_ms: float
    index: IndexState


class CacheState(Answer):
    """What the answering process holds of answers that it gave."""

    entries: int
    bytes: int


class MemoryStats(Answer):
    """Counts of one agent."""

    memories: int
    unjudged: int
    by_type: dict[str, int]
    index: IndexState
    embedding_model: str
    cache: CacheState
    replica_lag_seconds: float | None


class ConsolidateRequest(Contract):
    """Whose memories are to be consolidated."""

    agent_id: AgentId = DEFAULT_AGENT_ID


class Job(Answer):
    """Long work on one agent's memories.

    `progress` counts on while it runs: of the changes above `after` and up to `until`
    those up to `seq` are looked at. `result` is set once it is done, `error` says why
    it failed.
    """

    id: UUID
    agent_id: str
    kind: Literal["consolidate"]
    state: Literal["waiting", "running", "done", "failed"]
    created_at: Timestamp
    started_at: Timestamp | None
    ended_at: Timestamp | None
    progress: dict[str, int]
    result: dict[str, int] | None
    error: str | None


class ForgetRequest(Contract):
    """What to forget for good: a value, or all memories that meet the filters.

    A value is met by every memory that has its words one after the other, in whatever
    writing; so choose one that says what is to go ("Carla Rossi", not "Carla").
    """

    agent_id: AgentId = DEFAULT_AGENT_ID
    value: Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)] | None = None
    filters: RecallFilters | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.filters is None):
            raise ValueError("give either a value or filters")
        if self.filters is not None and not self.filters.model_dump(exclude_none=True):
            raise ValueError("filters must name at least one condition")
        return self


class ForgetResponse(Answer):
    """How many memories were forgotten, and what went with them.

    `versions` are past versions, `derived` what was made from a forgotten memory,
    `tombstones` the values that nobody can write any more.
    """

    memories: int
    versions: int
    derived: int
    tombstones: int


class TombstoneKind(StrEnum):
    """Whether a value was deleted, or is forgotten whoever feeds it again."""

    DELETED = "deleted"
    FORGOTTEN = "forgotten"


class Tombstone(Answer):
    """A value that does not come back; what it was is not kept."""

    id: UUID
    agent_id: str
    kind: TombstoneKind
    created_at: Timestamp
    created_by: str


class TombstoneList(Answer):
    """A page, newest first; `next_cursor` is null at the end."""

    records: list[Tombstone]
    next_cursor: str | None
