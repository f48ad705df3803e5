"""What the service is about, free of HTTP and SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from servicekit.errors import AppError

# A unit vector of `embedding.manifest.DIMENSION` numbers.
Vector = NDArray[np.float32]
# Numbers of memories (`Memory.seq`), each unique within its agent.
Seqs = NDArray[np.int64]

MAX_SEQ = 2**63 - 1

FACTS = frozenset({"told", "observed", "inferred"})
THOUGHTS = frozenset({"thought"})


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory that is kept; the fields and their order are those of the API."""

    id: UUID
    seq: int
    agent_id: str
    user_id: str | None
    session_id: str | None
    content: str
    memory_type: str
    importance: float
    timestamp: datetime
    created_at: datetime
    updated_at: datetime
    metadata: Mapping[str, Any]
    evidence: str
    pinned: bool
    access_count: int
    last_accessed_at: datetime | None
    superseded_by: UUID | None
    expires_at: datetime | None


MEMORY_FIELDS = tuple(field.name for field in fields(Memory))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What safety-validator said of exactly this content, signed by it."""

    verdict: str
    policy_version: str
    signature: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A memory on its way in; `brought_id` where the caller chose the id."""

    id: UUID
    brought_id: bool
    agent_id: str
    user_id: str | None
    session_id: str | None
    content: str
    memory_type: str
    importance: float
    timestamp: datetime
    metadata: Mapping[str, Any]
    evidence: str
    pinned: bool
    expires_at: datetime | None
    verdict: Verdict | None = None
    vector: Vector | None = None

    def but(self, **changes: Any) -> "Draft":
        """The same, but for some fields."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Kept:
    """A memory that stands; `fresh` where this very call stored it."""

    memory: Memory
    fresh: bool


# What became of a memory on its way in; an error concerns this one alone.
Outcome = Kept | AppError


@dataclass(frozen=True, slots=True)
class Patch:
    """What changes of a memory; None stays."""

    content: str | None
    memory_type: str | None
    importance: float | None
    metadata: Mapping[str, Any] | None
    pinned: bool | None

    def changes(self, memory: Memory) -> dict[str, Any]:
        """The fields that would differ, with their new values."""
        return {
            name: value
            for name in (f.name for f in fields(self))
            if (value := getattr(self, name)) is not None
            and value != getattr(memory, name)
        }


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
class IndexState:
    """An agent's index: `seq` is the newest change it holds."""

    kind: str
    vectors: int
    seq: int


@dataclass(frozen=True, slots=True)
class Recollection:
    """Best first, and the index that answered."""

    memories: Sequence[Recalled]
    index: IndexState


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the change feed; without a vector the memory leaves the index."""

    memory_seq: int
    thought: bool
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in their order, complete up to and including `upto`."""

    changes: Sequence[Change]
    upto: int
    last: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How many memories of an agent there are."""

    memories: int
    unjudged: int
    by_type: Mapping[str, int]
    seq: int


@dataclass(frozen=True, slots=True)
class Exported:
    """A memory and, where it was asked for, its vector in float16."""

    memory: Memory
    vector: bytes | None
    model: str | None
