"""A call that answers while it is still being told."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from fastapi import Response
from starlette.types import Receive, Scope, Send

from memory_service.routes.documents import NDJSON

# What waits for a client that does not read; then its request is read more slowly ...
MAX_UNREAD_BYTES = 16 * 1024 * 1024
# ... and a client that has read nothing for this long means to send all before it
# reads: further lines of its answer are counted and left out.
PATIENCE_S = 10.0

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
            outgoing.end()
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
        self._read = asyncio.Event()
        self._arrived = asyncio.Event()
        self._patience_s = PATIENCE_S
        self._lines_left_out = 0
        # The chunk that was put last, where that was left out.
        self._last = b""

    async def put(self, chunk: bytes) -> None:
        """Takes a chunk, or leaves it out where the client does not read."""
        self._lines_left_out += self._last.count(b"\n")
        self._last = b""
        if await self._has_room():
            self._add(chunk)
        else:
            self._last = chunk

    def end(self) -> None:
        """Says what was left out; the last chunk never is."""
        if self._lines_left_out:
            self._add(b'{"left_out":%d}\n' % self._lines_left_out)
        if self._last:
            self._add(self._last)
        self._add(b"")

    async def run(self) -> None:
        """Sends until the end."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._chunks:
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
                self._unread_bytes -= len(chunk)
                self._patience_s = PATIENCE_S
                self._read.set()

    async def _has_room(self) -> bool:
        try:
            async with asyncio.timeout(self._patience_s):
                while self._unread_bytes >= MAX_UNREAD_BYTES:
                    self._read.clear()
                    await self._read.wait()
        except TimeoutError:
            # Until it reads again, nothing waits for it.
            self._patience_s = 0.0
            return False
        return True

    def _add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._unread_bytes += len(chunk)
        self._arrived.set()


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return
