"""What may happen to an index at once: searches side by side, a change alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import TypeVar

Answer = TypeVar("Answer")


class Gate:
    """Let through in the order in which they come, so that neither kind starves."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """With others that share."""
        async with self._door:
            self._inside += 1
            self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """With nobody else."""
        async with self._door:
            await self._empty.wait()
            yield


async def finish_in(
    thread: Executor,
    work: Callable[[], Answer],
    on_cancel: Callable[[], None] = lambda: None,
) -> Answer:
    """Runs `work` in a thread; whoever is cancelled meanwhile still sees its end.

    So what guards the work is held for as long as it runs.
    """
    running = asyncio.get_running_loop().run_in_executor(thread, work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    if cancelled is not None:
        if not running.cancelled():
            # What it came to is of no interest any more, but must be looked at.
            running.exception()
        raise cancelled
    return running.result()
