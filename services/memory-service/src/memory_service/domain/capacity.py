"""How many memories an agent keeps."""

from memory_service.domain.caching import Caches
from memory_service.domain.decay import HALF_LIFE
from memory_service.domain.feed import Feed
from memory_service.domain.written import WrittenSeqs
from memory_service.metrics import REMOVED
from memory_service.models.jobs import Fence, HeldJob
from memory_service.stores.consolidation import ConsolidationStore
from memory_service.stores.revisions import Revisions

# Memories chosen by one look at all of them, and those of them deleted together.
MAX_CHOSEN = 10_000
MAX_DELETED_TOGETHER = 500


class Capacity:
    """Deletes what matters least, once there is more than the agent has room for.

    Nothing is forgotten by it: what is deleted may come back, and what was learnt from
    it stays.
    """

    def __init__(
        self,
        store: ConsolidationStore,
        revisions: Revisions,
        feed: Feed,
        written: WrittenSeqs,
        caches: Caches,
        memories: int | None,
    ) -> None:
        self._store = store
        self._revisions = revisions
        self._feed = feed
        self._written = written
        self._caches = caches
        self.memories = memories

    async def keep(self, held: HeldJob) -> int:
        """Deletes what is beyond the agent's capacity; how many that were.

        Raises JobLost: two who choose at once would delete too much.
        """
        agent_id = held.job.agent_id
        fence = Fence(agent_id, held.job.id, held.epoch, seen_seq=0)
        removed = 0
        while self.memories is not None:
            chosen = await self._store.least_valuable(
                agent_id, self.memories, HALF_LIFE, MAX_CHOSEN
            )
            for start in range(0, len(chosen), MAX_DELETED_TOGETHER):
                together = chosen[start : start + MAX_DELETED_TOGETHER]
                seq = await self._revisions.delete(agent_id, together, fence=fence)
                if seq is not None:
                    self._written.note(agent_id, seq)
                    self._feed.wake(agent_id)
                await self._caches.drop(agent_id)
                REMOVED.inc(len(together))
            removed += len(chosen)
            if len(chosen) < MAX_CHOSEN:
                break
        return removed
