"""How long a pod waits for what a client wants, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from servicekit import server as server_module
from servicekit.server import PodProtocol

HEAD_S = 0.2
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers later than a head may come."""
    await asyncio.sleep(2 * HEAD_S)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest_asyncio.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(server_module, "HEAD_S", HEAD_S)
    config = uvicorn.Config(
        slow, access_log=False, log_config=None, timeout_keep_alive=1
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: PodProtocol(config, ServerState(), {}, loop), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHo", GET + GET[:10]])
async def test_a_head_that_does_not_come_ends_the_connection(
    port: int, said: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_a_head_that_came_is_answered_however_late(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        for byte in GET:
            writer.write(bytes([byte]))
            await writer.drain()
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        # Between calls it may be silent.
        await asyncio.sleep(2 * HEAD_S)
    writer.close()


@pytest.mark.parametrize("said", [b"", b"\r\n"])
async def test_an_idle_connection_is_closed(port: int, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    async with asyncio.timeout(5):
        await reader.readuntil(b"ok")
        writer.write(said)
        assert await reader.read() == b""
    writer.close()
