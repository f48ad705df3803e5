"""What memory-service keeps, lists and consolidates."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from contracts.base import (
    DEFAULT_AGENT_ID,
    AgentId,
    Answer,
    Contract,
    Metadata,
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
    "CacheState",
    "ConsolidateRequest",
    "Evidence",
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
    "SignedVerdict",
]

MAX_BATCH_MEMORIES = 1000
# A memory is a passage, not a document.
MAX_CONTENT_CHARS = 32_768
# Ten years; longer is what `pinned` is for.
MAX_TTL_SECONDS = 315_360_000
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


class IndexState(Answer):
    """The index that answered; `seq` is the last change it holds."""

    kind: str
    vectors: int
    seq: int
    lag: int | None = None


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
