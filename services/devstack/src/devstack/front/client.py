"""Connections from clients to the front."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import httptools

from devstack.front.heads import (
    LAST_CHUNK,
    Headers,
    find_header,
    frame_chunk,
    is_chunked,
    problem,
    request_head,
)
from devstack.front.routes import find_route, origin_form
from devstack.front.upstream import Pool, Upstream
from servicekit.plain_parser import PlainParser

if TYPE_CHECKING:
    from devstack.front.server import Front

# Larger heads than this are an accident (cookies) or an attack.
MAX_HEAD_BYTES = 65_536
# Rest of a body whose answer is already sent: read for so long, then cut off.
LINGER_S = 2.0


@dataclass(slots=True)
class Request:
    """A request, and the part of its body that has not been passed on yet."""

    method: bytes
    target: bytes
    headers: Headers
    takes_chunks: bool
    keep_alive: bool
    chunked: bool
    waiting: list[bytes] = field(default_factory=list)
    complete: bool = False
    answered: bool = False


class Client(asyncio.Protocol):
    """One connection of a client: its requests are passed on one after the other."""

    def __init__(self, front: "Front", ports: Mapping[bytes, int]) -> None:
        self._front = front
        self._ports = ports
        self.parser = self.new_parser()
        self._requests: deque[Request] = deque()
        self._upstream: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._paused = self._congested = False
        self._head_bytes = 0
        self.touched_s = 0.0

    # Called by the front

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self._requests

    def abort(self) -> None:
        """Closes the connection at once."""
        self._transport.abort()

    # devstack.front.upstream.Caller

    def wants_chunks(self) -> bool:
        return self._requests[0].takes_chunks

    def keeps_alive(self) -> bool:
        return self._requests[0].keep_alive

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def response_done(self) -> None:
        request = self._requests[0]
        if self._upstream is not None:
            self._upstream.release(request_complete=request.complete)
            self._upstream = None
        request.answered = True
        request.waiting.clear()
        self._advance()

    def response_lost(self, *, begun: bool) -> None:
        self._upstream = None
        if begun:
            # What is missing must be seen: the connection ends before the message.
            self._transport.close()
        else:
            self._answer(503, "unavailable", "this service is starting again")
            self._advance()

    def govern_reading(self) -> None:
        behind = bool(self._requests) and not self._requests[0].answered
        held = len(self._requests) > 1 or (
            behind and (self._upstream is None or self._upstream.congested)
        )
        if held == self._paused or self._transport.is_closing():
            return
        self._paused = held
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no asyncio class.
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]).encode() if peer else b"unknown"
        self.touched_s = asyncio.get_running_loop().time()
        if not self._front.admit(self):
            self._refuse(503, "overloaded", "too many connections")

    def data_received(self, data: bytes) -> None:
        self.touched_s = asyncio.get_running_loop().time()
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Of CONNECT, which nobody here speaks; it is answered as it is.
            self._requests[-1].keep_alive = False
        except httptools.HttpParserError:
            self._refuse(400, "unreadable", "this is not an HTTP/1.1 request")
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "head-too-large", "the request's head is too large")
        else:
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.forget(self)
        self._stop_lingering()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._upstream is not None:
            self._upstream.drop()
            self._upstream = None

    def pause_writing(self) -> None:
        self._set_congested(congested=True)

    def resume_writing(self) -> None:
        self._set_congested(congested=False)

    # servicekit.plain_parser

    def new_parser(self) -> PlainParser:
        return PlainParser(self)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers: Headers = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.asks_to_upgrade():
            return
        self._head_bytes = 0
        in_chunks_too = self.parser.get_http_version() != "1.0"
        request = Request(
            method=self.parser.get_method(),
            target=origin_form(self.url),
            headers=self.headers,
            takes_chunks=in_chunks_too,
            keep_alive=in_chunks_too and self.parser.should_keep_alive(),
            chunked=is_chunked(self.headers),
        )
        self._requests.append(request)
        if len(self._requests) == 1:
            self._start(request)

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        request = self._requests[-1]
        if not request.answered:
            request.waiting.append(frame_chunk(body) if request.chunked else body)

    def on_message_complete(self) -> None:
        if self.parser.asks_to_upgrade():
            return
        self._head_bytes = 0
        request = self._requests[-1]
        request.complete = True
        if request.chunked and not request.answered:
            request.waiting.append(LAST_CHUNK)

    # Inside

    def _advance(self) -> None:
        """Goes on with the first request, or with the next where it is done."""
        while self._requests and self._requests[0].answered:
            request = self._requests[0]
            if not request.complete:
                self._await_rest()
                break
            self._stop_lingering()
            if not request.keep_alive:
                self._transport.close()
                return
            self._requests.popleft()
            if self._requests:
                self._start(self._requests[0])
        if self._upstream is not None and self._requests[0].waiting:
            self._upstream.send(b"".join(self._requests[0].waiting))
            self._requests[0].waiting.clear()
        self.govern_reading()

    def _start(self, request: Request) -> None:
        port = find_route(request.target, self._ports)
        if port is None:
            self._answer(404, "not-found", "nothing answers this path here")
            return
        pool = self._front.pool(port)
        upstream = pool.take()
        if upstream is not None:
            self._attach(request, upstream)
        else:
            self._connecting = asyncio.get_running_loop().create_task(
                self._connect(request, pool)
            )

    async def _connect(self, request: Request, pool: Pool) -> None:
        try:
            upstream = await pool.connect()
        except (OSError, TimeoutError):
            self._answer(503, "unavailable", "this service is starting")
        else:
            self._attach(request, upstream)
        self._connecting = None
        self._advance()

    def _attach(self, request: Request, upstream: Upstream) -> None:
        self._upstream = upstream
        head = request_head(
            request.method, request.target, request.headers, self._address
        )
        upstream.pause(paused=self._congested)
        upstream.begin(self, head, head_only=request.method == b"HEAD")

    def _answer(self, status: int, kind: str, detail: str) -> None:
        """Answers the first request from here; `_advance` goes on from there."""
        request = self._requests[0]
        known_as = find_header(request.headers, b"x-request-id")
        head, body = problem(
            status, kind, detail, known_as, close=not request.keep_alive
        )
        self.write(head if request.method == b"HEAD" else head + body)
        request.answered = True
        request.waiting.clear()

    def _refuse(self, status: int, kind: str, detail: str) -> None:
        """Closes the connection; says why unless a response is under way."""
        if not self._requests:
            self.write(b"".join(problem(status, kind, detail, None, close=True)))
        self._transport.close()

    def _await_rest(self) -> None:
        if self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.abort)

    def _stop_lingering(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    def _set_congested(self, *, congested: bool) -> None:
        self._congested = congested
        if self._upstream is not None:
            self._upstream.pause(paused=congested)
