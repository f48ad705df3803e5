"""How long a pod waits for what a client sends, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import pytest_asyncio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.unit.servicekit.small_app import make_app
from uvicorn.server import ServerState

from servicekit import json_route
from servicekit import protocol as protocol_module
from servicekit.app import MAX_BODY_BYTES
from servicekit.protocol import PodProtocol

HEAD_S = 0.2
BODY_S = 0.3
SILENCE_S = 1.0
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers later than a head may come."""
    await asyncio.sleep(2 * HEAD_S)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def hesitant(scope: Scope, receive: Receive, send: Send) -> None:
    """Lets a body wait longer than it may pause, then counts its bytes."""
    await asyncio.sleep(2 * SILENCE_S)
    size_bytes, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size_bytes += len(message["body"])
        more = message["more_body"]
    headers = [(b"content-length", b"8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"%08d" % size_bytes})


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[int]:
    """The port at which it answers."""
    config = uvicorn.Config(
        app, access_log=False, log_config=None, timeout_keep_alive=1
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: PodProtocol(config, ServerState(), {}, loop), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "HEAD_S", HEAD_S)
    monkeypatch.setattr(protocol_module, "SILENCE_S", SILENCE_S)
    monkeypatch.setattr(protocol_module, "LINGER_S", BODY_S)
    monkeypatch.setattr(json_route, "BODY_S", BODY_S)


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    async with serve(slow) as listening:
        yield listening


@pytest_asyncio.fixture
async def small() -> AsyncIterator[int]:
    async with serve(make_app()) as listening:
        yield listening


async def trickle(port: int, head: bytes, piece: bytes, pieces: int = 10_000) -> bytes:
    """What a client reads that sends a piece now and then until it is let go."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.read())
    writer.write(head)
    async with asyncio.timeout(20):
        for _ in range(pieces):
            if answer.done():
                break
            with suppress(ConnectionError):
                writer.write(piece)
                await writer.drain()
            await asyncio.sleep(0.01)
        try:
            return await answer
        finally:
            writer.close()


def post(path: str, framing: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % (
        path.encode(),
        framing,
    )


SIZED = b"Content-Length: 99999"
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("framing", "piece"), [(SIZED, b"1"), (CHUNKED, b"1\r\n1\r\n")]
)
async def test_a_body_that_trickles_is_refused(
    small: int, framing: bytes, piece: bytes
) -> None:
    said = await trickle(small, post("/api/small/notes", framing), piece)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert b"\r\nconnection: close" in head.lower()
    problem = json.loads(body)
    assert problem["type"] == "urn:claude-agi:problem:body-too-late"
    assert problem["status"] == 408


async def test_a_body_that_does_not_come_is_refused(small: int) -> None:
    said = await trickle(small, post("/api/small/notes", SIZED), b"", 0)
    assert said.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("path", ["/api/small/nowhere", "/api/small/raw/short"])
async def test_the_rest_of_a_refused_body_is_not_read_for_ever(
    small: int, path: str
) -> None:
    with suppress(ConnectionError):
        said = await trickle(small, post(path, SIZED), b"1")
        assert said.startswith(b"HTTP/1.1 4")


async def test_a_stream_may_take_as_long_as_it_flows(small: int) -> None:
    pieces = 150
    framing = b"Content-Length: %d\r\nConnection: close" % pieces
    said = await trickle(small, post("/api/small/raw", framing), b"1", pieces)
    assert said.startswith(b"HTTP/1.1 200")
    assert said.endswith(b"\r\n\r\n150")


async def test_a_stream_that_falls_silent_is_ended(small: int) -> None:
    said = b""
    with suppress(ConnectionError):
        said = await trickle(small, post("/api/small/raw", SIZED), b"1", 3)
    assert said == b""


async def test_a_pause_of_the_server_is_not_the_clients() -> None:
    async with serve(hesitant) as port:
        framing = b"Content-Length: 4096000\r\nConnection: close"
        said = await trickle(port, post("/", framing), b"1" * 40_960, 100)
        assert said.endswith(b"04096000")


async def test_after_its_pause_the_server_waits_no_longer_than_before() -> None:
    async with serve(hesitant) as port:
        said = b""
        with suppress(ConnectionError):
            said = await trickle(port, post("/", SIZED), b"1" * 40_960, 2)
        assert said == b""


async def test_who_is_refused_while_sending_can_read_why(small: int) -> None:
    size_bytes = 2 * MAX_BODY_BYTES
    framing = b"Content-Length: %d\r\nConnection: close" % size_bytes
    reader, writer = await asyncio.open_connection("127.0.0.1", small)
    async with asyncio.timeout(20):
        writer.write(post("/api/small/notes", framing) + b"1" * size_bytes)
        await writer.drain()
        said = await reader.read()
    writer.close()
    assert said.startswith(b"HTTP/1.1 413")


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
