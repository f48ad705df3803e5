"""What was forgotten, and what keeps it so."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


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
