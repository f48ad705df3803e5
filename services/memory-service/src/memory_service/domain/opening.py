"""How an agent's index comes into memory: from its snapshot, else from PostgreSQL."""

import asyncio
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog

from memory_service import metrics
from memory_service.domain.agent_index import AgentIndex, Threads
from memory_service.domain.gate import finish_in
from memory_service.models.vectors import Position, Vector, VectorPage
from memory_service.providers.shelf import Shelf
from memory_service.providers.vectors.agent import AgentVectors, Restored
from memory_service.stores.changes import ChangeStore
from memory_service.stores.vectors import VectorReads

# Vectors fetched at once: some 3 MB.
PAGE_VECTORS = 4096
# A snapshot that lacks more than this share of the changes costs more to bring up to
# date, change by change, than an index loaded anew; a short lag never does.
MAX_SNAPSHOT_LAG = 0.25
SHORT_LAG = 20_000
# The newest vectors of a snapshot, held against PostgreSQL: a database restored to an
# earlier state gives the same numbers to other memories.
PROOF_VECTORS = 64
# How far the cosine of a vector with itself may be from 1 in float16.
PROOF_TOLERANCE = 0.01
# An index of more vectors is built before it answers, a smaller one beside.
BUILT_FIRST_VECTORS = 100_000

SNAPSHOT = "snapshot"

Answer = TypeVar("Answer")
log = structlog.get_logger()


class Opening:
    """Brings up indexes, one agent at a time each."""

    def __init__(
        self,
        shelf: Shelf,
        vectors: VectorReads,
        changes: ChangeStore,
        threads: Threads,
    ) -> None:
        self._shelf = shelf
        self._vectors = vectors
        self._changes = changes
        self._threads = threads

    async def open(self, agent_id: str) -> AgentIndex:
        """The index with all changes there are; raises DatabaseUnavailable."""
        started_s = time.monotonic()
        position = await self._vectors.position(agent_id)
        restored = await self._restore(agent_id, position)
        if restored is not None:
            vectors, applied, source = restored.vectors, restored.seq, SNAPSHOT
        else:
            vectors, applied, source = await self._load(agent_id, position)
        index = AgentIndex(
            agent_id,
            vectors,
            applied,
            position.timeline,
            applied if source == SNAPSHOT else None,
            self._changes,
            self._threads,
        )
        await index.follow()
        if len(vectors) > BUILT_FIRST_VECTORS and (build := await index.due()):
            await index.build(build, threads=len(os.sched_getaffinity(0)))
            await index.follow()
        took_s = time.monotonic() - started_s
        metrics.INDEX_LOAD_SECONDS.labels(source).observe(took_s)
        log.info("index open", source=source, vectors=len(vectors), took_s=took_s)
        return index

    def close(self) -> None:
        """Nothing was begun."""

    async def _restore(self, agent_id: str, position: Position) -> Restored | None:
        restored = await self._in_thread(lambda: self._shelf.restore(agent_id))
        if restored is None:
            return None
        refusal = await self._refusal(agent_id, restored, position)
        if refusal is None:
            return restored
        metrics.SNAPSHOT_FAILURES.labels("restore").inc()
        log.warning("snapshot refused", reason=refusal)
        return None

    async def _refusal(
        self, agent_id: str, restored: Restored, position: Position
    ) -> str | None:
        if restored.timeline != position.timeline:
            return "another history"
        if restored.seq > position.seq:
            return "ahead of the database"
        short = max(SHORT_LAG, MAX_SNAPSHOT_LAG * len(restored.vectors))
        if position.seq - restored.seq > short:
            return "too far behind"
        newest = await self._vectors.newest(agent_id, restored.seq, PROOF_VECTORS)
        if not await self._in_thread(lambda: _prove(restored.vectors, newest)):
            return "other vectors than the database"
        return None

    async def _load(
        self, agent_id: str, position: Position
    ) -> tuple[AgentVectors, int, str]:
        """Vectors, the change that they hold for sure, and where they are from."""
        vectors = await self._in_thread(lambda: self._shelf.make(agent_id))
        page = await self._page(agent_id, 0, position)
        seq, sources = page.seq, {page.source}
        while not page.last:
            applying = asyncio.create_task(self._apply(vectors, page))
            try:
                page = await self._page(agent_id, page.upto, position)
            finally:
                await applying
            seq = min(seq, page.seq)
            sources.add(page.source)
        await self._apply(vectors, page)
        return vectors, seq, min(sources)

    async def _page(self, agent_id: str, after: int, position: Position) -> VectorPage:
        return await self._vectors.page(agent_id, after, PAGE_VECTORS, position)

    async def _apply(self, vectors: AgentVectors, page: VectorPage) -> None:
        if page.changes:
            await self._in_thread(lambda: vectors.apply(page.changes))

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        return await finish_in(self._threads.loads, work)


def _prove(vectors: AgentVectors, newest: Mapping[int, Vector]) -> bool:
    """Whether the index holds those very vectors."""
    for seq, vector in newest.items():
        cosine = vectors.scores(vector, [seq]).get(seq)
        if cosine is None or not math.isclose(cosine, 1, abs_tol=PROOF_TOLERANCE):
            return False
    return True
