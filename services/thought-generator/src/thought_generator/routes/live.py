"""The live feed as server-sent events."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import lru_cache
from typing import Annotated

import orjson
from fastapi import Header, Request, Response

from contracts.base import DEFAULT_AGENT_ID, AgentId, StreamName
from servicekit.app import api_router
from servicekit.auth import Caller, caller_with
from thought_generator.domain.live import LiveFeed
from thought_generator.models.feed import Event, Notice, Told
from thought_generator.routes.sse import EventStream, sse_event

router = api_router("/api/thought", "thoughts")

# Proxies close what is silent for a minute; this keeps them and tells who is gone.
COMMENT_EVERY_S = 15.0
# An event is written for its first listener; the others follow within moments.
MAX_WRITTEN_EVENTS = 32


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
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{0,18}$")] = None,
) -> Response:
    """Thoughts as they are committed: event `thought`, its `id:` to resume from.

    An id that is still to come resumes from now on, as none does. Between thoughts
    come notices without an id: `doze` and `wake` of a stream, each once or never, and
    last `end`, whose `reason` is `stopping` (resume elsewhere), `removed` (the agent;
    its `id:` is 0, for one made anew begins at 1), `restored` (the database, to a
    state from before what was told) or `slow` (nothing was read for 20 s).
    """
    caller.check_agent(agent_id)
    feed: LiveFeed = request.app.state.context.live
    events = await feed.open(
        agent_id, int(last_event_id) if last_event_id else None, COMMENT_EVERY_S
    )
    return EventStream(_chunks(events, stream))


async def _chunks(
    events: AsyncGenerator[Sequence[Told], None], stream: str | None
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        yield b": listening\n\n"
        async for batch in events:
            if not batch:
                yield b": waiting\n\n"
            for told in batch:
                if stream is None or told.stream == stream:
                    yield _written(told)
                elif isinstance(told, Notice) and not told.stream:
                    yield _notice(told)


def _written(told: Told) -> bytes:
    return _event(told) if isinstance(told, Event) else _notice(told)


@lru_cache(MAX_WRITTEN_EVENTS)
def _event(event: Event) -> bytes:
    """The same bytes for all its listeners."""
    return sse_event("thought", event.thought, event.position)


def _notice(notice: Notice) -> bytes:
    named = {"stream": notice.stream} if notice.stream else {}
    return sse_event(notice.kind, orjson.dumps({**named, **notice.data}), _id(notice))


def _id(notice: Notice) -> int | None:
    """Who resumes after an agent was removed would bring a place in another feed."""
    return 0 if notice.data.get("reason") == "removed" else None
