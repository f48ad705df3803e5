"""The route of every call: a bounded body, read by orjson, and nothing around it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

__all__ = ["MAX_BODY_BYTES", "JsonRoute"]

# The longest text a single call carries is 1 MiB, escaped and wrapped.
MAX_BODY_BYTES = 4 * 1024 * 1024
# For all of a body that is read as a whole: a line of a megabit brings the longest.
BODY_S = 30.0
# Where FastAPI looks for what to close after a call: files, and dependencies.
STACKS = (
    "fastapi_middleware_astack",
    "fastapi_inner_astack",
    "fastapi_function_astack",
)


class _JsonRequest(Request):
    """Its body is counted, not believed, so that every 413 is worded by us; and it
    has to come in time, unless the route reads it part by part."""

    def __init__(self, scope: Scope, receive: Receive, limit_bytes: int) -> None:
        super().__init__(scope, receive)
        self._limit_bytes = limit_bytes

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body in parts."""
        size_bytes = 0
        async for part in super().stream():
            size_bytes += len(part)
            if size_bytes > self._limit_bytes:
                # FastAPI answers any other error of a body with 400.
                raise HTTPException(413, "Content Too Large")
            yield part

    async def body(self) -> bytes:
        """All of it."""
        try:
            async with asyncio.timeout(BODY_S):
                return await super().body()
        except TimeoutError:
            detail = f"the body was not there within {BODY_S:.0f} s"
            raise HTTPException(408, detail, {"Connection": "close"}) from None

    async def json(self) -> Any:
        """The body; orjson also bounds its nesting and refuses lone surrogates."""
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """FastAPI's handler of a call without its layers; errors pass to the envelope.

    The layers would count bodies three times and look for errors twice. A body may
    have `max_body_size` bytes, MAX_BODY_BYTES where the route does not say.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit_bytes = (
            MAX_BODY_BYTES if self.max_body_size is None else self.max_body_size
        )
        self._handle = self.get_route_handler()
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            scope.update(dict.fromkeys(STACKS, stack))
            request = _JsonRequest(scope, receive, self._limit_bytes)
            try:
                response = await self._handle(request)
            except HTTPException as error:
                # FastAPI says 400 of a body whatever befell it.
                if isinstance(error.__cause__, ClientDisconnect):
                    raise error.__cause__ from None
                raise
            await response(scope, receive, send)
