"""`python -m bootstrap.trial`: whether an installed mind does what it is for.

It calls FRONT_URL, or where there is none THOUGHT_URL, MEMORY_URL and SAFETY_URL, with
ADMIN_KEY and READ_KEY, and reads what it wrote from the replicas by MEMORY_RO_DSN. It
works with a mind of its own, and removes it with all that it left. Where streams are
off (STREAMS_ENABLED=false) it asks for a thought.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from bootstrap.api import Api
from bootstrap.steps import Trial
from servicekit.jobs import JobFailed, NotYet, obey_signals, read_setting

Step = Callable[[], Awaitable[None]]


@asynccontextmanager
async def _opened() -> AsyncIterator[Trial]:
    admin, reader = read_setting("ADMIN_KEY"), read_setting("READ_KEY")
    async with AsyncExitStack() as stack:

        async def api(variable: str, key: str | None) -> Api:
            address = os.environ.get("FRONT_URL") or read_setting(variable)
            return await stack.enter_async_context(Api(address, key))

        yield Trial(
            f"trial-{secrets.token_hex(4)}",
            thought=await api("THOUGHT_URL", admin),
            memory=await api("MEMORY_URL", admin),
            safety=await api("SAFETY_URL", admin),
            reader=await api("MEMORY_URL", reader),
            stranger=await api("MEMORY_URL", None),
        )


async def try_out() -> None:
    """Prints each step; JobFailed names the first that failed."""
    async with _opened() as trial:
        steps: dict[str, Step] = {
            "a call without a key is refused": trial.no_key,
            "a key that may read may not write": trial.read_key,
            "a memory is written and read back": trial.memory_read_back,
            "a bad text is blocked": trial.bad_text,
            "a thought appears": trial.new_thought,
        }
        failures: list[str] = []
        for name, step in steps.items():
            if reason := await _run(name, step):
                failures.append(f"{name}: {reason}")
                break
        name = "what was written is removed"
        if reason := await _run(name, trial.removal):
            failures.append(f"{name}: {reason}")
        if failures:
            raise JobFailed(failures[0])


async def _run(name: str, step: Step) -> str | None:
    """Prints how it went; returns why it failed, if it did."""
    begun_s, reason = time.monotonic(), None
    try:
        await step()
    except TimeoutError:
        reason = "not in time"
    except (JobFailed, NotYet) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, this step failed by it
        reason = repr(error)
    took_s = time.monotonic() - begun_s
    print(f"{'failed' if reason else 'ok':7}{took_s:6.2f} s  {name}", flush=True)
    return reason


def main() -> None:
    """Exits with 1 and a last line that names the step that failed."""
    obey_signals()
    try:
        asyncio.run(try_out())
    except JobFailed as error:
        print(f"failed: {error}")
        sys.exit(1)
    print("all steps passed")


if __name__ == "__main__":
    main()
