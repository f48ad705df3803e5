"""A call that answers while it is still being told."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from fastapi import Response
from starlette.types import Receive, Scope, Send

from memory_service.routes.documents import NDJSON

# A client that sends all before it reads anything gets this much ahead of itself;
# then its request is read only as fast as it reads the answer.
MAX_UNREAD_BYTES = 16 * 1024 * 1024

Work = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes]]


class ClientGone(Exception):
    """The client closed the connection before it had sent all."""


class Exchange(Response):
    """Streams what `work` makes of the body that is being streamed in."""

    media_type = NDJSON

    def __init__(self, work: Work) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers at once, chunk by chunk; without the end if the client goes away."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        outgoing = _Outgoing(send)
        sending = asyncio.create_task(outgoing.run())
        try:
            async with aclosing(self._work(_body(receive))) as chunks:
                async for chunk in chunks:
                    await outgoing.put(chunk)
            await outgoing.put(b"")
            await sending
        except ClientGone:
            return
        finally:
            sending.cancel()


class _Outgoing:
    """What waits to be sent, up to a limit."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._chunks: deque[bytes] = deque()
        self._unread_bytes = 0
        self._changed = asyncio.Condition()

    async def put(self, chunk: bytes) -> None:
        """Takes a chunk; an empty one is the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._unread_bytes < MAX_UNREAD_BYTES)
            self._chunks.append(chunk)
            self._unread_bytes += len(chunk)
            self._changed.notify_all()

    async def run(self) -> None:
        """Sends until the end."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._chunks))
                chunk = self._chunks.popleft()
            await self._send(
                {
                    "type": "http.response.body",
                    "body": chunk,
                    "more_body": bool(chunk),
                }
            )
            if not chunk:
                return
            async with self._changed:
                self._unread_bytes -= len(chunk)
                self._changed.notify_all()


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return
