"""What callers of thought-generator may meet.

AppError
├── NotFound        → AgentUnknown, StreamUnknown, ThoughtUnknown
├── InvalidRequest  → BlockedBySafety
├── Overloaded      → QueueFull, BudgetSpent
├── Unavailable     → SafetyUnavailable, MemoryUnavailable, EngineUnavailable
│                     ├── EngineAnswerUnusable
│                     └── EngineEndUnknown → EngineAnswerCut
└── Conflict        → Forgotten, Fenced (never leaves the service)
"""

from typing import Any

from servicekit.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    Overloaded,
    Unavailable,
)
from thought_generator.models.prompts import Usage


class AgentUnknown(NotFound):
    """There is no such agent; PUT it to make it think."""

    kind = "agent-unknown"


class StreamUnknown(NotFound):
    """The agent has no stream of that name."""

    kind = "stream-unknown"


class ThoughtUnknown(NotFound):
    """There is no such thought."""

    kind = "thought-unknown"


class BlockedBySafety(InvalidRequest):
    """Safety blocked this text."""

    kind = "blocked-by-safety"

    def __init__(self, part: str, verdict: dict[str, Any]) -> None:
        super().__init__(f"the {part} was blocked", part=part, verdict=verdict)


class QueueFull(Overloaded):
    """Too many thoughts are waiting; try again later."""

    kind = "queue-full"


class BudgetSpent(Overloaded):
    """The agent's budget of the day is spent."""

    kind = "budget-spent"

    def __init__(self, resets_in_s: float) -> None:
        super().__init__("it is renewed at midnight UTC")
        self.retry_after_s = resets_in_s


class PriceUnknown(InvalidRequest):
    """The model has no price, so nothing can be reserved for it."""

    kind = "price-unknown"


class Forgotten(Conflict):
    """This was to be forgotten, so nothing is thought about it."""

    kind = "forgotten"


class SafetyUnavailable(Unavailable):
    """There is no safety verdict, so nothing is thought."""

    kind = "safety-unavailable"


class MemoryUnavailable(Unavailable):
    """Memory does not answer, so nothing is thought."""

    kind = "memory-unavailable"


class EngineUnavailable(Unavailable):
    """The model does not answer; try again later."""

    kind = "engine-unavailable"
    usage: Usage | None = None
    """What it cost all the same; None where nothing was used."""
    refused: bool = False
    """Whether the server is well, and does not take what we ask."""


class EngineAnswerUnusable(EngineUnavailable):
    """The model's answer was cut, empty or no text."""

    kind = "engine-answer-unusable"

    def __init__(self, detail: str, usage: Usage | None = None) -> None:
        super().__init__(detail)
        self.usage = usage


class EngineEndUnknown(EngineUnavailable):
    """The model was asked, but its answer never came; try again later."""


class EngineAnswerCut(EngineEndUnknown):
    """The model's answer was cut, and what it cost is not known."""

    kind = "engine-answer-unusable"


class Fenced(Conflict):
    """Another thinker owns this stream now."""

    kind = "fenced"
