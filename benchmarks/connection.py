"""A client that costs little beside what it measures: one connection, kept open."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """The service answered with another status than 2xx."""


class Connection:
    """HTTP/1.1 to `http://host:port`, one call at a time. A service closes one in some
    hundred connections after its answer; the next call opens another."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname, parts.port
        self._streams: _Streams | None = None

    async def get(self, path: str) -> Any:
        """The parsed answer; raises Refused."""
        return await self._call("GET", path, b"", "")

    async def post(self, path: str, body: object, headers: str = "") -> Any:
        """The same with a JSON body; `headers` are whole lines with their ends."""
        return await self._call("POST", path, orjson.dumps(body), headers)

    async def patch(self, path: str, body: object) -> Any:
        """The same by PATCH."""
        return await self._call("PATCH", path, orjson.dumps(body), "")

    async def timed_get(self, path: str) -> float:
        """Milliseconds of a call."""
        begun = time.perf_counter()
        await self.get(path)
        return (time.perf_counter() - begun) * 1000

    async def timed_post(self, path: str, body: object) -> tuple[float, Any]:
        """Milliseconds of a call, and its answer."""
        begun = time.perf_counter()
        answer = await self.post(path, body)
        return (time.perf_counter() - begun) * 1000, answer

    async def _call(self, method: str, path: str, body: bytes, headers: str) -> Any:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        content = await _read_content(reader, answer)
        if b"\r\nconnection: close" in answer:
            self.close()
        status = int(answer.split(b" ", 2)[1])
        if not 200 <= status < 300:
            raise Refused(f"{method} {path}: {status} {content[:500]!r}")
        return orjson.loads(content)

    def close(self) -> None:
        """Ends the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _read_content(reader: asyncio.StreamReader, head: bytes) -> bytes:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        return await reader.readexactly(int(rest.split(b"\r", 1)[0]))
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(chunks)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    """A connection that is closed at the end."""
    connection = Connection(address)
    try:
        yield connection
    finally:
        connection.close()
