"""The live feed as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import Header, Request, Response

from contracts.base import DEFAULT_AGENT_ID, AgentId, StreamName
from servicekit.app import api_router
from servicekit.auth import Caller, caller_with
from thought_generator.domain.live import LiveFeed
from thought_generator.models import Event
from thought_generator.routes.sse import EventStream, sse_event

router = api_router("/api/thought", "thoughts")

# Proxies close what is silent for a minute; this keeps them and tells who is gone.
COMMENT_EVERY_S = 15.0


@router.get(
    "/live",
    response_class=EventStream,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def live(
    request: Request,
    caller: Annotated[Caller, caller_with("read")],
    agent_id: AgentId = DEFAULT_AGENT_ID,
    stream: StreamName | None = None,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,18}$")] = None,
) -> Response:
    """Thoughts as they are committed: event `thought`, its `id:` to resume from."""
    caller.check_agent(agent_id)
    feed: LiveFeed = request.app.state.context.live
    after = None if last_event_id is None else int(last_event_id)
    events = await feed.open(agent_id, after, COMMENT_EVERY_S)
    return EventStream(_chunks(events, stream))


async def _chunks(
    events: AsyncGenerator[list[Event], None], stream: str | None
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        yield b": listening\n\n"
        async for batch in events:
            chunk = b"".join(
                sse_event("thought", event.thought, event.position)
                for event in batch
                if stream is None or event.stream == stream
            )
            yield chunk or b": waiting\n\n"
