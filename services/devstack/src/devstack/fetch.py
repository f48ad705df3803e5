"""GET over HTTP/1.1, streamed: what the runner asks of its own services."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httptools

HOST = "127.0.0.1"
READ_BYTES = 65_536
# What /readyz answers is short; more than this is not it.
MAX_ANSWER_BYTES = 65_536


class Answer:
    """A response whose body is still coming."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._begun = self._complete = False

    @property
    def status(self) -> int:
        """The status code."""
        return int(self._parser.get_status_code())

    async def parts(self) -> AsyncGenerator[bytes]:
        """The body as it comes; raises EOFError where the connection is lost."""
        while True:
            while self._parts:
                yield self._parts.pop(0)
            if self._complete:
                return
            await self._receive()

    async def read(self) -> bytes:
        """The whole body of a short answer."""
        body = b""
        async for part in self.parts():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                break
        return body

    async def head(self) -> None:
        """Waits for the head."""
        while not self._begun:
            await self._receive()

    async def _receive(self) -> None:
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise EOFError("the connection was closed before the end of the answer")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise EOFError("the answer is no HTTP") from error

    # httptools

    def on_headers_complete(self) -> None:
        self._begun = True

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._complete = True


@asynccontextmanager
async def get(
    port: int, path: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Answer]:
    """Asks a port of this machine; raises OSError or EOFError."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {HOST}:{port}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = Answer(reader)
        await answer.head()
        yield answer
    finally:
        writer.close()
