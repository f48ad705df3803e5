"""The Model Context Protocol over streamable HTTP, without sessions.

Each POST is answered by itself, so any replica answers any of them: by clients that
shake hands first and by those of the protocol's stateless revision alike.
"""

import asyncio
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from fastapi import Request, Response
from starlette.types import Message, Receive, Scope, Send

from servicekit.app import api_router
from servicekit.auth import Caller
from servicekit.errors import Forbidden, InvalidRequest

if TYPE_CHECKING:
    from memory_service.routes.protocol import Protocol

router = api_router("", "mcp")
JSON = "application/json"


@router.post("/mcp", include_in_schema=False)
async def exchange(request: Request) -> Response:
    """One message of the protocol, and its answer."""
    caller: Caller = request.scope["caller"]
    if not caller.scopes:
        raise Forbidden("this key has no scope")
    if not request.headers.get("content-type", "").lower().startswith(JSON):
        raise InvalidRequest(f"send {JSON}")
    # Read here, where a body over the limit is still answered as on every other path.
    body = await request.body()
    protocol = await asyncio.to_thread(_protocol, request.app.version)
    return _Exchange(protocol, body)


@cache
def _protocol(version: str) -> "Protocol":
    """The package is large: a process that is never asked does without it."""
    module = import_module("memory_service.routes.protocol")
    make: Callable[[str], Protocol] = module.Protocol
    return make(version)


class _Exchange(Response):
    """Leaves the answer to the protocol."""

    def __init__(self, protocol: "Protocol", body: bytes) -> None:
        super().__init__()
        self._protocol = protocol
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the body that was read."""
        unread: list[Message] = [{"type": "http.request", "body": self._body}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self._protocol.answer(scope, replay, send)
