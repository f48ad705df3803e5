"""Periodic work on what is stored; safe to run in every replica at once."""

import asyncio

from memory_service.domain.caching import Caches
from memory_service.domain.feed import Feed
from memory_service.domain.written import WrittenSeqs
from memory_service.stores.revisions import Revisions
from servicekit.idempotency import Idempotency

EXPIRE_EVERY_S = 5.0
# Memories deleted in one round; a full round is followed by the next at once.
MAX_EXPIRED_TOGETHER = 500
PRUNE_KEYS_EVERY_S = 600.0


class Upkeep:
    """Deletes memories whose time is over, and idempotency keys that are old."""

    def __init__(
        self,
        revisions: Revisions,
        idempotency: Idempotency,
        feed: Feed,
        written: WrittenSeqs,
        caches: Caches,
    ) -> None:
        self._caches = caches
        self._revisions = revisions
        self._idempotency = idempotency
        self._feed = feed
        self._written = written

    async def expire(self) -> None:
        """Deletes expired memories for ever."""
        while True:
            if await self.expire_some() < MAX_EXPIRED_TOGETHER:
                await asyncio.sleep(EXPIRE_EVERY_S)

    async def expire_some(self) -> int:
        """Deletes those that expired first; how many, beside other replicas' share."""
        gone = 0
        expired = await self._revisions.expired(MAX_EXPIRED_TOGETHER)
        for agent_id, memory_ids in expired.items():
            seq = await self._revisions.delete(agent_id, memory_ids, expired=True)
            if seq is not None:
                gone += len(memory_ids)
                self._written.note(agent_id, seq)
                self._feed.wake(agent_id)
                await self._caches.drop(agent_id)
        return gone

    async def prune_keys(self) -> None:
        """Forgets old idempotency keys for ever."""
        while True:
            await self._idempotency.prune()
            await asyncio.sleep(PRUNE_KEYS_EVERY_S)
