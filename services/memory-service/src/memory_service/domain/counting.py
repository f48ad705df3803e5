"""How many memories large agents have, counted beside the requests."""

import asyncio
from datetime import UTC, datetime

from memory_service.stores.counts import CountStore

# What was deleted is subtracted this late at the latest, ...
LOOK_EVERY_S = 60.0
# ... and later where counting takes long: this many times as long as it took.
PAUSE_FACTOR = 30


class Counting:
    """Keeps the counts of large agents; any replica does it for all."""

    def __init__(self, store: CountStore) -> None:
        self._store = store

    async def run(self) -> None:
        """Counts what changed for ever."""
        while True:
            await self.count(datetime.now(UTC))
            await asyncio.sleep(LOOK_EVERY_S)

    async def count(self, now: datetime) -> bool:
        """Whether the counts were due at this time, and are made anew."""
        return await self._store.refresh(now, LOOK_EVERY_S, PAUSE_FACTOR)
