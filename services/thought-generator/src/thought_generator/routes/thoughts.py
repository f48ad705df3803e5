"""Thoughts: made on request, read back."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Header, Query, Request, Response

from contracts.base import DEFAULT_AGENT_ID, MAX_PAGE_SIZE, AgentId, StreamName
from contracts.call import request_id
from contracts.thought import (
    ExplainedThought,
    GenerateBatchRequest,
    GenerateBatchResponse,
    GenerateRequest,
    Thought,
    ThoughtList,
)
from servicekit.app import api_router
from servicekit.auth import Caller, caller_with
from servicekit.errors import AppError
from servicekit.idempotency import IdempotencyHeader, IdempotencyKey
from servicekit.paging import read_cursor, write_cursor
from thought_generator.domain.mind import Mind
from thought_generator.errors import ThoughtUnknown
from thought_generator.routes.conversion import explained_json, thought_members
from thought_generator.routes.sse import delta_events, sse_event

router = api_router("/api/thought", "thoughts")

JSON = "application/json"
SSE = "text/event-stream"


def _mind(request: Request) -> Mind:
    mind: Mind = request.app.state.context.mind
    return mind


async def _generate(
    mind: Mind, body: GenerateRequest, operation: str, key: str | None
) -> bytes:
    return await mind.think_on_request(
        body.agent_id,
        body.stream,
        body.context,
        body.use_cache,
        body.max_tokens,
        (key and IdempotencyKey.of(body.agent_id, operation, key, body)) or None,
    )


@router.post(
    "/generate",
    response_model=Thought,
    responses={200: {"content": {JSON: {}, SSE: {}}}},
)
async def generate(
    request: Request,
    body: GenerateRequest,
    caller: Annotated[Caller, caller_with("write")],
    idempotency_key: IdempotencyHeader = None,
    accept: Annotated[str, Header()] = JSON,
) -> Response:
    """Thinks about a context. Asked for an event stream it sends `delta` events and
    then `thought`; nothing is sent before safety has judged the whole thought."""
    caller.check_agent(body.agent_id)
    thought = await _generate(_mind(request), body, "generate", idempotency_key)
    if SSE in accept:
        return Response(_as_events(thought), media_type=SSE)
    return Response(thought, media_type=JSON)


def _as_events(thought: bytes) -> bytes:
    content = orjson.loads(thought)["content"]
    return delta_events(content) + sse_event("thought", thought)


@router.post("/generate/batch", response_model=GenerateBatchResponse)
async def generate_batch(
    request: Request,
    body: GenerateBatchRequest,
    caller: Annotated[Caller, caller_with("write")],
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Thinks about several contexts in parallel; answers are in their order."""
    for item in body.requests:
        caller.check_agent(item.agent_id)
    keys = [
        idempotency_key and f"{idempotency_key}/{place}"
        for place in range(len(body.requests))
    ]
    results = await asyncio.gather(
        *(
            _generate_item(_mind(request), item, key)
            for item, key in zip(body.requests, keys, strict=True)
        )
    )
    return Response(b'{"results":[' + b",".join(results) + b"]}", media_type=JSON)


async def _generate_item(mind: Mind, item: GenerateRequest, key: str | None) -> bytes:
    try:
        return (
            b'{"thought":' + await _generate(mind, item, "generate/batch", key) + b"}"
        )
    except AppError as error:
        problem = error.problem(request_id.get()).model_dump_json(exclude_none=True)
        return b'{"problem":' + problem.encode() + b"}"


@router.get("/recent", response_model=ThoughtList)
async def recent(
    request: Request,
    caller: Annotated[Caller, caller_with("read")],
    agent_id: AgentId = DEFAULT_AGENT_ID,
    stream: StreamName | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 10,
    cursor: str | None = None,
) -> Response:
    """Thoughts, newest first."""
    caller.check_agent(agent_id)
    scope = f"recent/{agent_id}/{stream}"
    before = int(read_cursor(scope, cursor, int)[0]) if cursor else None
    page = await _mind(request).recent(agent_id, stream, before, limit)
    answer: dict[str, Any] = {
        "thoughts": [thought_members(thought) for thought in page],
        "next_cursor": (
            write_cursor(scope, page[-1].position) if len(page) == limit else None
        ),
    }
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type=JSON)


@router.get("/{thought_id}", response_model=ExplainedThought)
async def thought_by_id(
    request: Request,
    thought_id: UUID,
    caller: Annotated[Caller, caller_with("read")],
) -> Response:
    """One thought with its whole explanation."""
    mind = _mind(request)
    thought = await mind.thought(thought_id)
    if thought is None or not caller.may_reach(thought.agent_id):
        raise ThoughtUnknown(str(thought_id))
    explanation = await mind.explain(thought)
    if explanation is None:
        raise ThoughtUnknown(str(thought_id))
    return Response(explained_json(thought, explanation), media_type=JSON)
