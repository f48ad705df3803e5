"""What is asked of memory, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from memory_service.models.memories import Memory
from memory_service.models.vectors import FACTS, THOUGHTS, IndexState


@dataclass(frozen=True, slots=True)
class Filters:
    """Only memories that meet all of them; None means no such condition."""

    memory_types: Sequence[str] | None = None
    user_id: str | None = None
    session_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_importance: float | None = None
    metadata: Mapping[str, Any] | None = None
    evidence: frozenset[str] | None = None

    @property
    def may_be_few(self) -> bool:
        """Whether they leave little of an agent's memories, as a rule."""
        return any(
            value is not None
            for value in (self.user_id, self.session_id, self.metadata)
        )

    @property
    def may_find_sources(self) -> bool:
        """Whether the sources of a consolidation may meet them where it does."""
        return (
            self.metadata is None
            and (self.memory_types is None or "episodic" in self.memory_types)
            and (self.evidence is None or bool(self.evidence & {"told", "observed"}))
        )

    @property
    def need_rows(self) -> bool:
        """Whether more than the two halves of the index decides."""
        return self.evidence not in (None, FACTS, THOUGHTS, FACTS | THOUGHTS) or any(
            value is not None
            for value in (
                self.memory_types,
                self.user_id,
                self.session_id,
                self.since,
                self.until,
                self.min_importance,
                self.metadata,
            )
        )


@dataclass(frozen=True, slots=True)
class Query:
    """What to remember about, and how."""

    text: str
    agent_id: str
    limit: int
    mode: str
    filters: Filters = field(default_factory=Filters)
    min_score: float | None = None
    # Whether past versions are found too.
    include_history: bool = False


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What a query's words lead to, and the words themselves for a further look.

    `scores` are from 0 to 1 and know of rare words only; `queries` weigh `weights`,
    which sum to 1, and those of common words to `common_weight`; `common` are words
    newly found to be so, by their share of memories; `has_sessions` where turns have
    others before and after them.
    """

    scores: Mapping[int, float] = field(default_factory=dict)
    queries: Sequence[str] = ()
    weights: Sequence[float] = ()
    common_weight: float = 0.0
    common: Mapping[str, float] = field(default_factory=dict)
    has_sessions: bool = False


@dataclass(frozen=True, slots=True)
class Recallable:
    """The best of some candidates with their shares of a query's words.

    `standing` of all those candidates may be recalled.
    """

    memories: Sequence[tuple[Memory, float | None]]
    standing: int


@dataclass(frozen=True, slots=True)
class Scores:
    """The parts of a score; None where that arm did not look at the memory."""

    semantic: float | None
    keyword: float | None
    recency: float
    importance: float


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory and how well it answers."""

    memory: Memory
    score: float
    scores: Scores


@dataclass(frozen=True, slots=True)
class Recollection:
    """Best first, and the index that answered.

    Below a `confidence` of 0.5 the query is more likely about something else.
    """

    memories: Sequence[Recalled]
    index: IndexState
    confidence: float
