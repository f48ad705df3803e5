"""Writes that wait together are stored together.

Commits of one agent follow one another, for its row is locked until each is durable:
what arrives meanwhile shares the next commit.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory_service import metrics
from memory_service.errors import QueueFull
from memory_service.models.memories import Outcome
from memory_service.stores.settling import Job
from memory_service.stores.writes import MemoryWrites

# Calls that wait for a commit; a further one gets 429.
MAX_WAITING_JOBS = 256
# Calls that share a transaction, and the memories after which it takes no further call.
MAX_JOBS_TOGETHER = 64
MAX_MEMORIES_TOGETHER = 512

Settled = list[Outcome] | None


@dataclass(slots=True)
class _Waiting:
    job: Job
    settled: asyncio.Future[Settled]


class WriteQueue:
    """One transaction at a time for the whole process."""

    def __init__(self, writes: MemoryWrites) -> None:
        self._writes = writes
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()

    async def store(self, job: Job) -> Settled:
        """Stores a call's memories; None when its key has an answer already."""
        if len(self._waiting) >= MAX_WAITING_JOBS:
            raise QueueFull(f"{MAX_WAITING_JOBS} writes wait at most")
        waiting = _Waiting(job, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.settled

    async def run(self) -> None:
        """Stores what waits, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while together := self._next_together():
                await self._store_together(together)

    def close(self) -> None:
        """What still waits is not stored."""
        for waiting in self._waiting:
            waiting.settled.cancel()

    def _next_together(self) -> list[_Waiting]:
        together: list[_Waiting] = []
        memories = 0
        while self._waiting and len(together) < MAX_JOBS_TOGETHER:
            memories += len(self._waiting[0].job.items)
            if together and memories > MAX_MEMORIES_TOGETHER:
                break
            together.append(self._waiting.popleft())
        return together

    async def _store_together(self, together: Sequence[_Waiting]) -> None:
        try:
            with metrics.COMMIT_SECONDS.time():
                outcomes = await self._writes.store([w.job for w in together])
        except asyncio.CancelledError:
            for waiting in together:
                waiting.settled.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is the callers' to see
            await self._store_apart(together, error)
        else:
            for waiting, settled in zip(together, outcomes, strict=True):
                if not waiting.settled.done():
                    waiting.settled.set_result(settled)

    async def _store_apart(
        self, together: Sequence[_Waiting], error: Exception
    ) -> None:
        """A failure is that of one call alone, where it is not everyone's."""
        if len(together) > 1:
            for waiting in together:
                waiting.job = replace(waiting.job, again=True)
                await self._store_together([waiting])
        elif not together[0].settled.done():
            together[0].settled.set_exception(error)
