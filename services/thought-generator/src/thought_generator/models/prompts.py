"""What an engine is given, and what it answers."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that a thought may grow from; `evidence` says whether it is a fact."""

    memory_id: UUID
    score: float
    content: str
    evidence: str
    scores: tuple[float | None, ...] = ()
    """Semantic, keyword, recency, importance; None where it was not asked."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a person said, and what was replied."""

    said: str
    replied: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """Where a text quotes a memory: so many characters of it, from its start."""

    memory_id: UUID
    at: int
    chars: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the volatile parts of a prompt are kept, so that they need no copy."""

    quoted: Quoted | None = None
    """The memory that the context quotes."""
    seqs: tuple[int, ...] = ()
    """Of the thoughts in `recent`, or the replies in `talk`, in the same stream."""
    context_verdict: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """All an engine is given: the stable parts first, what is volatile last."""

    persona: str
    stream: str
    instruction: str
    context: str
    recalled: tuple[Recalled, ...]
    recent: tuple[str, ...]
    """The stream's last thoughts, newest first: not to be said again."""
    talk: tuple[Turn, ...] | None = None
    """Of a reply: the turns before it, oldest first; `context` is what was said."""
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True)
class Stable:
    """The parts of a prompt that many thoughts share."""

    version: str
    persona: str
    instruction: str
    rules: str


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A part of a prompt by its name; a stable one has a version."""

    name: str
    text: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; None where the server did not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine answered."""

    content: str
    stop_reason: str
    engine: str
    model: str
    usage: Usage = field(default_factory=Usage)
