"""What the domain speaks of; plain dataclasses, times in UTC, money in dollars."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
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


class Rung(StrEnum):
    """What an agent does about a budget that runs out, mildest first."""

    SLOWER = "slower"
    CHEAPER = "cheaper"
    OFFLINE = "offline"
    SLEEP = "sleep"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most an agent may spend a day, UTC; None is no limit. `near_limit` is the
    part of it from where the rungs of the ladder are taken."""

    usd_per_day: Decimal
    tokens_per_day: int | None
    near_limit: float = 0.8
    ladder: tuple[Rung, ...] = (Rung.SLOWER, Rung.CHEAPER, Rung.SLEEP)


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
class ModelOut:
    """The problem for which the offline engine stepped in."""

    problem: str
    detail: str


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


@dataclass(frozen=True, slots=True)
class Offer:
    """The most a call can take, and the part of the agent's limits, used so far, below
    which it may be made; None means up to the limit."""

    usd: Decimal
    tokens: int
    below: float | None


@dataclass(frozen=True, slots=True)
class Reserved:
    """The place of the offer that was reserved, None if none fitted; `used` is the
    part of the agent's limits that was spent or reserved before."""

    day: date
    used: float
    resets_in_s: float
    place: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an agent's day stands. `refused`: the last call did not fit into it."""

    limits: Limits
    spent_usd: Decimal
    reserved_usd: Decimal
    tokens: int
    used: float
    refused: bool
    resets_at: datetime
    rung: Rung | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """What a call cost, to be settled once: it replaces the reservation of `day`."""

    reservation: UUID
    day: date
    usd: Decimal
    tokens: int


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
class Stable:
    """The parts of a prompt that many thoughts share."""

    version: str
    persona: str
    instruction: str
    rules: str


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
class PromptPart:
    """A part of a prompt by its name; a stable one has a version."""

    name: str
    text: str
    version: str | None = None


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


@dataclass(frozen=True, slots=True)
class Event:
    """A committed thought in its agent's feed, as JSON."""

    position: int
    stream: str
    thought: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """What listeners are told beside thoughts, such as `doze`: best effort, since it
    has no place in the feed; `data` is told as JSON."""

    stream: str
    kind: str
    data: dict[str, Any]


Told = Event | Notice


@dataclass(frozen=True, slots=True)
class FeedEnd:
    """How far an agent's feed has come, and whose feed it is: an agent that was removed
    and made anew has another birth, and its positions begin again."""

    position: int
    born_at: datetime


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
