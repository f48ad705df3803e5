"""The one address: a proxy on its own loop (uvloop, as in the runner) before services.

The services are small aiohttp applications in the test's loop.
"""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio
import uvloop
from aiohttp import web

from devstack.front import client as front_client
from devstack.front import server as front_server
from devstack.front.server import Front

WAIT_S = 10.0
CHUNK = bytes(range(256)) * 256
UPLOAD_CHUNKS = 1_200
AMBIGUOUS = (
    b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@contextmanager
def serving(port: int) -> Iterator[None]:
    """A front at `port`, routed as the runner's is, in a thread."""
    routes = {
        b"/api/thought": port + 1,
        b"/": port + 1,
        b"/api/memory": port + 2,
        b"/mcp": port + 2,
    }
    listening, stopping = threading.Event(), asyncio.Event()
    loop = uvloop.new_event_loop()

    async def serve() -> None:
        front = Front(port, routes)
        await front.start()
        listening.set()
        await stopping.wait()
        await front.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert listening.wait(WAIT_S)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


@pytest.fixture
def address(port: int) -> Iterator[str]:
    with serving(port):
        yield f"http://127.0.0.1:{port}"


@dataclass
class Service:
    """What a service saw, and what a test has to say to it."""

    name: str
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def echo(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, body))
        answer = web.Response(status=207, reason="As you say", body=b"echo")
        answer.headers["X-Service"] = self.name
        answer.headers.add("Set-Cookie", "a=1")
        answer.headers.add("Set-Cookie", "b=2")
        return answer

    async def nothing(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"data: thought\n\n")
                self.go_on.clear()
                await self.go_on.wait()
        finally:
            self.left.set()

    async def lines(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for line in request.content:
            await answer.write(b"took " + line)
        await answer.write_eof()
        return answer

    async def digest(self, request: web.Request) -> web.Response:
        await self.go_on.wait()
        digest = hashlib.sha256()
        async for part in request.content.iter_any():
            digest.update(part)
        return web.Response(text=digest.hexdigest())

    async def large(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(UPLOAD_CHUNKS):
            await answer.write(CHUNK)
        await answer.write_eof()
        return answer

    async def refuse(self, _: web.Request) -> web.Response:
        return web.Response(status=413, text="too large")

    async def die(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if request.query:
            answer = web.StreamResponse(headers={"Content-Length": "100"})
            await answer.prepare(request)
            await answer.write(b"half")
        request.transport.abort()
        return web.Response()


@asynccontextmanager
async def service(port: int, name: str = "service") -> AsyncIterator[Service]:
    seen = Service(name)
    app = web.Application(client_max_size=0)
    app.router.add_get("/api/thought/live", seen.events)
    app.router.add_get("/nothing", seen.nothing)
    app.router.add_post("/lines", seen.lines)
    app.router.add_post("/digest", seen.digest)
    app.router.add_get("/large", seen.large)
    app.router.add_post("/refuse", seen.refuse)
    app.router.add_get("/die", seen.die)
    app.router.add_route("*", "/{path:.*}", seen.echo)
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield seen
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def thought(port: int) -> AsyncIterator[Service]:
    async with service(port + 1, "thought") as seen:
        yield seen


@pytest_asyncio.fixture
async def caller(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=WAIT_S)
    async with aiohttp.ClientSession(address, timeout=timeout) as session:
        yield session


Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def raw(port: int) -> AsyncIterator[Raw]:
    """A connection of a client that we spell out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(WAIT_S):
            yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "thought"),
        ("/console.js", "thought"),
        ("/api/thought", "thought"),
        ("/api/thought/generate?x=/api/memory", "thought"),
        ("/api/memory", "memory"),
        ("/api/memory/recall", "memory"),
        ("/api/%6demory/recall", "memory"),
        ("/mcp", "memory"),
        ("/mcpx", "thought"),
        ("/api/memory-of-a-goldfish", "thought"),
        ("http://anything/api/memory?limit=2", "memory"),
    ],
)
async def test_paths_reach_their_service(
    port: int, address: str, path: str, name: str
) -> None:
    async with (
        service(port + 1, "thought"),
        service(port + 2, "memory"),
        raw(port) as (
            reader,
            writer,
        ),
    ):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 207 As you say\r\n")
        assert f"X-Service: {name}".encode() in head


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/metrics",
        "/docs",
        "/docs/oauth2-redirect",
        "/redoc",
        "/openapi.json",
        "/%6detrics",
        "/metrics?x=1",
        "*",
    ],
)
async def test_a_services_own_pages_are_not_routed(
    port: int, address: str, thought: Service, path: str
) -> None:
    async with raw(port) as (reader, writer):
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\n\r\n"
        writer.write(request.encode() * 2)
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
            assert b"application/problem+json" in head
            assert b"x-request-id: mine\r\n" in head
            body = await reader.readuntil(b"}")
            assert b'"urn:claude-agi:problem:not-found"' in body
    assert thought.requests == []


async def test_a_request_passes_whole_but_for_what_concerns_one_hop(
    port: int, address: str, thought: Service
) -> None:
    async with raw(port) as (reader, writer):
        writer.write(
            b"PATCH /a%20b?c=%2F HTTP/1.1\r\nHost: mind.example\r\n"
            b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: gzip\r\n"
            b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: gopher\r\n"
            b"traceparent: 00-1\r\nContent-Length: 5\r\n\r\nhello"
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert await reader.readexactly(4) == b"echo"
    method, path, headers, body = thought.requests[0]
    assert (method, path, body) == ("PATCH", "/a%20b?c=%2F", b"hello")
    assert headers == {
        "host": "mind.example",
        "traceparent": "00-1",
        "content-length": "5",
        "x-forwarded-for": "10.0.0.1, 127.0.0.1",
        "x-forwarded-proto": "http",
    }
    assert "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in head


async def test_connections_are_kept_on_both_sides(
    caller: aiohttp.ClientSession, thought: Service
) -> None:
    for number in range(20):
        path = "/nothing" if number % 2 else f"/{number}"
        async with caller.request("HEAD" if number % 3 else "GET", path) as answer:
            await answer.read()
    assert len(thought.requests) == 10
    assert len(thought.connections) == 1


async def test_events_arrive_one_by_one_and_leaving_is_passed_on(
    caller: aiohttp.ClientSession, thought: Service
) -> None:
    async with caller.get("/api/thought/live") as answer:
        for _ in range(3):
            assert await answer.content.readuntil(b"\n\n") == b"data: thought\n\n"
            thought.go_on.set()
        assert not thought.left.is_set()
    answer.close()
    async with asyncio.timeout(WAIT_S):
        await thought.left.wait()


async def test_lines_go_both_ways_at_the_same_time(
    caller: aiohttp.ClientSession, thought: Service
) -> None:
    turn: asyncio.Queue[bytes] = asyncio.Queue()

    async def upload() -> AsyncIterator[bytes]:
        while line := await turn.get():
            yield line

    turn.put_nowait(b"0\n")
    async with caller.post("/lines", data=upload()) as answer:
        for number in range(1, 4):
            assert await answer.content.readline() == b"took %d\n" % (number - 1)
            turn.put_nowait(b"%d\n" % number)
        turn.put_nowait(b"")
        assert await answer.content.read() == b"took 3\n"


async def test_a_large_body_waits_for_a_slow_service(
    caller: aiohttp.ClientSession, thought: Service
) -> None:
    sent = 0

    async def upload() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(UPLOAD_CHUNKS):
            yield CHUNK
            sent += 1

    posting = asyncio.create_task(caller.post("/digest", data=upload()).__aenter__())
    before = -1
    while sent != before or sent == 0:
        before = sent
        await asyncio.sleep(0.1)
    # What the kernel and both loops buffer, not what the client would like to send.
    assert sent < UPLOAD_CHUNKS / 2
    thought.go_on.set()
    answer = await posting
    assert await answer.text() == hashlib.sha256(CHUNK * UPLOAD_CHUNKS).hexdigest()
    answer.release()


async def test_a_large_answer_arrives_whole(
    caller: aiohttp.ClientSession, thought: Service
) -> None:
    async with caller.get("/large") as answer:
        assert await answer.read() == CHUNK * UPLOAD_CHUNKS


async def test_a_service_that_is_away_is_503_until_it_is_back(
    port: int, caller: aiohttp.ClientSession
) -> None:
    for _ in range(2):
        async with caller.post("/x", data=b"body") as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) >= 1
            assert problem["type"] == "urn:claude-agi:problem:unavailable"
            assert problem["request_id"] == answer.headers["X-Request-ID"]
        async with service(port + 1), caller.post("/x", data=b"body") as answer:
            assert answer.status == 207


async def test_a_service_that_dies_is_503_or_a_broken_body(
    caller: aiohttp.ClientSession, thought: Service
) -> None:
    async with caller.get("/die") as answer:
        assert answer.status == 503
    async with caller.get("/die?midway") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    async with caller.get("/") as answer:
        assert answer.status == 207


async def test_requests_in_one_packet_are_answered_in_order(
    port: int, address: str
) -> None:
    async with (
        service(port + 1, "thought"),
        service(port + 2, "memory"),
        raw(port) as (reader, writer),
    ):
        paths = ["/", "/api/memory", "/metrics", "/mcp", "/"]
        bodies = [
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
            for path in paths
        ]
        writer.write("".join(bodies).encode())
        answered = []
        for _ in paths:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2]
            )
            await reader.readexactly(int(fields["content-length"]))
            answered.append(fields.get("x-service"))
    assert answered == ["thought", "memory", None, "memory", "thought"]


async def test_an_early_answer_reaches_a_client_that_still_sends(
    port: int, address: str, thought: Service
) -> None:
    async with raw(port) as (reader, writer):
        head = b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        writer.write(head + bytes(1000))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
        assert await reader.readexactly(9) == b"too large"
        writer.write(bytes(999_000))
        writer.write(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 207 ")
    assert [path for _, path, _, _ in thought.requests] == ["/next"]


async def test_a_client_that_never_ends_a_refused_body_is_let_go(
    port: int, address: str, thought: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_client, "LINGER_S", 0.05)
    async with raw(port) as (reader, writer):
        writer.write(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        await reader.readuntil(b"too large")
        with suppress(ConnectionResetError):
            assert await reader.read() == b""


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (AMBIGUOUS, b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
    ],
)
async def test_what_is_no_request_is_refused(
    port: int, address: str, thought: Service, request_bytes: bytes, status: bytes
) -> None:
    async with raw(port) as (reader, writer):
        writer.write(request_bytes)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"problem+json" in answer
        assert b"connection: close" in answer
    assert thought.requests == []


async def test_an_old_client_gets_a_plain_body_and_the_end(
    port: int, address: str, thought: Service
) -> None:
    async with raw(port) as (reader, writer):
        writer.write(
            b"GET /large HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert await reader.read() == CHUNK * UPLOAD_CHUNKS


async def test_an_offer_to_upgrade_is_answered_as_a_plain_request(
    port: int, address: str, thought: Service
) -> None:
    async with raw(port) as (reader, writer):
        writer.write(
            b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 207 ")
    assert "upgrade" not in thought.requests[0][2]


async def test_the_body_of_an_offer_to_upgrade_is_no_request(
    port: int, address: str, thought: Service
) -> None:
    body = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    thought.go_on.set()
    async with raw(port) as (reader, writer):
        writer.write(
            b"POST /digest HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
            b"Upgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        writer.write(body)
        said = await reader.read()
    assert said.count(b"HTTP/1.1 ") == 1
    assert said.endswith(hashlib.sha256(body).hexdigest().encode())


async def test_who_asks_before_sending_is_told_to_go_on(
    port: int, address: str, thought: Service
) -> None:
    thought.go_on.set()
    async with raw(port) as (reader, writer):
        writer.write(
            b"POST /digest HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Content-Length: 2\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        digest = hashlib.sha256(b"hi").hexdigest()
        assert await reader.readexactly(64) == digest.encode()


async def test_more_clients_than_there_is_room_for_get_503(
    port: int, address: str, thought: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_server, "MAX_CLIENTS", 1)
    async with raw(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 207 ")
        async with raw(port) as (second, _):
            answer = await second.read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in answer


async def test_silent_clients_are_let_go(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_server, "SWEEP_INTERVAL_S", 0.01)
    monkeypatch.setattr(front_server, "MAX_SILENCE_S", 0.05)
    with serving(port):
        async with service(port + 1) as seen, raw(port) as (reader, writer):
            writer.write(b"GET /api/thought/live HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"data: thought\n\n")
            async with raw(port) as (silent, half):
                half.write(b"GET / HT")
                with suppress(ConnectionResetError):
                    assert await silent.read() == b""
            seen.go_on.set()
            await reader.readuntil(b"data: thought\n\n")
