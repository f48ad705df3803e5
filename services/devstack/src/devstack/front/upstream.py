"""Connections from the front to a service, kept alive between requests."""

import asyncio
from typing import Protocol, cast

import httptools

from devstack.front.heads import (
    CHUNKED,
    CLOSE,
    LAST_CHUNK,
    Headers,
    find_header,
    frame_chunk,
    is_chunked,
    response_head,
)

# Idle connections kept to one service; a burst beyond them connects anew.
MAX_IDLE_CONNECTIONS = 64
# Less than the 75 s after which a service closes an idle connection by itself.
MAX_IDLE_S = 30.0
# A service listens on this machine: either it answers at once or it is away.
CONNECT_TIMEOUT_S = 1.0


class Caller(Protocol):
    """The side of the exchange that asked."""

    def wants_chunks(self) -> bool:
        """Whether it understands chunked bodies (HTTP/1.1)."""

    def keeps_alive(self) -> bool:
        """Whether its connection lives on after this response."""

    def write(self, data: bytes) -> None:
        """Takes a part of the response."""

    def response_done(self) -> None:
        """Is told that the response is complete."""

    def response_lost(self, *, begun: bool) -> None:
        """Is told that the service went away before the response was complete."""

    def govern_reading(self) -> None:
        """Is told that the service takes more, or no more, of the body."""


class Upstream(asyncio.Protocol):
    """One connection to a service; carries one exchange at a time."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._caller: Caller | None = None
        self._head_only = False
        self._out: list[bytes] = []
        self.congested = False
        self.idle_since_s = 0.0

    # Called by the caller

    def begin(self, caller: Caller, head: bytes, *, head_only: bool) -> None:
        """Sends the head of a request; the response goes to `caller`."""
        self._caller = caller
        self._head_only = head_only
        self._parser = httptools.HttpResponseParser(self)
        self._begun = self._finished = self._surplus = False
        self._chunked = self._until_eof = self._keep_alive = False
        self.send(head)

    def send(self, data: bytes) -> None:
        """Sends a part of the request."""
        if self._transport is not None:
            self._transport.write(data)

    def pause(self, *, paused: bool) -> None:
        """Stops or goes on reading the response."""
        if self._transport is None or self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Closes the connection at once: the service sees that its caller left."""
        self._caller = None
        if self._transport is not None:
            self._transport.abort()

    def release(self, *, request_complete: bool) -> None:
        """Gives the connection back, or closes it where it cannot be used again."""
        reusable = (
            request_complete
            and not self._surplus
            and not self._until_eof
            and self._keep_alive
        )
        self._caller = None
        self.pause(paused=False)
        if not reusable or not self._pool.give_back(self):
            self.drop()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no asyncio class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._caller is None:
            self.drop()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._lose()
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        self._transport = None
        if self._caller is None:
            return
        if self._until_eof and exc is None:
            self._finish()
            self._flush()
        else:
            self._lose()

    def pause_writing(self) -> None:
        self._set_congested(congested=True)

    def resume_writing(self) -> None:
        self._set_congested(congested=False)

    # httptools

    def on_message_begin(self) -> None:
        if self._finished:
            self._surplus = True
        self._reason = b""
        self._headers: Headers = []

    def on_status(self, status: bytes) -> None:
        self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._finished or self._caller is None:
            return
        if status < 200:
            self._out.append(response_head(status, self._reason, self._headers, b""))
            return
        self._begun = True
        # The parser knows it now and forgets it with the end of the message.
        self._keep_alive = self._parser.should_keep_alive()
        bodiless = self._head_only or status in {204, 304}
        extra = b"" if bodiless else self._choose_framing(self._caller)
        if not self._caller.keeps_alive():
            extra += CLOSE
        self._out.append(response_head(status, self._reason, self._headers, extra))
        # The parser cannot know that a HEAD's response has no body.
        self._finished = self._head_only

    def on_body(self, body: bytes) -> None:
        if not self._finished:
            self._out.append(frame_chunk(body) if self._chunked else body)

    def on_message_complete(self) -> None:
        if self._begun and not self._finished:
            self._finish()

    # Inside

    def _choose_framing(self, caller: Caller) -> bytes:
        in_chunks = is_chunked(self._headers)
        self._until_eof = (
            not in_chunks and find_header(self._headers, b"content-length") is None
        )
        self._chunked = (in_chunks or self._until_eof) and caller.wants_chunks()
        return CHUNKED if self._chunked else b""

    def _finish(self) -> None:
        if self._chunked:
            self._out.append(LAST_CHUNK)
        self._finished = True

    def _flush(self) -> None:
        caller = self._caller
        if caller is None:
            return
        if self._out:
            caller.write(b"".join(self._out))
            self._out.clear()
        if self._finished:
            caller.response_done()

    def _lose(self) -> None:
        caller = self._caller
        self.drop()
        self._out.clear()
        if caller is not None:
            caller.response_lost(begun=self._begun)

    def _set_congested(self, *, congested: bool) -> None:
        self.congested = congested
        if self._caller is not None:
            self._caller.govern_reading()


class Pool:
    """Connections to one service."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[Upstream] = []

    def take(self) -> Upstream | None:
        """An idle connection, the one used last."""
        oldest_s = asyncio.get_running_loop().time() - MAX_IDLE_S
        while self._idle:
            upstream = self._idle.pop()
            if upstream.idle_since_s >= oldest_s:
                return upstream
            upstream.drop()
        return None

    async def connect(self) -> Upstream:
        """A new connection; raises OSError or TimeoutError."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, upstream = await asyncio.get_running_loop().create_connection(
                lambda: Upstream(self), self._host, self._port
            )
        return upstream

    def give_back(self, upstream: Upstream) -> bool:
        """Keeps the connection for a later request; False where there are enough."""
        if len(self._idle) >= MAX_IDLE_CONNECTIONS:
            return False
        upstream.idle_since_s = asyncio.get_running_loop().time()
        self._idle.append(upstream)
        return True

    def forget(self, upstream: Upstream) -> None:
        """Drops a connection that was closed."""
        if upstream in self._idle:
            self._idle.remove(upstream)

    def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            self._idle.pop().drop()
