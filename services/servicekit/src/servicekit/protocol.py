"""A client's connection: what it may send beside a body, how slowly, and its end."""

import asyncio
from typing import Any

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from servicekit.plain_parser import PlainParser

__all__ = ["TRANSPORT", "PodProtocol"]

# Among a scope's extensions: the connection itself, for an answer that must break off
# a reader who takes nothing. The server would wait for him without end.
TRANSPORT = "claude-agi.transport"

# Of a request's head, and of trailers: proxies take 8 to 32 kB. As this is looked at
# after each reading, a head that comes at once may be as large as that.
MAX_HEAD_BYTES = 65_536
# A client that has not said by then what it wants holds a connection for nothing.
HEAD_S = 20.0
# A body may take as long as its call lets it, but no pause in it longer than this. What
# is left of it once it is answered has as long in all.
SILENCE_S = 60.0
# A client that is still sending when its connection ends has so long to read why.
LINGER_S = 5.0

log = structlog.get_logger()


class PodProtocol(HttpToolsProtocol):
    """Lends its connection to the application, and bounds what a client may send
    beside a body: the parser would gather a head without end, ever more slowly. It
    would also wait for the rest of a head or a body for ever."""

    parser: PlainParser
    _unread_bytes = 0
    _within_head = True
    _within_body = False
    _lingers = False
    _timer: asyncio.TimerHandle | None = None
    _connection: "_Connection"

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = self.new_parser()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and is to say what it wants."""
        self._connection = _Connection(transport, self)
        super().connection_made(self._connection)  # type: ignore[arg-type]
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; those that end neither a head nor trailers are counted."""
        if self._lingers:
            return
        self._unread_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unread_bytes > MAX_HEAD_BYTES:
            log.warning("connection is closed: a head without end")
            self.send_400_response("The head is too large.")
        elif self._within_head:
            if self._timer is None:
                self._wait(HEAD_S)
        elif self._within_body:
            if not (self.cycle.response_complete or self.flow.read_paused):
                self._wait(SILENCE_S)
        elif self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # An empty line is no request, but has stopped the clock.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _wait(self, seconds: float | None) -> None:
        """Gives the client so long for what it has to send, or all the time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._connection.wire.abort)

    def reading_paused(self) -> None:
        """What does not come now is not for the client to answer."""
        self._wait(None)

    def reading_resumed(self) -> None:
        """It is asked for the rest again."""
        if self._within_head:
            self._wait(HEAD_S)
        elif self._within_body:
            self._wait(SILENCE_S)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._unread_bytes = 0
        self._within_head = True
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self._connection.wire}}

    def on_headers_complete(self) -> None:
        """Its head has ended."""
        if self.parser.asks_to_upgrade():
            return
        self._within_head = False
        self._within_body = True
        self._wait(None)
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # Of CONNECT: what follows is for another server, and no request.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of its body came."""
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It has come to its end."""
        if self.parser.asks_to_upgrade():
            return
        self._unread_bytes = 0
        self._within_body = False
        self._wait(None)
        super().on_message_complete()

    def shutdown(self) -> None:
        """The process ends: only what is not answered yet is waited for."""
        if self.cycle is None or self.cycle.response_complete:
            self._connection.wire.close()
        else:
            super().shutdown()

    def new_parser(self) -> PlainParser:
        """A parser that begins with a request."""
        parser = PlainParser(self)
        # Else what follows a request with `Connection: close` would cost its answer.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def linger(self) -> bool:
        """Begins to, where the client may still be sending; says whether it did."""
        if self._within_head or self._within_body or self._unread_bytes:
            self._connection.wire.write_eof()
            self.flow.resume_reading()
            self._wait(LINGER_S)
            self._lingers = True
        return self._lingers


class _Connection:
    """A transport that gives the client time to read why it is closed.

    A socket closed with something unread is reset, and the answer is lost with it.
    """

    def __init__(self, wire: asyncio.Transport, protocol: PodProtocol) -> None:
        self.wire = wire
        self._protocol = protocol
        self._closes = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wire, name)

    def is_closing(self) -> bool:
        """Whether nothing more is answered."""
        return self._closes or self.wire.is_closing()

    def write(self, data: bytes) -> None:
        """Sends it, before the end."""
        if not self._closes:
            self.wire.write(data)

    def close(self) -> None:
        """Ends the answers, and the connection once the client had time to read."""
        if self.is_closing() or not self._protocol.linger():
            self.wire.close()
        self._closes = True

    def pause_reading(self) -> None:
        """Leaves what comes with the client."""
        self.wire.pause_reading()
        self._protocol.reading_paused()

    def resume_reading(self) -> None:
        """Takes it again."""
        self.wire.resume_reading()
        self._protocol.reading_resumed()
