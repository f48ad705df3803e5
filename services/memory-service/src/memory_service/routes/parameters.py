"""Parameters that several calls take."""

from typing import Annotated

from fastapi import Header, Query, Request

from contracts.base import DEFAULT_AGENT_ID, MAX_PAGE_SIZE, AgentId
from memory_service.context import Context
from memory_service.models.vectors import MAX_SEQ
from servicekit.auth import Caller, caller_with

Reader = Annotated[Caller, caller_with("read")]
Writer = Annotated[Caller, caller_with("write")]
Admin = Annotated[Caller, caller_with("admin")]

AgentQuery = Annotated[AgentId, Query(description="Whose memories.")]
OwnerQuery = Annotated[
    AgentId | None, Query(description="Whose memory; by its id if left out.")
]
DEFAULT_AGENT: AgentId = DEFAULT_AGENT_ID

PageQuery = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]

MinSeqHeader = Annotated[
    int,
    Header(
        alias="X-Min-Seq",
        ge=0,
        le=MAX_SEQ,
        description="The answer holds at least the write that got this X-Memory-Seq.",
    ),
]


def context_of(request: Request) -> Context:
    """What the process holds."""
    context: Context = request.app.state.context
    return context
