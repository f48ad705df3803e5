"""Single memories and lists of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from memory_service.domain.feed import Feed
from memory_service.domain.indexes import Indexes
from memory_service.domain.written import WrittenSeqs
from memory_service.errors import MemoryAmbiguous, MemoryUnknown
from memory_service.models.memories import Counts, Memory, Patch, Revision
from memory_service.models.vectors import IndexState
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.safety import Judge
from memory_service.stores.reads import MemoryReads
from memory_service.stores.revisions import Change, Revisions


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
        """The agent whose memory it is, of those in reach.

        Raises MemoryUnknown, MemoryAmbiguous.
        """
        owners = [
            each for each in await self._reads.owners(memory_id) if may_reach(each)
        ]
        if not owners:
            raise MemoryUnknown(f"there is no memory {memory_id}")
        if len(owners) > 1:
            raise MemoryAmbiguous(f"say by agent_id whose {memory_id} is meant")
        return owners[0]

    async def get(self, agent_id: str, memory_id: UUID, min_seq: int) -> Memory:
        """One memory; raises MemoryUnknown."""
        wanted = self._written.at_least(agent_id, min_seq)
        memory = await self._reads.memory(agent_id, memory_id, wanted)
        if memory is None:
            raise MemoryUnknown(f"{agent_id} has no memory {memory_id}")
        return memory

    async def lookup(
        self, agent_id: str, memory_ids: list[UUID], min_seq: int
    ) -> list[Memory]:
        """Those of the memories that are there."""
        wanted = self._written.at_least(agent_id, min_seq)
        return await self._reads.lookup(agent_id, memory_ids, wanted)

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

        New content is judged and embedded like that of a new memory. Of two callers at
        once the last one wins; the history has both. Raises MemoryUnknown, Superseded,
        Forgotten and what judging raises.
        """
        vector, content = None, None
        # Whether it differs is seen under the lock: a replica may be behind.
        if patch.content is not None:
            content = await self._judge.judge_text(agent_id, patch.content)
            vector = (await self._embedder.embed_texts([content]))[0]
        changed = await self._revisions.change(
            Change(
                agent_id,
                memory_id,
                replace(patch, content=content),
                vector,
                changed_by,
            )
        )
        if changed is None:
            raise MemoryUnknown(f"{agent_id} has no memory {memory_id}")
        self._note(agent_id, changed[1])
        return changed

    async def history(
        self, agent_id: str, memory_id: UUID, before: tuple[int, str], limit: int
    ) -> list[Revision]:
        """A page of changes, newest first, that come before a (number, kind).

        Raises MemoryUnknown.
        """
        await self.get(agent_id, memory_id, 0)
        return await self._revisions.history(agent_id, memory_id, before, limit)

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
