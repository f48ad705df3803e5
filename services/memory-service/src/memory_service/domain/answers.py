"""Recall and lists of the newest, by way of the caches."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import orjson

from memory_service.domain.accesses import Accesses
from memory_service.domain.caching import Cached, Caches, Name
from memory_service.domain.indexes import Indexes
from memory_service.domain.memories import Memories
from memory_service.domain.recall import Recall
from memory_service.domain.written import WrittenSeqs
from memory_service.models.memories import Memory
from memory_service.models.recall import Query, Recollection

# Scores of recency are those of the search: they may be that old.
TTL_S = 60

# Before the body of a recall: how many memories it found, and their numbers.
_NUMBER = np.dtype("<i8")


class Answers:
    """Bodies of answers, as their routes write them."""

    def __init__(
        self,
        caches: Caches,
        recall: Recall,
        memories: Memories,
        indexes: Indexes,
        written: WrittenSeqs,
        accesses: Accesses,
    ) -> None:
        self._caches = caches
        self._recall = recall
        self._memories = memories
        self._indexes = indexes
        self._written = written
        self._accesses = accesses

    async def recall(
        self, query: Query, min_seq: int, write: Callable[[Recollection], bytes]
    ) -> bytes:
        """The memories that answer best; raises what Recall raises."""
        wanted = self._written.at_least(query.agent_id, min_seq)
        seq = (await self._indexes.get(query.agent_id, wanted)).applied

        made = False

        async def make() -> Cached:
            nonlocal made
            made = True
            found = await self._recall.recall(query, seq)
            memories = [recalled.memory for recalled in found.memories]
            numbers = [len(memories), *(memory.seq for memory in memories)]
            header = np.array(numbers, dtype=_NUMBER).tobytes()
            return Cached(found.index.seq, header + write(found), _last(memories))

        name = Name("recall", query.agent_id, _write_question(query))
        value = (await self._caches.get(name, seq, make, ttl_s=TTL_S)).value
        (count,) = np.frombuffer(value, _NUMBER, 1)
        seqs = np.frombuffer(value, _NUMBER, count, _NUMBER.itemsize)
        if not made:
            self._accesses.note(query.agent_id, seqs.tolist())
        return value[_NUMBER.itemsize + seqs.nbytes :]

    async def recent(
        self,
        agent_id: str,
        memory_type: str | None,
        before: tuple[datetime, int] | None,
        limit: int,
        min_seq: int,
        write: Callable[[Sequence[Memory]], bytes],
    ) -> bytes:
        """A page, newest first, of what lies before a (timestamp, seq)."""
        seq = self._written.at_least(agent_id, min_seq)
        if self._indexes.holds(agent_id):
            seq = max(seq, (await self._indexes.get(agent_id)).applied)

        async def make() -> Cached:
            memories = await self._memories.recent(
                agent_id, memory_type, before, limit, seq
            )
            return Cached(seq, write(memories), _last(memories))

        if not self._indexes.holds(agent_id):
            # Its changes are not followed: nobody here would see that an answer is old.
            return (await make()).value
        name = Name("recent", agent_id, _write_question((memory_type, before, limit)))
        return (await self._caches.get(name, seq, make, ttl_s=TTL_S)).value


def _write_question(question: object) -> str:
    """Equal questions alike, in every process."""
    return orjson.dumps(
        question, default=sorted, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    ).decode()


def _last(memories: Sequence[Memory]) -> bool:
    """Whether none of them is to expire."""
    return all(memory.expires_at is None for memory in memories)
