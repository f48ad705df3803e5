"""Single memories and lists of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from memory_service.domain.feed import Feed
from memory_service.domain.indexes import Indexes
from memory_service.domain.written import WrittenSeqs
from memory_service.errors import MemoryUnknown
from memory_service.models import Counts, IndexState, Memory, Patch
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.safety import Judge
from memory_service.stores.reads import MemoryReads
from memory_service.stores.revisions import Revisions


class Memories:
    """Reads hold the changes that the caller named, and those made here."""

    def __init__(
        self,
        reads: MemoryReads,
        revisions: Revisions,
        judge: Judge,
        embedder: EmbeddingQueue,
        indexes: Indexes,
        feed: Feed,
        written: WrittenSeqs,
    ) -> None:
        self._reads = reads
        self._revisions = revisions
        self._judge = judge
        self._embedder = embedder
        self._indexes = indexes
        self._feed = feed
        self._written = written

    async def owner(self, memory_id: UUID, may_reach: Callable[[str], bool]) -> str:
        """The agent whose memory it is, of those in reach; raises MemoryUnknown."""
        for agent_id in await self._reads.owners(memory_id):
            if may_reach(agent_id):
                return agent_id
        raise MemoryUnknown(f"there is no memory {memory_id}")

    async def get(self, agent_id: str, memory_id: UUID, min_seq: int) -> Memory:
        """One memory; raises MemoryUnknown."""
        wanted = self._written.at_least(agent_id, min_seq)
        memory = await self._reads.memory(agent_id, memory_id, wanted)
        if memory is None:
            raise MemoryUnknown(f"{agent_id} has no memory {memory_id}")
        return memory

    async def recent(
        self,
        agent_id: str,
        memory_type: str | None,
        before: tuple[datetime, int] | None,
        limit: int,
        min_seq: int,
    ) -> list[Memory]:
        """A page, newest first, of what lies before a (timestamp, seq)."""
        wanted = self._written.at_least(agent_id, min_seq)
        return await self._reads.recent(agent_id, memory_type, before, limit, wanted)

    async def change(
        self, agent_id: str, memory_id: UUID, patch: Patch, changed_by: str
    ) -> tuple[Memory, int]:
        """The memory as changed, and the number of the change.

        New content is judged and embedded like that of a new memory.
        """
        memory = await self.get(agent_id, memory_id, 0)
        vector = None
        if "content" in patch.changes(memory):
            assert patch.content is not None
            content = await self._judge.judge_text(agent_id, patch.content)
            patch = replace(patch, content=content)
            vector = (await self._embedder.embed_texts([content]))[0]
        changed = await self._revisions.change(
            agent_id, memory_id, patch, vector, changed_by
        )
        if changed is None:
            raise MemoryUnknown(f"{agent_id} has no memory {memory_id}")
        self._note(agent_id, changed[1])
        return changed

    async def delete(self, agent_id: str, memory_id: UUID) -> int:
        """Deletes a memory for good; the number of the change."""
        seq = await self._revisions.delete(agent_id, [memory_id])
        if seq is None:
            raise MemoryUnknown(f"{agent_id} has no memory {memory_id}")
        self._note(agent_id, seq)
        return seq

    async def stats(
        self, agent_id: str, min_seq: int
    ) -> tuple[Counts, IndexState, float | None]:
        """Counts, the index, and the replica's lag in seconds."""
        wanted = self._written.at_least(agent_id, min_seq)
        counts = await self._reads.counts(agent_id, wanted)
        index = await self._indexes.get(agent_id)
        return counts, index.state, await self._reads.replica_lag_seconds()

    def _note(self, agent_id: str, seq: int) -> None:
        self._written.note(agent_id, seq)
        self._feed.wake(agent_id)
