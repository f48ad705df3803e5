"""Server-sent events, written with a bound on how long a reader may stall."""

import asyncio
from collections.abc import AsyncGenerator

import orjson
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from servicekit.protocol import TRANSPORT
from thought_generator.metrics import LISTENERS_CUT

# A reader that takes nothing for this long is cut: it holds memory for nobody.
MAX_STALL_S = 20.0
# How often that is looked at.
STALL_CHECKS = 4
# After it is cut, a reader that wakes up has so long to read why.
LINGER_S = 2.0
# Written at once; with the server's own buffer all that a slow reader can hold.
PIECE_BYTES = 16_384

log = structlog.get_logger()


def sse_event(name: str, data: bytes, event_id: int | None = None) -> bytes:
    """One event; `data` is JSON without line breaks."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), data)


def delta_events(content: str) -> bytes:
    """A text word by word; one after another they are the text."""
    words = content.split(" ")
    deltas = [words[0], *(f" {word}" for word in words[1:])]
    return b"".join(
        sse_event("delta", orjson.dumps({"text": delta})) for delta in deltas
    )


SLOW = sse_event("end", b'{"reason":"slow"}')


class EventStream(Response):
    """Sends chunks as they come, until client, server or a stalled reader ends it.

    A chunk is one or more whole events.
    """

    media_type = "text/event-stream"

    # The framework reads the status of its document from the default here.
    def __init__(
        self, chunks: AsyncGenerator[bytes, None], status_code: int = 200
    ) -> None:
        super().__init__(status_code=status_code)
        self._chunks = chunks
        self._within_chunk = False
        self._sending_since_s: float | None = None
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-cache"
        self.headers["x-accel-buffering"] = "no"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams until one of the two ends it."""
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await self._watch(sending, leaving)
            if sending.done():
                sending.result()
            elif not leaving.done():
                sending.cancel()
                await self._cut(scope, leaving)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            # A listener cut within a chunk is gone now, not at some collection.
            await self._chunks.aclose()

    async def _watch(
        self, sending: asyncio.Future[None], leaving: asyncio.Future[None]
    ) -> None:
        """Returns when either is done or the reader has stalled for too long."""
        loop = asyncio.get_running_loop()
        while not (sending.done() or leaving.done()):
            since_s = self._sending_since_s
            if since_s is not None and loop.time() - since_s > MAX_STALL_S:
                return
            await asyncio.wait(
                {sending, leaving},
                timeout=MAX_STALL_S / STALL_CHECKS,
                return_when="FIRST_COMPLETED",
            )

    async def _send(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        async for chunk in self._chunks:
            for start in range(0, len(chunk), PIECE_BYTES):
                self._within_chunk = start > 0
                self._sending_since_s = clock()
                piece = chunk[start : start + PIECE_BYTES]
                await send(
                    {"type": "http.response.body", "body": piece, "more_body": True}
                )
                self._sending_since_s = None
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _cut(self, scope: Scope, leaving: asyncio.Future[None]) -> None:
        """Ends a connection that takes nothing, with a reason where one fits in."""
        LISTENERS_CUT.labels("slow").inc()
        log.warning("listener is cut: it reads nothing", stalled_s=MAX_STALL_S)
        transport = scope["extensions"][TRANSPORT]["transport"]
        if not self._within_chunk:
            # Past the server's flow control, which is what it is stuck in.
            transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SLOW), SLOW))
            transport.close()
            await asyncio.wait({leaving}, timeout=LINGER_S)
        transport.abort()
        await leaving


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
