"""What memory-service is asked to remember, and what it answers."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool

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
from contracts.memory import Evidence, IndexState, Memory, MemoryType

__all__ = [
    "MAX_QUERY_CHARS",
    "RecallFilters",
    "RecallMode",
    "RecallRequest",
    "RecallResponse",
    "RecallScores",
    "RecalledMemory",
]

# Beyond it a query says nothing more: the embedder reads 256 tokens.
MAX_QUERY_CHARS = 8_192


class RecallMode(StrEnum):
    """Which arms search."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    KEYWORD = "keyword"


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
