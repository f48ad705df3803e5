"""The command line: `claude-agi` starts the stack and shows what it thinks."""

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Sequence

import uvloop

from devstack.errors import StackError
from devstack.postgres import AWAY
from devstack.screen import OutputClosed, Screen
from devstack.services import SERVICES, Service
from devstack.settings import Settings
from devstack.stack import Stack

DESCRIPTION = """\
Starts Claude-AGI on this machine and shows its thoughts: PostgreSQL (a primary and
a streaming replica), Valkey, thought-generator, memory-service, safety-validator,
and one address for all of them. Ctrl-C stops everything; the next start goes on
where this one stopped.
"""
ENVIRONMENT = """\
environment:
  PORT                  the one address is http://127.0.0.1:PORT (8000); the services
                        listen on the three ports after it
  DATA_DIR              everything is kept here (.data)
  DATABASE_URL          a PostgreSQL (15 or newer) of your own instead of the embedded
                        one; its role must be allowed to create roles and schemas
  DATABASE_REPLICA_URL  a replica of that server, for reads
  DATABASE_DIRECT_URL   the way to that server past a pooler, for LISTEN
  REDIS_URL             a Redis or Valkey of your own instead of the embedded one
  ANTHROPIC_API_KEY     lets a model think; without it the offline engine composes
  ANTHROPIC_BASE_URL    where the Messages API is, if not at Anthropic
  THOUGHT_ENGINE        auto (default), anthropic or offline
  THOUGHT_MODEL         the model that thinks
  STREAMS_ENABLED       true (default); false leaves only thoughts on request
  API_KEYS              JSON list of {"key", "scopes", "agents"}; without any, only
                        programs on this machine are served
  All of them, and everything else in the environment, reach the services too.

exit codes:
  0  stopped as asked (Ctrl-C, SIGTERM)
  1  could not start, or could not go on; the last line says why
  2  the command line was wrong
"""
# Each client and each service's connection is a descriptor; 1024 is soon too few.
WANTED_DESCRIPTORS = 8_192


def main() -> None:
    """Entry point of the console script."""
    argparse.ArgumentParser(
        "claude-agi",
        description=DESCRIPTION,
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    run(SERVICES)


def run(services: Sequence[Service]) -> None:
    """Runs the stack until it is asked to stop; exits with 1 where it cannot."""
    for stream in (sys.stdout, sys.stderr):
        # Thoughts may hold any character, terminals may not.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    _raise_descriptor_limit()
    try:
        settings = Settings.read(os.environ)
        uvloop.run(_run(settings, services))
    except KeyboardInterrupt:
        sys.exit(0)
    except StackError as error:
        sys.exit(f"claude-agi: {error}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"claude-agi: {where}{error.strerror or error}")
    except AWAY as error:
        sys.exit(f"claude-agi: PostgreSQL: {error}")


async def _run(settings: Settings, services: Sequence[Service]) -> None:
    screen = Screen()
    stack = Stack(settings, screen, services)
    running = asyncio.ensure_future(stack.run())
    asked = _listen_for_signals()
    try:
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            with contextlib.suppress(OutputClosed):
                screen.say("\nstopping")
    finally:
        running.cancel()
        outcome = (await asyncio.gather(running, return_exceptions=True))[0]
        await stack.stop()
    error = _first_cause(outcome)
    if not isinstance(error, asyncio.CancelledError | OutputClosed):
        raise error


def _listen_for_signals() -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[None] = loop.create_future()

    def ask() -> None:
        if not asked.done():
            asked.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask)
    return asked


def _first_cause(outcome: BaseException | None) -> BaseException:
    """Of errors that came together, the first that says something."""
    while isinstance(outcome, BaseExceptionGroup):
        outcome = outcome.exceptions[0]
    assert outcome is not None
    return outcome


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
