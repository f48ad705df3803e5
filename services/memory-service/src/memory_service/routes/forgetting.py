"""What is forgotten for good, and what keeps it so."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from contracts.forgetting import ForgetRequest, ForgetResponse, TombstoneList
from memory_service.routes.conversion import SEQ_HEADER, JsonAnswer, to_filters
from memory_service.routes.documents import SEQ_DOCUMENTED
from memory_service.routes.parameters import (
    DEFAULT_AGENT,
    Admin,
    AgentQuery,
    PageQuery,
    Reader,
    Writer,
    context_of,
)
from servicekit.app import api_router
from servicekit.paging import read_cursor, write_cursor

router = api_router("/api/memory", "memory")


@router.post(
    "/forget",
    response_model=ForgetResponse,
    responses={200: {"headers": SEQ_DOCUMENTED}},
)
async def forget(request: Request, caller: Writer, body: ForgetRequest) -> Response:
    """Forgets a value, or what the memories that meet the filters say.

    The memories go with all that tells of them and what was made from them. Whoever
    writes such a value again gets 409 `forgotten`, until an admin lifts its tombstone.
    A value named here is recognised within longer texts and in metadata; what a memory
    found by filters says, from four words on, and as a whole below that.
    """
    caller.check_agent(body.agent_id)
    forgetting = context_of(request).forgetting
    if body.value is not None:
        forgot = await forgetting.forget_value(body.agent_id, body.value, caller.name)
    else:
        assert body.filters is not None
        forgot = await forgetting.forget_matching(
            body.agent_id, to_filters(body.filters), caller.name
        )
    return JsonAnswer(
        {
            "memories": forgot.memories,
            "versions": forgot.versions,
            "derived": forgot.derived,
            "tombstones": forgot.tombstones,
        },
        headers={SEQ_HEADER: str(forgot.seq)} if forgot.seq else None,
    )


@router.get("/tombstones", response_model=TombstoneList)
async def tombstones(
    request: Request,
    caller: Reader,
    agent_id: AgentQuery = DEFAULT_AGENT,
    limit: PageQuery = 10,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """The values that do not come back, newest first; what they were is not kept."""
    caller.check_agent(agent_id)
    scope = f"tombstones:{agent_id}"
    before = None
    if cursor is not None:
        (text,) = read_cursor(scope, cursor, str)
        before = UUID(str(text))
    found = await context_of(request).forgetting.tombstones(agent_id, before, limit + 1)
    page = found[:limit]
    next_cursor = write_cursor(scope, str(page[-1].id)) if len(found) > limit else None
    return JsonAnswer({"records": page, "next_cursor": next_cursor})


@router.delete("/tombstones/{tombstone_id}", status_code=204)
async def lift(
    request: Request,
    caller: Admin,
    tombstone_id: UUID,
    agent_id: AgentQuery = DEFAULT_AGENT,
) -> Response:
    """Lets a value be written again."""
    caller.check_agent(agent_id)
    await context_of(request).forgetting.lift(agent_id, tombstone_id)
    return Response(status_code=204)
