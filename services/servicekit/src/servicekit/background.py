"""Work that goes on beside requests: named, supervised, ended in order."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from servicekit.metrics import TASK_FAILURES

__all__ = ["Background"]

# A task that fails at once does not spin.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
# Libraries swallow a cancellation that comes as a timeout of theirs ends: a process
# that is told to stop must not wait for ever for that.
CANCEL_AGAIN_S = 1.0

log = structlog.get_logger()


class Background:
    """The background tasks of a process; one that fails is started again."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work` until it returns or `close` is called."""
        self._tasks[name] = asyncio.create_task(self._supervise(name, work))

    async def stop(self, name: str) -> None:
        """Cancels one of them and waits for it, if it was started."""
        task = self._tasks.pop(name, None)
        if task is None:
            return
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_AGAIN_S)

    async def close(self) -> None:
        """Cancels what still runs, last started first, and waits for it."""
        for name in reversed(list(self._tasks)):
            await self.stop(name)

    async def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.current_task()
        assert task is not None
        pause_s = FIRST_PAUSE_S
        while True:
            started_s = asyncio.get_running_loop().time()
            try:
                return await work()
            except Exception as error:  # noqa: BLE001 - it is logged and begun anew
                TASK_FAILURES.labels(name).inc()
                log.warning("background task failed", task=name, error=repr(error))
                if self._tasks.get(name) is not task:
                    # Letting go failed; it is not begun anew for that. That it was
                    # cancelled says less: a failed TaskGroup leaves its parent so.
                    return None
            ran_s = asyncio.get_running_loop().time() - started_s
            pause_s = FIRST_PAUSE_S if ran_s > LONGEST_PAUSE_S else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
