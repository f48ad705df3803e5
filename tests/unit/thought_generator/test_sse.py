"""A reader that takes nothing is cut, told why where it can be, and holds no memory.

The server is the one of a pod, on its own loop (uvloop), with a socket between.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs
from tests.unit.thought_generator.feeds import Log, event
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

from servicekit.protocol import TRANSPORT, PodProtocol
from thought_generator.domain.feed import Feed
from thought_generator.metrics import LISTENERS_CUT
from thought_generator.models.feed import Notice
from thought_generator.routes import sse as sse_module
from thought_generator.routes.live import _chunks
from thought_generator.routes.sse import EventStream, sse_event

WAIT_S = 10.0
# The server's own limit, a piece beyond it, and the lines that frame the piece.
MAX_BUFFERED_BYTES = HIGH_WATER_LIMIT + 16_384 + 16
END = b'event: end\ndata: {"reason":"slow"}\n\n'
SMALL = sse_event("thought", b'{"content":"%s"}' % (b"a" * 4000), 1)
LARGE = sse_event("thought", b'{"content":"%s"}' % (b"a" * 8_000_000), 1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sse_module, "MAX_STALL_S", 0.4)
    monkeypatch.setattr(sse_module, "LINGER_S", 0.4)
    with capture_logs():
        yield


def cut() -> float:
    return float(LISTENERS_CUT.labels("slow")._value.get())


class Served:
    """One answer: what its connection buffered, and whether all of it is over."""

    def __init__(self, chunk: bytes, pause_s: float = 0.0) -> None:
        self._chunk = chunk
        self._pause_s = pause_s
        self.buffered_bytes = 0
        self.generator_closed = Future[None]()
        self.over = Future[None]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["extensions"][TRANSPORT]["transport"]

        async def measured(message: Message) -> None:
            held = transport.get_write_buffer_size()
            self.buffered_bytes = max(self.buffered_bytes, held)
            await send(message)

        await EventStream(self._chunks())(scope, receive, measured)
        self.over.set_result(None)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield self._chunk
                await asyncio.sleep(self._pause_s)
        finally:
            self.generator_closed.set_result(None)


@contextmanager
def served(app: Any) -> Iterator[int]:
    """The port at which it answers."""
    loop, stop = uvloop.new_event_loop(), asyncio.Event()
    config = uvicorn.Config(app, http=PodProtocol, access_log=False, log_config=None)
    listening = Future[None]()
    bound = socket.create_server(("127.0.0.1", 0))

    def connection() -> PodProtocol:
        return PodProtocol(config, ServerState(), {}, loop)

    async def serve() -> None:
        server = await loop.create_server(connection, sock=bound)
        listening.set_result(None)
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        listening.result(WAIT_S)
        yield bound.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextmanager
def reader(port: int) -> Iterator[socket.socket]:
    """One that has asked and has room for little."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(WAIT_S)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        yield connection


def rest_of(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(1_000_000):
            parts.append(part)
    except ConnectionResetError:
        parts.append(b"reset")
    return b"".join(parts)


def until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("not true in time")


def test_a_reader_that_wakes_up_reads_why_it_was_cut() -> None:
    app, before = Served(SMALL), cut()
    with served(app) as port, reader(port) as connection:
        until(lambda: cut() > before)
        assert rest_of(connection).endswith(END + b"\r\n0\r\n\r\n")
        app.over.result(WAIT_S)
    assert app.buffered_bytes <= MAX_BUFFERED_BYTES


def test_one_that_sleeps_on_is_gone_with_all_it_held() -> None:
    app = Served(SMALL)
    with served(app) as port, reader(port) as connection:
        app.over.result(WAIT_S)
        app.generator_closed.result(WAIT_S)
        # What the server held was dropped, not kept for whenever it is read.
        assert END not in rest_of(connection)


def test_one_cut_within_an_event_is_told_no_half_of_it() -> None:
    app, before = Served(LARGE), cut()
    with served(app) as port, reader(port) as connection:
        until(lambda: cut() > before)
        rest = rest_of(connection)
        app.over.result(WAIT_S)
    assert app.buffered_bytes <= MAX_BUFFERED_BYTES
    assert END not in rest
    assert b"\r\n0\r\n\r\n" not in rest


def test_one_that_reads_slowly_is_not_cut() -> None:
    app, before, asleep = Served(SMALL), cut(), threading.Event()
    with served(app) as port:
        with reader(port) as connection:
            for _ in range(30):
                for _ in range(100):
                    assert connection.recv(4096)
                asleep.wait(0.05)
        app.over.result(WAIT_S)
    assert cut() == before


def test_one_that_waits_for_something_to_read_is_not_cut() -> None:
    app, before = Served(SMALL, pause_s=1.0), cut()
    with served(app) as port:
        with reader(port) as connection:
            read = 0
            while read < 2 * len(SMALL):
                read += len(connection.recv(4096))
        app.over.result(WAIT_S)
    assert cut() == before


async def test_a_listener_that_leaves_in_the_middle_of_a_chunk_is_gone_at_once() -> (
    None
):
    feed = Feed(Log(3).after)
    blocked = asyncio.Event()

    async def send(message: Message) -> None:
        if b"data" in message.get("body", b""):
            blocked.set()
            await asyncio.Event().wait()

    async def receive() -> Message:
        await blocked.wait()
        return {"type": "http.disconnect"}

    chunks = _chunks(feed.listen("a", 3, 0, 60), None)
    await EventStream(chunks)({"type": "http"}, receive, send)
    assert feed.heard_agents == {}


async def test_thoughts_have_an_id_and_notices_have_none() -> None:
    async def told() -> AsyncGenerator[list[Any], None]:
        yield [event(7), Notice("primary", "doze", {"problem": "x"})]
        yield [Notice("creative", "wake", {}), Notice("", "end", {"reason": "y"})]
        yield []

    assert [chunk async for chunk in _chunks(told(), "primary")] == [
        b": listening\n\n",
        b'id: 7\nevent: thought\ndata: {"n":7}\n\n',
        b'event: doze\ndata: {"stream":"primary","problem":"x"}\n\n',
        b'event: end\ndata: {"reason":"y"}\n\n',
        b": waiting\n\n",
    ]


async def test_listeners_share_one_copy_of_an_event() -> None:
    async def told() -> AsyncGenerator[list[Any], None]:
        yield [event(7)]

    written = [[chunk async for chunk in _chunks(told(), None)][1] for _ in range(2)]
    assert written[0] is written[1]
