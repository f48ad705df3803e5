"""What the tools of the Model Context Protocol take, in words that a model reads."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import (
    DEFAULT_AGENT_ID,
    AgentId,
    Contract,
    Metadata,
    PageSize,
    ScopeId,
    Text,
    Timestamp,
    Unit,
)
from contracts.memory import MAX_CONTENT_CHARS, Evidence, MemoryType
from contracts.recall import MAX_QUERY_CHARS, RecallFilters, RecallMode

WhoseMind = Annotated[AgentId, Field(description="Whose memory; see the user's setup.")]


class Remember(Contract):
    """Arguments of `remember`."""

    content: Annotated[
        Text,
        Field(
            max_length=MAX_CONTENT_CHARS,
            description="What to remember: one self-contained statement or passage.",
        ),
    ]
    agent_id: WhoseMind = DEFAULT_AGENT_ID
    memory_type: Annotated[
        MemoryType,
        Field(
            description="episodic: what happened; semantic: what is the case; "
            "procedural: how to do something; working: for this task only."
        ),
    ] = MemoryType.EPISODIC
    evidence: Annotated[
        Evidence,
        Field(
            description="told: somebody said it; observed: seen happening; "
            "inferred: concluded; thought: an idea, not a fact."
        ),
    ] = Evidence.TOLD
    importance: Annotated[
        Unit | None, Field(description="0 to 1; estimated if left out.")
    ] = None
    timestamp: Annotated[
        Timestamp | None,
        Field(description="When it was so, RFC 3339; now if left out."),
    ] = None
    user_id: Annotated[ScopeId | None, Field(description="Whom it is about.")] = None
    session_id: Annotated[
        ScopeId | None, Field(description="The conversation that it belongs to.")
    ] = None
    metadata: Annotated[
        Metadata, Field(description="Anything else, as a JSON object.")
    ] = Field(default_factory=dict)
    pinned: Annotated[bool, Field(strict=True, description="Never let it fade.")] = (
        False
    )


class Recall(Contract):
    """Arguments of `recall`."""

    query: Annotated[
        Text,
        Field(
            max_length=MAX_QUERY_CHARS,
            description="What to remember about: a question or some words.",
        ),
    ]
    agent_id: WhoseMind = DEFAULT_AGENT_ID
    limit: Annotated[PageSize, Field(description="At most so many memories.")] = 10
    mode: Annotated[
        RecallMode,
        Field(description="By meaning (semantic), by words (keyword) or by both."),
    ] = RecallMode.HYBRID
    filters: Annotated[
        RecallFilters, Field(description="Only memories that meet all of these.")
    ] = Field(default_factory=RecallFilters)


class Recent(Contract):
    """Arguments of `recent`."""

    agent_id: WhoseMind = DEFAULT_AGENT_ID
    memory_type: Annotated[
        MemoryType | None, Field(description="Only this sort of memory.")
    ] = None
    limit: Annotated[PageSize, Field(description="At most so many memories.")] = 10
    cursor: Annotated[
        Text | None, Field(description="`next_cursor` of the page before.")
    ] = None


class Forget(Contract):
    """Arguments of `forget`."""

    id: Annotated[UUID | None, Field(description="The one memory to delete.")] = None
    value: Annotated[
        Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)] | None,
        Field(
            description="Words that no memory may have, now or later, such as a full "
            "name: every memory with them goes, and writing them again is refused."
        ),
    ] = None
    agent_id: WhoseMind = DEFAULT_AGENT_ID

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.id is None) == (self.value is None):
            raise ValueError("give either an id or a value")
        return self
