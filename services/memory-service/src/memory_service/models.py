"""What the service is about, free of HTTP and SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
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
    # The memories that it was made from.
    sources: Sequence[UUID] = ()

    def but(self, **changes: Any) -> "Draft":
        """The same, but for some fields."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Kept:
    """A memory that stands; `fresh` where this very call stored it.

    `merged_seq` is the number of the change by which the call was merged into it.
    """

    memory: Memory
    fresh: bool
    merged_seq: int | None = None

    @property
    def changed(self) -> bool:
        """Whether this very call changed anything."""
        return self.fresh or self.merged_seq is not None

    @property
    def seq(self) -> int:
        """The number of the write that a read must hold to see what was answered."""
        return self.memory.seq if self.merged_seq is None else self.merged_seq


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
class IndexState:
    """An agent's index: `seq` is the newest change it holds."""

    kind: str
    vectors: int
    seq: int


@dataclass(frozen=True, slots=True)
class Recollection:
    """Best first, and the index that answered.

    Below a `confidence` of 0.5 the query is more likely about something else.
    """

    memories: Sequence[Recalled]
    index: IndexState
    confidence: float


class Part(StrEnum):
    """What is searched apart, so that neither crowds out the other."""

    FACTS = "facts"
    THOUGHTS = "thoughts"
    # Superseded versions of either.
    PAST = "past"


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the change feed; without a vector the memory leaves the index."""

    memory_seq: int
    part: Part
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in their order, complete up to and including `upto`."""

    changes: Sequence[Change]
    upto: int
    last: bool


@dataclass(frozen=True, slots=True)
class Position:
    """The newest change of an agent, and the history in which it is that."""

    seq: int
    timeline: str


@dataclass(frozen=True, slots=True)
class Noted:
    """How far the vectors that replicas share go, and how many there are."""

    position: Position
    vectors: int


@dataclass(frozen=True, slots=True)
class VectorPage:
    """Vectors of memories, in the order of these, up to and including `upto`.

    They are as they were at the change `seq` or after it; `source` is the server's
    role, replica or primary.
    """

    changes: Sequence[Change]
    upto: int
    seq: int
    last: bool
    source: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many memories of an agent there are."""

    memories: int
    unjudged: int
    by_type: Mapping[str, int]
    seq: int


@dataclass(frozen=True, slots=True)
class Aged:
    """A memory by its key, whose partition is that of its timestamp."""

    agent_id: str
    timestamp: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Exported:
    """A memory and, where it was asked for, its vector in float16."""

    memory: Memory
    vector: bytes | None
    model: str | None
    # The memories that it was made from.
    sources: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """Long work on one agent's memories; fields and order are those of the API."""

    id: UUID
    agent_id: str
    kind: str
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    progress: Mapping[str, Any]
    result: Mapping[str, Any] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that this process runs until somebody else holds a higher epoch."""

    job: Job
    epoch: int


@dataclass(frozen=True, slots=True)
class Fence:
    """What must still hold when a job's memories are stored.

    It is held at this epoch, and no source has changed after `seen_seq`.
    """

    agent_id: str
    job_id: UUID
    epoch: int
    seen_seq: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """Memories that may be consolidated, in order; a vector for each number."""

    seqs: Seqs
    users: Sequence[str | None]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Member:
    """One of the memories that a consolidation puts together."""

    id: UUID
    seq: int
    user_id: str | None
    content: str
    importance: float
    timestamp: datetime
    vector: Vector


@dataclass(frozen=True, slots=True)
class Revision:
    """One change of a memory: what its fields were, and what they became.

    Of kind "merged" where another write was merged into it: `after` is that write.
    """

    seq: int
    kind: str
    changed_at: datetime
    changed_by: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A value that must not come back; the value itself is not known any more."""

    id: UUID
    agent_id: str
    kind: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Burial:
    """A value to be put under a tombstone; as a phrase it is found in longer texts."""

    digest: bytes
    phrase: bytes | None = None
    anchor: bytes | None = None
    words: int | None = None


@dataclass(frozen=True, slots=True)
class Forgot:
    """How much was forgotten, and the number of the last deletion."""

    memories: int = 0
    versions: int = 0
    derived: int = 0
    tombstones: int = 0
    seq: int = 0

    def and_(self, other: "Forgot") -> "Forgot":
        """Both together."""
        return Forgot(
            self.memories + other.memories,
            self.versions + other.versions,
            self.derived + other.derived,
            self.tombstones + other.tombstones,
            max(self.seq, other.seq),
        )
