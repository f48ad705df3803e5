"""thought-generator's messages."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from contracts.base import (
    DEFAULT_AGENT_ID,
    AgentId,
    Answer,
    Contract,
    Score,
    StreamName,
    Text,
    Timestamp,
)
from contracts.problem import Problem
from contracts.safety import CategoryHit, VerdictName

__all__ = [
    "DEFAULT_STREAMS",
    "MAX_BATCH_REQUESTS",
    "Agent",
    "AgentList",
    "AgentPatch",
    "AgentPut",
    "AgentState",
    "Budget",
    "BudgetPatch",
    "BudgetState",
    "GenerateBatchItem",
    "GenerateBatchRequest",
    "GenerateBatchResponse",
    "GenerateRequest",
    "RecalledItem",
    "SafetySummary",
    "StreamPatch",
    "StreamSettings",
    "Thought",
    "ThoughtList",
    "Timings",
    "Usage",
]

DEFAULT_STREAMS = (
    "primary",
    "subconscious",
    "emotional",
    "creative",
    "metacognitive",
)
MAX_BATCH_REQUESTS = 64
MAX_CONTEXT_CHARS = 32_768
MAX_PERSONA_CHARS = 16_384
MAX_STREAMS = 32
# A day: a slower stream is a paused one.
MAX_INTERVAL_SECONDS = 86_400
MAX_OUTPUT_TOKENS = 8_192
MAX_USD_PER_DAY = 1_000_000
MAX_TOKENS_PER_DAY = 10**12

Prompt = Annotated[Text, Field(max_length=4_096)]
Persona = Annotated[Text, Field(max_length=MAX_PERSONA_CHARS)]
Seconds = Annotated[Score, Field(ge=0.1, le=MAX_INTERVAL_SECONDS)]
Dollars = Annotated[Score, Field(ge=0, le=MAX_USD_PER_DAY)]
Tokens = Annotated[StrictInt, Field(ge=0, le=MAX_TOKENS_PER_DAY)]


class GenerateRequest(Contract):
    """A context to think about."""

    context: Annotated[Text, Field(max_length=MAX_CONTEXT_CHARS)]
    agent_id: AgentId = DEFAULT_AGENT_ID
    stream: StreamName = "primary"
    use_cache: StrictBool = True
    max_tokens: Annotated[StrictInt, Field(ge=1, le=MAX_OUTPUT_TOKENS)] | None = None


class RecalledItem(Answer):
    """A memory the thought grew from."""

    memory_id: UUID
    score: float
    content: str


class SafetySummary(Answer):
    """The verdict on the thought itself."""

    verdict: VerdictName
    categories: list[CategoryHit]
    policy_version: str


class Usage(Answer):
    """Tokens and money; None where the server did not say."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None
    cache_creation_input_tokens: int | None
    cost_usd: float


class Timings(Answer):
    """Milliseconds spent in each part."""

    safety_in: float
    recall: float
    generate: float
    safety_out: float
    store: float
    total: float


class Thought(Answer):
    """A thought, and why it was thought."""

    id: UUID
    agent_id: str
    stream: str
    seq: int
    previous_id: UUID | None
    content: str
    created_at: Timestamp
    engine: str
    model: str
    cached: bool
    context_digest: str
    recalled: list[RecalledItem]
    safety: SafetySummary
    usage: Usage
    timings_ms: Timings
    stop_reason: str


class ThoughtList(Answer):
    """A page, newest first; `next_cursor` is null at the end."""

    thoughts: list[Thought]
    next_cursor: str | None


class GenerateBatchRequest(Contract):
    """Contexts to think about in parallel."""

    requests: Annotated[
        list[GenerateRequest], Field(min_length=1, max_length=MAX_BATCH_REQUESTS)
    ]


class GenerateBatchItem(Answer):
    """One of the two is set."""

    thought: Thought | None = None
    problem: Problem | None = None


class GenerateBatchResponse(Answer):
    """Results in the order of the requests."""

    results: list[GenerateBatchItem]


class StreamSettings(Contract):
    """How one stream thinks; a prompt left out is the built-in one of its name."""

    enabled: StrictBool = True
    interval_seconds: Seconds = 8.0
    prompt: Prompt | None = None


class StreamPatch(Contract):
    """What changes of one stream."""

    enabled: StrictBool | None = None
    interval_seconds: Seconds | None = None
    prompt: Prompt | None = None


class Budget(Contract):
    """The most an agent may spend from midnight to midnight, UTC."""

    usd_per_day: Dollars = 10.0
    tokens_per_day: Tokens | None = None


class BudgetPatch(Contract):
    """What changes of a budget."""

    usd_per_day: Dollars | None = None
    tokens_per_day: Tokens | None = None


Streams = Annotated[dict[StreamName, StreamSettings], Field(max_length=MAX_STREAMS)]


class AgentPut(Contract):
    """A whole agent; what is left out takes its default."""

    persona: Persona | None = None
    streams: Streams | None = None
    budget: Budget = Field(default_factory=Budget)


class AgentPatch(Contract):
    """What changes; a stream not named stays as it is."""

    persona: Persona | None = None
    streams: (
        Annotated[dict[StreamName, StreamPatch], Field(max_length=MAX_STREAMS)] | None
    ) = None
    budget: BudgetPatch | None = None


class AgentState(StrEnum):
    """Whether its streams think."""

    RUNNING = "running"
    PAUSED = "paused"


class Agent(Answer):
    """A mind: who it is, how it thinks and what it may spend."""

    agent_id: str
    persona: str
    streams: dict[str, StreamSettings]
    budget: Budget
    state: AgentState


class AgentList(Answer):
    """A page in the order of ids; `next_cursor` is null at the end."""

    agents: list[Agent]
    next_cursor: str | None


class BudgetState(Answer):
    """Where an agent's budget stands today."""

    spent_usd: float
    reserved_usd: float
    limit_usd: float
    tokens: int
    resets_at: Timestamp
