"""Minds, and what keeps their streams from thinking."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from thought_generator.models.budget import Limits


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
class Doze:
    """A gap in a stream: since when, by which problem, and when it tries again;
    None is soon."""

    since: datetime
    problem: str
    until: datetime | None


class Outage(StrEnum):
    """What an agent's streams do while the model is out."""

    DOZE = "doze"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class OfflineStream:
    """Since when the offline engine thinks a stream for a model that is out, and which
    problem was met last."""

    since: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class Agent:
    """A mind."""

    agent_id: str
    persona: str
    streams: dict[str, Stream]
    limits: Limits
    state: AgentState
    dozing: dict[str, Doze] = field(default_factory=dict)
    """The streams that should think and do not, by name."""
    outage: Outage = Outage.DOZE
    offline: dict[str, OfflineStream] = field(default_factory=dict)
    """The streams that the offline engine thinks, the model being out, by name."""
    born_at: datetime | None = None
    """Another one than that of an agent of this name that was removed."""
