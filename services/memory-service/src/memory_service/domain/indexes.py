"""The indexes of this process, each a copy of what PostgreSQL holds."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from memory_service import metrics
from memory_service.errors import NotCaughtUp, SeqUnknown
from memory_service.models import MAX_SEQ, IndexState
from memory_service.providers.vectors import KIND, VectorIndex
from memory_service.stores.changes import ChangeStore

# Agents whose vectors are in memory; the one used longest ago makes room.
MAX_OPEN_AGENTS = 256
# Changes fetched at once: some 4 MB of vectors.
PAGE_CHANGES = 4096
# A search of more vectors, or a page of more changes, leaves the event loop free.
INLINE_VECTORS = 20_000
INLINE_CHANGES = 256
# How long a read waits for the write that it names.
CATCH_UP_TIMEOUT_S = 2.0

Answer = TypeVar("Answer")
log = structlog.get_logger()


class AgentIndex:
    """One agent's vectors up to the change `applied`."""

    def __init__(self, agent_id: str, thread: ThreadPoolExecutor) -> None:
        self.agent_id = agent_id
        self.applied = 0
        self.vectors = VectorIndex()
        self._thread = thread
        self._gate = asyncio.Lock()
        self._following = asyncio.Lock()

    @property
    def state(self) -> IndexState:
        """What it holds."""
        return IndexState(KIND, len(self.vectors), self.applied)

    async def use(self, work: Callable[[VectorIndex], Answer]) -> Answer:
        """Runs `work` on the vectors, while nothing else does."""
        return await self._use(work, heavy=False)

    async def follow(self, changes: ChangeStore, until: int = MAX_SEQ) -> None:
        """Applies all changes that there are, unless `until` is applied already."""
        async with self._following:
            if self.applied >= until:
                return
            while not await self._follow_page(changes):
                pass

    async def reach(self, changes: ChangeStore, seq: int) -> None:
        """Returns once the change `seq` is applied; NotCaughtUp, SeqUnknown."""
        if self.applied >= seq:
            return
        try:
            async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
                await self.follow(changes, until=seq)
        except TimeoutError:
            raise NotCaughtUp(f"the index holds {self.applied}") from None
        if self.applied < seq:
            raise SeqUnknown(f"the newest is {self.applied}")

    async def _follow_page(self, changes: ChangeStore) -> bool:
        page = await changes.page(self.agent_id, self.applied, PAGE_CHANGES)
        if page.changes:
            heavy = len(page.changes) > INLINE_CHANGES
            await self._use(lambda vectors: vectors.apply(page.changes), heavy=heavy)
        self.applied = max(self.applied, page.upto)
        return page.last

    async def _use(self, work: Callable[[VectorIndex], Answer], heavy: bool) -> Answer:
        async with self._gate:
            if not heavy and len(self.vectors) <= INLINE_VECTORS:
                return work(self.vectors)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, work, self.vectors)


class Indexes:
    """Opened when they are first needed, then kept up by the change feed."""

    def __init__(self, changes: ChangeStore) -> None:
        self._changes = changes
        self._thread = ThreadPoolExecutor(1, "index")
        self._open: OrderedDict[str, AgentIndex] = OrderedDict()
        self._opening: dict[str, asyncio.Task[AgentIndex]] = {}

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def holds(self, agent_id: str) -> bool:
        """Whether the agent's index is open."""
        return agent_id in self._open

    async def get(self, agent_id: str, min_seq: int = 0) -> AgentIndex:
        """The agent's index, loaded, with the change `min_seq` applied."""
        index = self._open.get(agent_id)
        if index is None:
            index = await self._load_once(agent_id)
        else:
            self._open.move_to_end(agent_id)
        await index.reach(self._changes, min_seq)
        return index

    def drop_all(self) -> None:
        """Closes all: what they hold may never have happened."""
        self._open.clear()
        self._opening.clear()

    async def stale(self) -> list[str]:
        """The open agents that have changes to apply."""
        seqs = await self._changes.seqs(self._open)
        behind = {
            agent_id: seqs.get(agent_id, 0) - index.applied
            for agent_id, index in self._open.items()
        }
        metrics.INDEX_LAG.set(sum(max(lag, 0) for lag in behind.values()))
        self._measure()
        return [agent_id for agent_id, lag in behind.items() if lag > 0]

    async def follow(self, agent_id: str) -> None:
        """Applies an agent's changes, if its index is open."""
        if (index := self._open.get(agent_id)) is not None:
            await index.follow(self._changes)

    async def _load_once(self, agent_id: str) -> AgentIndex:
        task = self._opening.get(agent_id)
        if task is None:
            task = asyncio.create_task(self._load(agent_id))
            self._opening[agent_id] = task
            task.add_done_callback(lambda done: self._forget_task(agent_id, done))
        # A caller who goes away leaves the loading to the others.
        return await asyncio.shield(task)

    async def _load(self, agent_id: str) -> AgentIndex:
        index = AgentIndex(agent_id, self._thread)
        await index.follow(self._changes)
        if self._opening.get(agent_id) is not asyncio.current_task():
            # All were dropped meanwhile: this one goes with the call that wanted it.
            return index
        self._open[agent_id] = index
        if len(self._open) > MAX_OPEN_AGENTS:
            self._open.popitem(last=False)
        self._measure()
        return index

    def _forget_task(self, agent_id: str, task: asyncio.Task[Any]) -> None:
        if self._opening.get(agent_id) is task:
            del self._opening[agent_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("index could not be loaded", error=repr(error))

    def _measure(self) -> None:
        metrics.INDEX_AGENTS.set(len(self._open))
        metrics.INDEX_VECTORS.set(sum(len(i.vectors) for i in self._open.values()))
