"""Months of memories: made ahead of their time, and taken out by age."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from memory_service.domain.caching import Caches
from memory_service.domain.feed import Feed
from memory_service.domain.written import WrittenSeqs
from memory_service.metrics import MONTHS_AHEAD, RETIRED
from memory_service.models.memories import Aged
from memory_service.stores.partitions import BEFORE_ALL, PartitionStore
from memory_service.stores.revisions import Revisions

# Every replica looks; what one of them has done, the next finds done.
KEEP_EVERY_S = 86_400.0
# A service that sleeps over a quarter still finds its month made.
MONTHS_MADE_AHEAD = 3
# Memories deleted in one transaction; others write between two of them.
MAX_RETIRED_TOGETHER = 500


class Partitions:
    """Makes the months that come; with a retention, empties and drops the old ones."""

    def __init__(
        self,
        store: PartitionStore,
        revisions: Revisions,
        feed: Feed,
        written: WrittenSeqs,
        caches: Caches,
        retention_months: int,
    ) -> None:
        self._store = store
        self._revisions = revisions
        self._feed = feed
        self._written = written
        self._caches = caches
        self._retention_months = retention_months

    async def run(self) -> None:
        """Keeps them for ever."""
        while True:
            await self.keep(datetime.now(UTC))
            await asyncio.sleep(KEEP_EVERY_S)

    async def keep(self, now: datetime) -> None:
        """Does what is due at this time; once done it changes nothing."""
        made = [
            await self._store.make(add_months(now, number))
            for number in range(MONTHS_MADE_AHEAD + 1)
        ]
        MONTHS_AHEAD.set(sum(made[1:]))
        if self._retention_months:
            await self._retire(add_months(now, -self._retention_months))

    async def _retire(self, oldest_kept: datetime) -> None:
        """Deletes what is older; pinned memories stay, and their months with them.

        What is deleted leaves through the change feed like any other memory. It is not
        forgotten: it may come back.
        """
        last = BEFORE_ALL
        while aged := await self._store.aged(oldest_kept, last, MAX_RETIRED_TOGETHER):
            await self._delete(aged)
            last = aged[-1]
        for name in await self._store.before(oldest_kept):
            await self._store.drop(name)

    async def _delete(self, aged: Sequence[Aged]) -> None:
        for agent_id in dict.fromkeys(one.agent_id for one in aged):
            memory_ids = [one.id for one in aged if one.agent_id == agent_id]
            seq = await self._revisions.delete(agent_id, memory_ids)
            if seq is not None:
                self._written.note(agent_id, seq)
                self._feed.wake(agent_id)
            await self._caches.drop(agent_id)
            RETIRED.inc(len(memory_ids))


def add_months(time: datetime, months: int) -> datetime:
    """The beginning of the month that lies so many months after that of a UTC time."""
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)
