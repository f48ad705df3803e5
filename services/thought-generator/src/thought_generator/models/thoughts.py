"""Thoughts on their way in, in their chains, and how they came about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from thought_generator.models.budget import Payment
from thought_generator.models.prompts import (
    Origin,
    Prompt,
    PromptPart,
    Recalled,
    Stable,
    Usage,
)


@dataclass(frozen=True, slots=True)
class ModelOut:
    """The problem for which the offline engine stepped in."""

    problem: str
    detail: str


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
    payment: Payment | None = None
    """Settled by the commit; None where it cost nothing."""
    slower: bool = False
    """Whether the budget asks the stream to think at half its pace."""
    outage: ModelOut | None = None
    """Why the offline engine stepped in for the model; None if it did not."""
    born_at: datetime | None = None
    """Of the agent that it was thought for: one made anew in its place is another."""
    session_id: str | None = None
    """Of a reply: the conversation it belongs to."""
    heard: UUID | None = None
    """Of a reply: the memory of the message."""
    prompt: Prompt | None = None
    """What it was made from."""


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
class Coherence:
    """What an agent's chains and its streams' cells of time show over `window`.

    A seq is unique in its chain, so that nothing can be there twice.
    """

    window: timedelta
    thoughts_expected: int
    thoughts_lost: int
    thoughts_misplaced: int
    cells: int
    cells_alive: int
    cells_excused: int
    """Without a thought because a person or the budget wanted it so."""
    loops_broken: int

    @property
    def continuity(self) -> float | None:
        """None where nothing was thought."""
        if not self.thoughts_expected:
            return None
        wrong = self.thoughts_lost + self.thoughts_misplaced
        return 1 - wrong / self.thoughts_expected

    @property
    def alive(self) -> float | None:
        """None where nothing had to be thought."""
        expected = self.cells - self.cells_excused
        return self.cells_alive / expected if expected else None


@dataclass(frozen=True, slots=True)
class Previous:
    """The thought before in the chain."""

    id: UUID
    seq: int
    content: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What is kept of how a thought was made; of those of old, nothing but `previous`.

    What `origin.quoted` names is left out of `context`.
    """

    stable: Stable | None
    context: str
    origin: Origin
    heard: UUID | None
    previous: Previous | None
    cached_from: UUID | None
    """The thought whose answer was used again, if it can still be told."""
    outage: ModelOut | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a thought was thought."""

    basis: Basis
    parts: tuple[PromptPart, ...]
    """None of them for a thought of old."""
    exact: bool
    """Whether the parts are, to the letter, what the engine was given."""
    contents: dict[UUID, str] | None
    """What the memories say that are still there; None while memory is out."""
