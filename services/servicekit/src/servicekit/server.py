"""A process's visible life: parse, migrate or serve, stop."""

import argparse
import asyncio
import gc
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import orjson
import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import SettingsError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from servicekit.logs import configure_logs
from servicekit.migrations import apply_migrations
from servicekit.settings import ServiceSettings
from servicekit.tracing import configure_tracing, finish_tracing

__all__ = ["TRANSPORT", "PodProtocol", "run_service"]

# Among a scope's extensions: the connection itself, for an answer that must break off
# a reader who takes nothing. The server would wait for him without end.
TRANSPORT = "claude-agi.transport"

# Longer than any client here keeps an idle connection, so that the client closes first.
KEEPALIVE_S = 75
BACKLOG = 2048
# Of a request's head, and of trailers: proxies take 8 to 32 kB. As this is looked at
# after each reading, a head that comes at once may be as large as that.
MAX_HEAD_BYTES = 65_536
# A client that has not said by then what it wants holds a connection for nothing.
HEAD_S = 20.0
# A request leaves few cycles behind; looking for them after each 700 objects is waste.
GC_THRESHOLDS = (20_000, 20, 20)
# The document is the same everywhere, so the environment has no say in it.
ANY_SETTINGS: dict[str, object] = {
    "database_url": "postgresql://",
    "host": "127.0.0.1",
    "api_keys": [],
    "api_keys_file": None,
}

Command = Callable[[Sequence[str]], int]

log = structlog.get_logger()


class PodProtocol(HttpToolsProtocol):
    """Lends its connection to the application, and bounds what a client may send
    beside a body: the parser would gather a head without end, ever more slowly, and
    wait for it for ever."""

    _unread_bytes = 0
    _within_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and is to say what it wants."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; those that end neither a head nor trailers are counted."""
        self._unread_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unread_bytes > MAX_HEAD_BYTES:
            log.warning("connection is closed: a head without end")
            self.send_400_response("The head is too large.")
        elif self._within_head:
            self._await_head()
        elif self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # An empty line is no request, but has stopped the clock.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def on_message_begin(self) -> None:
        """A request begins."""
        self._unread_bytes = 0
        self._within_head = True
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}

    def on_headers_complete(self) -> None:
        """Its head has ended."""
        self._within_head = False
        self._stop_timer()
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # The parser passes over its body, and takes that for the next request.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of its body came."""
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It has come to its end."""
        self._unread_bytes = 0
        super().on_message_complete()


class _PodServer(uvicorn.Server):
    """Tells the application to let go before waiting for its connections."""

    def __init__(
        self, config: uvicorn.Config, on_stop: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends leases and streams, then connections, then the lifespan."""
        try:
            await self._on_stop()
        except Exception:
            log.exception("letting go failed, stopping all the same")
        await super().shutdown(sockets)
        await asyncio.to_thread(finish_tracing)


def run_service(
    name: str,
    package: str,
    settings_class: type[ServiceSettings],
    create_app: Callable[[ServiceSettings], FastAPI],
    commands: Mapping[str, Command] | None = None,
) -> None:
    """The command line of a service: serve, `migrate`, `openapi` or one of its own.

    `create_app` may put an async callable on `app.state.on_stop`; it is awaited
    when the process is told to stop, before its connections are closed. A command of
    its own gets the arguments that follow it, and returns an exit code.
    """
    own = commands or {}
    if sys.argv[1:] and (run := own.get(sys.argv[1])) is not None:
        sys.exit(run(sys.argv[2:]))
    parser = argparse.ArgumentParser(
        name, description="Settings come from the environment; see the README."
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="serve",
        choices=("serve", "migrate", "openapi", *own),
    )
    command = parser.parse_args().command
    if command == "openapi":
        return _print_openapi(create_app, settings_class)
    settings = _read_settings(name, settings_class)
    configure_logs(name, settings.log_level)
    configure_tracing(name)
    if command == "migrate":
        apply_migrations(settings.database_url.get_secret_value(), package)
    else:
        _serve(create_app(settings), settings)
    return None


def _read_settings(name: str, settings_class: type[ServiceSettings]) -> ServiceSettings:
    try:
        return settings_class()
    except (OSError, SettingsError) as error:
        sys.exit(f"{name}: {error}")
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, e['loc'])).upper() or 'settings'}: {e['msg']}"
            for e in error.errors()
        ]
        sys.exit("\n".join([f"{name}: the environment does not fit:", *lines]))


def _print_openapi(
    create_app: Callable[[ServiceSettings], FastAPI],
    settings_class: type[ServiceSettings],
) -> None:
    settings = settings_class.model_validate(ANY_SETTINGS)
    document = create_app(settings).openapi()
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    sys.stdout.buffer.write(orjson.dumps(document, option=options))


def _serve(app: FastAPI, settings: ServiceSettings) -> None:
    async def on_stop() -> None:
        if (let_go := getattr(app.state, "on_stop", None)) is not None:
            await let_go()

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=PodProtocol,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEPALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    # What start-up made lives as long as the process: no collection needs to visit it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # Ctrl-C has been acted on when it arrives here.
    with suppress(KeyboardInterrupt):
        _PodServer(config, on_stop).run()
