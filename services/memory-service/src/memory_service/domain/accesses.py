"""Which memories were recalled, counted beside the requests."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from memory_service.stores.accesses import AccessStore

# Memories counted between two writes; accesses of further ones go uncounted.
MAX_NOTED = 10_000
WRITE_EVERY_S = 5.0
# A write of so many takes some 10 ms of a core, which recalls need too: between two of
# them they have it for a while.
WRITTEN_TOGETHER = 100
PAUSE_S = 0.1


class Accesses:
    """Gathers accesses and writes many in one statement."""

    def __init__(self, store: AccessStore) -> None:
        self._store = store
        self._noted: Counter[tuple[str, int]] = Counter()

    def note(self, agent_id: str, seqs: Iterable[int]) -> None:
        """Counts one access of each memory."""
        for seq in seqs:
            name = (agent_id, seq)
            if len(self._noted) < MAX_NOTED or name in self._noted:
                self._noted[name] += 1

    async def run(self) -> None:
        """Writes for ever."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            while self._noted:
                await self._write_some()
                await asyncio.sleep(PAUSE_S)

    async def flush(self) -> None:
        """Writes what was noted; what cannot be written now is dropped."""
        while self._noted:
            await self._write_some()

    async def _write_some(self) -> None:
        some = dict(islice(self._noted.items(), WRITTEN_TOGETHER))
        for name in some:
            del self._noted[name]
        await self._store.add(some)
