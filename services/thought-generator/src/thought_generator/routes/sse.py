"""Server-sent events, written with a bound on how long a reader may stall."""

import asyncio
from collections.abc import AsyncGenerator

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from thought_generator.metrics import LISTENERS_CUT

# A reader that takes nothing for this long is cut: it holds memory for nobody.
MAX_STALL_S = 20.0

log = structlog.get_logger()


def sse_event(name: str, data: bytes, event_id: int | None = None) -> bytes:
    """One event; `data` is JSON without line breaks."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), data)


class EventStream(Response):
    """Sends chunks as they come, until client, server or a stalled reader ends it."""

    media_type = "text/event-stream"

    # The framework reads the status of its document from the default here.
    def __init__(
        self, chunks: AsyncGenerator[bytes, None], status_code: int = 200
    ) -> None:
        super().__init__(status_code=status_code)
        self._chunks = chunks
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-cache"
        self.headers["x-accel-buffering"] = "no"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams until one of the two ends it."""
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when="FIRST_COMPLETED")
            if sending.done():
                sending.result()
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            # A listener cut within a chunk is gone now, not at some collection.
            await self._chunks.aclose()

    async def _send(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        try:
            async for chunk in self._chunks:
                async with asyncio.timeout(MAX_STALL_S):
                    await send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
        except TimeoutError:
            LISTENERS_CUT.inc()
            log.warning("listener is cut: it reads nothing", stalled_s=MAX_STALL_S)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
