"""A process that does one thing and ends: it waits, works, or says why it cannot."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

import structlog

from servicekit.logs import configure_logs

__all__ = [
    "JobFailed",
    "NotYet",
    "obey_signals",
    "read_setting",
    "run_job",
    "until_done",
]

POLL_S = 0.5
# Whoever looks at the log sees soon what is being waited for.
SAY_EVERY_S = 5.0

Result = TypeVar("Result")
log = structlog.get_logger()


class JobFailed(Exception):
    """Waiting will not help; the text says what will, and holds no secret."""


class NotYet(Exception):
    """Something is still missing; the text says what, and holds no secret."""


def read_setting(name: str) -> str:
    """An environment variable; JobFailed where it is missing or empty."""
    value = os.environ.get(name)
    if not value:
        raise JobFailed(f"{name} is not set")
    return value


async def until_done(
    attempt: Callable[[], Awaitable[Result]], deadline_s: float | None = None
) -> Result:
    """What `attempt` returns, tried again after each NotYet.

    JobFailed with the last reason when the deadline has passed.
    """
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    said, said_s = "", started_s
    while True:
        try:
            return await attempt()
        except NotYet as lack:
            reason, now_s = str(lack), loop.time()
        if deadline_s is not None and now_s - started_s + POLL_S > deadline_s:
            raise JobFailed(f"gave up after {deadline_s:.0f} s: {reason}")
        if reason != said or now_s - said_s >= SAY_EVERY_S:
            log.info("waiting", reason=reason, waited_s=round(now_s - started_s, 1))
            said, said_s = reason, now_s
        await asyncio.sleep(POLL_S)


def run_job(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs it to its end; the last line of the log says why it failed, if it did."""
    configure_logs(name, "INFO")
    obey_signals()
    try:
        asyncio.run(work())
    except JobFailed as error:
        log.critical("failed", reason=str(error))
        sys.exit(1)
    except Exception as error:
        log.exception("failed", reason=type(error).__name__)
        sys.exit(1)


def obey_signals() -> None:
    """Ends at once when told to; the first process of a container would not."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    # At once: a name that is being looked up would be waited for.
    os._exit(128 + number)
