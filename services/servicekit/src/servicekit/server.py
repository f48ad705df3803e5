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

from servicekit.logs import configure_logs
from servicekit.migrations import apply_migrations
from servicekit.protocol import PodProtocol
from servicekit.settings import ServiceSettings
from servicekit.tracing import configure_tracing, finish_tracing

__all__ = ["run_service"]

# Longer than any client here keeps an idle connection, so that the client closes first.
KEEPALIVE_S = 75
BACKLOG = 2048
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
