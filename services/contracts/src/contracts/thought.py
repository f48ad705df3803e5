"""thought-generator's messages about thoughts."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from contracts.base import (
    DEFAULT_AGENT_ID,
    AgentId,
    Answer,
    Contract,
    ScopeId,
    StreamName,
    Text,
    Timestamp,
)
from contracts.memory import MAX_CONTENT_CHARS
from contracts.problem import Problem
from contracts.recall import RecallScores
from contracts.safety import CategoryHit, VerdictName

__all__ = [
    "MAX_BATCH_REQUESTS",
    "ConverseRequest",
    "ConverseResponse",
    "ExplainedThought",
    "Explanation",
    "GenerateBatchItem",
    "GenerateBatchRequest",
    "GenerateBatchResponse",
    "GenerateRequest",
    "ModelOut",
    "PreviousThought",
    "PromptPart",
    "RecalledItem",
    "RecalledMemory",
    "SafetySummary",
    "SentPrompt",
    "Thought",
    "ThoughtList",
    "Timings",
    "Usage",
    "Verdicts",
]

MAX_BATCH_REQUESTS = 64
MAX_CONTEXT_CHARS = 32_768
# A message is thought about and remembered.
MAX_MESSAGE_CHARS = min(MAX_CONTEXT_CHARS, MAX_CONTENT_CHARS)
MAX_OUTPUT_TOKENS = 8_192


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


class ModelOut(Answer):
    """Why the offline engine thought it: the problem that the model was met with."""

    problem: str
    detail: str


class Explanation(Answer):
    """Why it was thought; `prompt` is null where it was thought before this was kept.

    `cached_from` is the thought whose answer was used again, where it can be told.
    `outage` is null unless the offline engine stepped in for a model that was out.
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
    outage: ModelOut | None


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
