"""When an agent's memories are consolidated by themselves."""

import asyncio
from datetime import timedelta

from memory_service.domain.capacity import Capacity
from memory_service.domain.jobs import CONSOLIDATE, Jobs
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.stores.consolidation import ConsolidationStore, Due
from memory_service.stores.jobs import JobStore

LOOK_EVERY_S = 300.0
# New episodes that are worth the while.
ENOUGH_EPISODES = 100
# What is still being talked about is left alone.
SETTLED_AFTER = timedelta(hours=1)
# A job that failed is begun anew by then.
RETRY_AFTER = timedelta(minutes=10)
# New memories find company among those of so many numbers before them.
LOOK_BACK = 50_000
# Agents whose jobs are opened in one look.
MAX_AGENTS = 100


class Schedule:
    """Opens jobs where they are due; safe to run in every replica at once."""

    def __init__(
        self,
        jobs: Jobs,
        store: ConsolidationStore,
        job_store: JobStore,
        capacity: Capacity,
        embedder: EmbeddingQueue,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._job_store = job_store
        self._capacity = capacity
        self._embedder = embedder

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._embedder.idle:
                await self.open_due()

    async def open_due(self) -> int:
        """Opens what is due; how many jobs that were."""
        due = await self._store.due(
            CONSOLIDATE, ENOUGH_EPISODES, SETTLED_AFTER, RETRY_AFTER, MAX_AGENTS
        )
        for one in due:
            after = max(one.looked - LOOK_BACK, 0)
            await self._jobs.consolidate(one.agent_id, after, one.until)
        crowded = await self._crowded()
        for one in crowded:
            await self._jobs.consolidate(one.agent_id, one.looked, one.until)
        await self._job_store.prune()
        return len(due) + len(crowded)

    async def _crowded(self) -> list[Due]:
        if self._capacity.memories is None:
            return []
        return await self._store.crowded(
            CONSOLIDATE, self._capacity.memories, MAX_AGENTS
        )
