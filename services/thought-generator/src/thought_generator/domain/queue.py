"""Ten calls to the engine at once, a bounded number waiting, the rest refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from thought_generator.errors import QueueFull
from thought_generator.metrics import WAITING

MAX_CALLS_AT_ONCE = 10
MAX_WAITING = 256


class EngineQueue:
    """First come, first served."""

    def __init__(self) -> None:
        self._semaphore = asyncio.Semaphore(MAX_CALLS_AT_ONCE)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn; QueueFull when too many wait already."""
        if self._waiting >= MAX_WAITING:
            raise QueueFull(f"{MAX_WAITING} thoughts are waiting")
        self._waiting += 1
        WAITING.set(self._waiting)
        try:
            await self._semaphore.acquire()
        finally:
            self._waiting -= 1
            WAITING.set(self._waiting)
        try:
            yield
        finally:
            self._semaphore.release()
