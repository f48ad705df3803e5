"""Talking with a mind."""

from typing import Annotated

import orjson
from fastapi import Header, Request, Response

from contracts.thought import ConverseRequest, ConverseResponse
from servicekit.app import api_router
from servicekit.auth import Caller, caller_with
from servicekit.idempotency import IdempotencyHeader, IdempotencyKey
from thought_generator.domain.conversation import Conversation
from thought_generator.routes.sse import delta_events, sse_event

router = api_router("/api/thought", "thoughts")

JSON = "application/json"
SSE = "text/event-stream"


@router.post(
    "/converse",
    response_model=ConverseResponse,
    responses={200: {"content": {JSON: {}, SSE: {}}}},
)
async def converse(
    request: Request,
    body: ConverseRequest,
    caller: Annotated[Caller, caller_with("write")],
    idempotency_key: IdempotencyHeader = None,
    accept: Annotated[str, Header()] = JSON,
) -> Response:
    """Remembers a message as told, and replies to it from memory.

    Asked for an event stream it sends `delta` events and then `reply`, which holds the
    whole answer; nothing is sent before safety has judged the whole reply.
    """
    caller.check_agent(body.agent_id)
    key = None
    if idempotency_key:
        key = IdempotencyKey.of(body.agent_id, "converse", idempotency_key, body)
    conversation: Conversation = request.app.state.context.conversation
    answer = await conversation.converse(
        body.agent_id, body.message, body.session_id, key
    )
    if SSE in accept:
        return Response(_as_events(answer), media_type=SSE)
    return Response(answer, media_type=JSON)


def _as_events(answer: bytes) -> bytes:
    content = orjson.loads(answer)["reply"]["content"]
    return delta_events(content) + sse_event("reply", answer)
