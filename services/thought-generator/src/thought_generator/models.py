"""What the domain speaks of; plain dataclasses, times in UTC, money in dollars."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID


class AgentState(StrEnum):
    """Whether an agent's streams think."""

    RUNNING = "running"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Stream:
    """How one stream of an agent thinks; `prompt` None means the built-in one."""

    enabled: bool = True
    interval_seconds: float = 8.0
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The most an agent may spend a day, UTC; None is no limit."""

    usd_per_day: Decimal
    tokens_per_day: int | None


@dataclass(frozen=True, slots=True)
class Agent:
    """A mind."""

    agent_id: str
    persona: str
    streams: dict[str, Stream]
    limits: Limits
    state: AgentState


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that a thought may grow from; `evidence` says whether it is a fact."""

    memory_id: UUID
    score: float
    content: str
    evidence: str


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


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; None where the server did not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = 0
    cache_creation_input_tokens: int | None = 0
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine answered."""

    content: str
    stop_reason: str
    engine: str
    model: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Draft:
    """A thought that passed safety and waits for its place in the chain."""

    id: UUID
    agent_id: str
    stream: str
    content: str
    engine: str
    model: str
    cached: bool
    context_digest: str
    recalled: tuple[Recalled, ...]
    safety: dict[str, Any]
    verdict: dict[str, str] | None
    usage: Usage
    timings_ms: dict[str, float]
    stop_reason: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A thought in its place: in its stream's chain and in its agent's feed."""

    id: UUID
    agent_id: str
    stream: str
    seq: int
    previous_id: UUID | None
    position: int
    content: str
    created_at: datetime
    engine: str
    model: str
    cached: bool
    context_digest: str
    recalled: list[dict[str, Any]]
    safety: dict[str, Any]
    usage: dict[str, Any]
    timings_ms: dict[str, float]
    stop_reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """A committed thought in its agent's feed, as JSON."""

    position: int
    stream: str
    thought: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to think one stream; commits carry its epoch."""

    agent_id: str
    stream: str
    epoch: int
    interval_seconds: float
    prompt: str | None
    last_beat_at: datetime | None
