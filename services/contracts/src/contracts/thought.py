"""thought-generator's messages."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from contracts.base import (
    DEFAULT_AGENT_ID,
    AgentId,
    Answer,
    Contract,
    ScopeId,
    Score,
    StreamName,
    Text,
    Timestamp,
    Unit,
)
from contracts.memory import MAX_CONTENT_CHARS, RecallScores
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
    "CoherenceState",
    "ConverseRequest",
    "ConverseResponse",
    "Doze",
    "ExplainedThought",
    "Explanation",
    "GenerateBatchItem",
    "GenerateBatchRequest",
    "GenerateBatchResponse",
    "GenerateRequest",
    "PreviousThought",
    "PromptPart",
    "RecalledItem",
    "RecalledMemory",
    "Rung",
    "SafetySummary",
    "SentPrompt",
    "StreamPatch",
    "StreamSettings",
    "Thought",
    "ThoughtList",
    "Timings",
    "Usage",
    "Verdicts",
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
# A message is thought about and remembered.
MAX_MESSAGE_CHARS = min(MAX_CONTEXT_CHARS, MAX_CONTENT_CHARS)
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
    """A memory the thought grew from.

    Read back, `content` is what it says now: empty where it was forgotten, or where
    memory does not answer.
    """

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
    """Milliseconds spent in each part; `remember` only in a reply."""

    safety_in: float
    recall: float
    generate: float
    safety_out: float
    store: float
    total: float
    remember: float | None = None


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


class PromptPart(Answer):
    """A part of a prompt; `version` is set for those that many thoughts share."""

    name: Literal[
        "persona", "instruction", "rules", "memories", "recent", "talk", "context"
    ]
    version: str | None
    text: str


class SentPrompt(Answer):
    """What the engine was given.

    The system text is persona, instruction and rules, joined by an empty line; the user
    text is the other parts, joined so too. `exact`: they are so to the letter, shown by
    `context_digest`. They are not where a memory was changed or forgotten since.
    """

    version: str
    exact: bool
    parts: list[PromptPart]


class RecalledMemory(Answer):
    """A memory that was recalled, and what it says now.

    `content` is null where it is `gone`, or `unknown` while memory does not answer.
    """

    memory_id: UUID
    score: float
    scores: RecallScores | None
    evidence: str | None
    state: Literal["kept", "gone", "unknown"]
    content: str | None


class Verdicts(Answer):
    """What safety said; null on the context of a thought from before it was kept."""

    context: SafetySummary | None
    thought: SafetySummary


class PreviousThought(Answer):
    """The thought before in the chain."""

    id: UUID
    seq: int
    content: str


class Explanation(Answer):
    """Why it was thought; `prompt` is null where it was thought before this was kept.

    `cached_from` is the thought whose answer was used again, where it can be told.
    """

    prompt: SentPrompt | None
    recalled: list[RecalledMemory]
    verdicts: Verdicts
    engine: str
    model: str
    usage: Usage
    cost_usd: float
    timings_ms: Timings
    previous: PreviousThought | None
    cached_from: UUID | None


class ExplainedThought(Thought):
    """A thought with its whole explanation."""

    explanation: Explanation


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


class ConverseRequest(Contract):
    """What a person says; without a session it begins one."""

    message: Annotated[Text, Field(max_length=MAX_MESSAGE_CHARS)]
    agent_id: AgentId = DEFAULT_AGENT_ID
    session_id: ScopeId | None = None


class ConverseResponse(Answer):
    """The reply, and the memories that the message is kept as."""

    reply: Thought
    remembered: list[UUID]
    session_id: str


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


class Rung(StrEnum):
    """What an agent does about a budget that runs out.

    `slower`: its streams wait twice as long between two thoughts. `cheaper`: another
    model thinks, where the service has one. `offline`: the offline engine thinks, and
    costs nothing. `sleep`: nothing is thought before the reset.
    """

    SLOWER = "slower"
    CHEAPER = "cheaper"
    OFFLINE = "offline"
    SLEEP = "sleep"


LADDER_ORDER = {Rung.SLOWER: 0, Rung.CHEAPER: 1, Rung.OFFLINE: 2, Rung.SLEEP: 2}
DEFAULT_LADDER = (Rung.SLOWER, Rung.CHEAPER, Rung.SLEEP)


def _climbs(ladder: list[Rung]) -> list[Rung]:
    places = [LADDER_ORDER[rung] for rung in ladder]
    if places != sorted(set(places)):
        raise ValueError("must be in the order slower, cheaper, then offline or sleep")
    return ladder


Ladder = Annotated[list[Rung], Field(max_length=3), AfterValidator(_climbs)]


class Budget(Contract):
    """The most an agent may spend from midnight to midnight, UTC.

    From the part `near_limit` of it on the rungs of `ladder` are taken one by one, the
    last when the next call no longer fits. Without offline or sleep at its end it
    sleeps.
    """

    usd_per_day: Dollars = 10.0
    tokens_per_day: Tokens | None = None
    near_limit: Unit = 0.8
    ladder: Ladder = Field(default_factory=lambda: list(DEFAULT_LADDER))


class BudgetPatch(Contract):
    """What changes of a budget."""

    usd_per_day: Dollars | None = None
    tokens_per_day: Tokens | None = None
    near_limit: Unit | None = None
    ladder: Ladder | None = None


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


class Doze(Answer):
    """Why a stream does not think just now; `until` is null where it tries again within
    seconds."""

    since: Timestamp
    problem: str
    until: Timestamp | None


class Agent(Answer):
    """A mind: who it is, how it thinks and what it may spend."""

    agent_id: str
    persona: str
    streams: dict[str, StreamSettings]
    budget: Budget
    state: AgentState
    dozing: dict[str, Doze]


class AgentList(Answer):
    """A page in the order of ids; `next_cursor` is null at the end."""

    agents: list[Agent]
    next_cursor: str | None


class CoherenceState(Answer):
    """An agent's coherence over the last `window_seconds`, as far as it can be told
    while it thinks; null where there was nothing to tell it by.

    `continuity`: the share of thoughts that are there and name the one before. `alive`:
    the share of cells, five minutes of a stream, with a thought; those in which a
    person or the budget wanted silence, `cells_excused`, do not count. `thread`,
    whether thoughts follow from their context, is not measured here. `loops_broken`:
    how often a stream that repeated itself was turned to something else.
    """

    continuity: float | None
    alive: float | None
    thread: float | None
    window_seconds: float
    thoughts_expected: int
    cells: int
    cells_excused: int
    loops_broken: int


class BudgetState(Answer):
    """Where an agent's budget stands today; `rung` is the last that was taken."""

    spent_usd: float
    reserved_usd: float
    limit_usd: float
    tokens: int
    resets_at: Timestamp
    rung: Rung | None
