"""Memories on their way in, as they are kept, and as they change.

None is changed once it is made. What an import has for each line is not frozen all the
same: to make it would take three times as long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from memory_service.models.vectors import Vector
from servicekit.errors import AppError


@dataclass(slots=True)
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


@dataclass(slots=True)
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
    # False where only patterns have read it so far: it is not recalled before the rest.
    judged: bool = True

    def but(self, **changes: Any) -> "Draft":
        """The same, but for some fields."""
        return replace(self, **changes)


class Scrutiny(StrEnum):
    """How much of a verdict a text needs before it is stored."""

    FULL = "full"
    # The patterns' verdict is all that is asked for.
    PATTERNS = "patterns"
    # The patterns' before it is stored, all else before it is recalled.
    LATER = "later"


@dataclass(slots=True)
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
