"""Recall: two arms search at once, their findings are joined, weighed and fetched."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from memory_service import metrics
from memory_service.domain.accesses import Accesses
from memory_service.domain.indexes import AgentIndex, Indexes
from memory_service.domain.scoring import Parts, finish, join_arms
from memory_service.domain.written import WrittenSeqs
from memory_service.models import (
    FACTS,
    THOUGHTS,
    Query,
    Recalled,
    Recollection,
    Seqs,
    Vector,
)
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.vectors import VectorIndex
from memory_service.stores.reads import MemoryReads

# Candidates of each arm, more where more is asked for.
MIN_CANDIDATES = 100
# Fetched beyond the limit: ties are broken among them, and one may just have expired.
SPARE_MEMORIES = 10
# Where too many candidates had expired, so many times more are looked at.
WIDENING = 8


@dataclass(frozen=True, slots=True)
class _Search:
    """One recall under way."""

    query: Query
    min_seq: int
    index: AgentIndex
    within: Seqs | None
    vector: Vector | None

    @property
    def total(self) -> int:
        """How many memories there are to choose from."""
        return len(self.index.vectors) if self.within is None else len(self.within)

    def semantic(self, vectors: VectorIndex, limit: int) -> dict[int, float]:
        assert self.vector is not None
        evidence = self.query.filters.evidence or FACTS | THOUGHTS
        return vectors.search(
            self.vector,
            limit,
            facts=bool(evidence & FACTS),
            thoughts=bool(evidence & THOUGHTS),
            within=self.within,
        )


class Recall:
    """Finds the memories that answer best."""

    def __init__(
        self,
        embedder: EmbeddingQueue,
        indexes: Indexes,
        reads: MemoryReads,
        accesses: Accesses,
        written: WrittenSeqs,
    ) -> None:
        self._embedder = embedder
        self._indexes = indexes
        self._reads = reads
        self._accesses = accesses
        self._written = written

    async def recall(self, query: Query, min_seq: int) -> Recollection:
        """Best first; raises NotCaughtUp, QueueFull, DatabaseUnavailable."""
        with metrics.RETRIEVAL_SECONDS.labels(query.mode).time():
            wanted = self._written.at_least(query.agent_id, min_seq)
            index = await self._indexes.get(query.agent_id, wanted)
            memories = await self._find(query, wanted, index)
        self._accesses.note(query.agent_id, [found.memory.seq for found in memories])
        return Recollection(memories, index.state)

    async def _find(
        self, query: Query, min_seq: int, index: AgentIndex
    ) -> list[Recalled]:
        limit = max(MIN_CANDIDATES, query.limit + SPARE_MEMORIES)
        keyword, vector, within = await asyncio.gather(
            self._keyword(query, min_seq, index, limit),
            self._vector(query),
            self._within(query, min_seq),
        )
        search = _Search(query, min_seq, index, within, vector)
        while True:
            candidates = await self._join(search, keyword, limit)
            found, lost = await self._fetch(search, candidates)
            if not lost or len(found) >= query.limit or limit >= search.total:
                return found[: query.limit]
            limit *= WIDENING
            keyword = await self._keyword(query, min_seq, index, limit)

    async def _vector(self, query: Query) -> Vector | None:
        if query.mode == "keyword":
            return None
        return await self._embedder.embed_query(query.text)

    async def _within(self, query: Query, min_seq: int) -> Seqs | None:
        if query.mode == "keyword" or not query.filters.need_rows:
            return None
        return await self._reads.matching(query.agent_id, query.filters, min_seq)

    async def _keyword(
        self, query: Query, min_seq: int, index: AgentIndex, limit: int
    ) -> dict[int, float]:
        if query.mode == "semantic":
            return {}
        return await self._reads.keyword(
            query.agent_id,
            query.text,
            len(index.vectors),
            query.filters,
            limit,
            min_seq,
        )

    async def _join(
        self, search: _Search, keyword: dict[int, float], limit: int
    ) -> dict[int, tuple[float, Parts]]:
        vector = search.vector
        if vector is None:
            return join_arms(search.query.mode, {}, keyword)

        def look(vectors: VectorIndex) -> dict[int, float]:
            nearest = search.semantic(vectors, limit)
            others = [seq for seq in keyword if seq not in nearest]
            return nearest | vectors.scores(vector, others)

        semantic = await search.index.use(look)
        return join_arms(search.query.mode, semantic, keyword)

    async def _fetch(
        self, search: _Search, candidates: dict[int, tuple[float, Parts]]
    ) -> tuple[list[Recalled], bool]:
        """The best candidates in their final order, and whether any was gone."""
        query = search.query
        floor = float("-inf") if query.min_score is None else query.min_score
        now = datetime.now(UTC)
        found: list[Recalled] = []
        seqs, lost = list(candidates), False
        while seqs and len(found) < query.limit:
            next_seqs = seqs[: query.limit + SPARE_MEMORIES - len(found)]
            seqs = seqs[len(next_seqs) :]
            rows = await self._reads.by_seqs(query.agent_id, next_seqs, search.min_seq)
            lost = lost or len(rows) < len(next_seqs)
            found += [
                finish(rows[s], *candidates[s], now) for s in next_seqs if s in rows
            ]
        found.sort(key=lambda recalled: (-recalled.score, -recalled.memory.seq))
        return [r for r in found if r.score >= floor], lost
