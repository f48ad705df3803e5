"""An agent's index where its vectors are kept for all replicas together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import structlog

from memory_service.domain.agent_index import (
    CATCH_UP_TIMEOUT_S,
    AgentIndex,
    Threads,
)
from memory_service.domain.gate import finish_in
from memory_service.errors import NotCaughtUp, VectorsUnavailable
from memory_service.models.vectors import MAX_SEQ, ChangePage, IndexState, Position
from memory_service.providers.milvus import Milvus, MilvusVectors
from memory_service.providers.vectors.agent import AgentVectors, Build
from memory_service.stores.changes import ChangeStore
from memory_service.stores.turns import Turns
from memory_service.stores.vectors import VectorReads

# Written in one turn, well within the time that a turn may take.
PAGE_CHANGES = 500
# Calls under way at once; their threads only wait.
MAX_CALLS = 16

Answer = TypeVar("Answer")
log = structlog.get_logger()


class SharedIndex(AgentIndex):
    """Replicas take turns at an agent's changes.

    Each goes on where the last one ended, and does again what one left half done: so
    every change is written once, in order, and no late write of a replica brings back
    what another has removed since.

    `applied` is the newest change that this replica knows of: while Milvus is away
    that is more than the vectors hold, and they are searched only once they hold it.
    """

    def __init__(
        self,
        vectors: MilvusVectors,
        agent_id: str,
        timeline: str,
        changes: ChangeStore,
        threads: Threads,
        turns: Turns,
        calls: ThreadPoolExecutor,
    ) -> None:
        # What the base class asks of vectors both kinds have.
        same = cast(AgentVectors, vectors)
        super().__init__(agent_id, same, 0, timeline, None, changes, threads)
        self._shared = vectors
        self._held = 0
        self._turns = turns
        self._calls = calls

    @property
    def state(self) -> IndexState:
        """What the vectors are known to hold."""
        return IndexState(self.vectors.kind, len(self.vectors), self._held)

    @property
    def works_apart(self) -> bool:
        """No: its threads only wait for Milvus."""
        return False

    async def use(self, work: Callable[[AgentVectors], Answer]) -> Answer:
        """Runs `work` on the vectors, beside whatever else.

        Raises VectorsUnavailable, NotCaughtUp.
        """
        if self._held < self.applied:
            await self._catch_up()
        return await self._call(lambda: work(self.vectors))

    async def due(self) -> Build | None:
        """Nothing: Milvus builds by itself."""
        return None

    async def follow_page(self, until: int = MAX_SEQ) -> bool:
        """Applies the next changes, or finds them applied; whether that was all.

        While Milvus is away it only sees that there are some. Raises NotCaughtUp,
        DatabaseUnavailable.
        """
        async with self._following:
            if self.closed or self.applied >= until:
                return True
            try:
                return await self._take_turn()
            except VectorsUnavailable as error:
                log.warning("vectors are behind", error=str(error))
                newest = await self._changes.seqs([self.agent_id])
                self.applied = max(self.applied, newest.get(self.agent_id, 0))
                return True

    async def _catch_up(self) -> None:
        try:
            async with asyncio.timeout(CATCH_UP_TIMEOUT_S), self._following:
                while self._held < self.applied:
                    await self._take_turn()
        except TimeoutError:
            raise NotCaughtUp(f"the vectors hold {self._held}") from None

    async def _take_turn(self) -> bool:
        async with self._turns.take(self.agent_id) as timeline:
            if timeline != self.timeline:
                # Whoever hears of it closes this index.
                raise NotCaughtUp("the index is of another history")
            start, page = await self._next_page()
            if page.upto > start:
                upto = Position(page.upto, self.timeline)
                await self._call(lambda: self._shared.apply(page.changes, upto))
            self._held = max(start, page.upto)
            self.applied = max(self.applied, self._held)
            return page.last

    async def _next_page(self) -> tuple[int, ChangePage]:
        """Where the vectors end, and the changes after that."""
        position = await self._call(self._shared.position)
        if position is not None and position.timeline == self.timeline:
            page = await self._page(position.seq)
            # Else the database is an earlier one: it was restored from a backup.
            if not page.last or page.upto >= position.seq:
                return position.seq, page
        # Nothing is noted either where somebody died at this very place.
        await self._call(self._shared.clear)
        return 0, await self._page(0)

    async def _page(self, after: int) -> ChangePage:
        return await self._changes.page(self.agent_id, after, PAGE_CHANGES)

    async def _call(self, work: Callable[[], Answer]) -> Answer:
        return await finish_in(self._calls, work)


class SharedOpening:
    """Opens indexes that are there already, or are made by the first to open them."""

    def __init__(
        self,
        milvus: Milvus,
        turns: Turns,
        vectors: VectorReads,
        changes: ChangeStore,
        threads: Threads,
    ) -> None:
        self._milvus = milvus
        self._turns = turns
        self._vectors = vectors
        self._changes = changes
        self._threads = threads
        self._calls = ThreadPoolExecutor(MAX_CALLS, "milvus")

    async def open(self, agent_id: str) -> SharedIndex:
        """The index with all changes there are, as far as Milvus is there."""
        timeline = (await self._vectors.position(agent_id)).timeline
        index = SharedIndex(
            MilvusVectors(self._milvus, agent_id),
            agent_id,
            timeline,
            self._changes,
            self._threads,
            self._turns,
            self._calls,
        )
        await index.follow()
        return index

    def close(self) -> None:
        """Ends the threads, and the connection."""
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._milvus.close()
