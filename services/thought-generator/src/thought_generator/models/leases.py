"""Who thinks which stream."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to think one stream; commits carry its epoch."""

    agent_id: str
    stream: str
    epoch: int
    interval_seconds: float
    prompt: str | None
    last_beat_at: datetime | None
    dozing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells a replica that it should look at its streams again."""

    living: tuple[str, ...]
    """The replicas that think, in the order of their names."""
    place: int | None
    """Of this replica among them; None when its lease has run out."""
    changes: tuple[int, int]
    """Differs whenever settings have changed."""
