"""The indexes of this process, each a copy of what PostgreSQL holds."""

import asyncio
import time
from collections import OrderedDict
from typing import Any, Protocol

import structlog

from memory_service import metrics
from memory_service.domain.agent_index import AgentIndex, Threads
from memory_service.domain.gate import finish_in
from memory_service.errors import NotReady, TooManyOpening
from memory_service.providers.shelf import Shelf
from memory_service.stores.changes import ChangeStore

# Agents whose vectors are in memory; the one used longest ago makes room.
MAX_OPEN_AGENTS = 256
# Memory of open indexes that no file backs: some five of a million vectors each.
MAX_OPEN_BYTES = 320 * 1024 * 1024
# Indexes loaded at once, and agents that wait for that.
MAX_OPENING = 4
MAX_WAITING = 256
# How long a caller waits for an index that is being loaded; loading goes on.
OPEN_TIMEOUT_S = 5.0
# An index of fewer vectors is loaded from PostgreSQL about as fast as from a file.
SNAPSHOT_FROM_VECTORS = 2_000

log = structlog.get_logger()


class Opener(Protocol):
    """How an index comes to be."""

    async def open(self, agent_id: str) -> AgentIndex:
        """The agent's index with all changes that there are."""

    def close(self) -> None:
        """Ends what it began."""


class Indexes:
    """Opened when they are first needed, then kept up by the change feed."""

    def __init__(
        self, changes: ChangeStore, shelf: Shelf, threads: Threads, opener: Opener
    ) -> None:
        self._changes = changes
        self._shelf = shelf
        self._threads = threads
        self._opener = opener
        self._open: OrderedDict[str, AgentIndex] = OrderedDict()
        self._opening: dict[str, asyncio.Task[AgentIndex]] = {}
        self._retiring: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(MAX_OPENING)
        self._timeline: str | None = None
        self._behind_since_s: dict[str, float] = {}

    async def open_files(self) -> None:
        """Takes the folder of the indexes, if there is one."""
        await finish_in(self._threads.files, self._shelf.open)

    async def close(self, within_s: float) -> None:
        """Saves what changed, the last used first, as far as the time allows."""
        opening = list(self._opening.values())
        for task in opening:
            task.cancel()
        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*opening, return_exceptions=True)
                for index in reversed(self._open.values()):
                    await self._retire(index)
        except TimeoutError:
            log.warning("not all snapshots were saved in time")
        self._opener.close()
        self._threads.close()
        self._shelf.close()

    def holds(self, agent_id: str) -> bool:
        """Whether the agent's index is open."""
        return agent_id in self._open

    def opened(self) -> list[AgentIndex]:
        """Those that are open."""
        return list(self._open.values())

    def in_use(self) -> set[str]:
        """The agents whose files are in use."""
        return {*self._open, *self._opening, *self._retiring}

    async def get(self, agent_id: str, min_seq: int = 0) -> AgentIndex:
        """The agent's index, loaded, with the change `min_seq` applied.

        Raises NotReady while it takes long to load, TooManyOpening, NotCaughtUp,
        SeqUnknown.
        """
        while True:
            index = self._open.get(agent_id)
            if index is None:
                try:
                    async with asyncio.timeout(OPEN_TIMEOUT_S):
                        index = await self.open(agent_id)
                except TimeoutError:
                    raise NotReady("the agent's index is being loaded") from None
            else:
                self._open.move_to_end(agent_id)
            await index.reach(min_seq)
            if not index.closed:
                return index

    async def open(self, agent_id: str) -> AgentIndex:
        """The agent's index, however long it takes to load."""
        if (index := self._open.get(agent_id)) is not None:
            self._open.move_to_end(agent_id)
            return index
        task = self._opening.get(agent_id)
        if task is None:
            if len(self._opening) >= MAX_OPENING + MAX_WAITING:
                raise TooManyOpening(f"{len(self._opening)} before it")
            task = asyncio.create_task(self._load(agent_id))
            self._opening[agent_id] = task
            task.add_done_callback(lambda done: self._forget_task(agent_id, done))
        # A caller who goes away leaves the loading to the others.
        return await asyncio.shield(task)

    def see_timeline(self, timeline: str) -> None:
        """Closes unsaved what is of another history: some of it may never have been."""
        self._timeline = timeline
        for agent_id, index in list(self._open.items()):
            if index.timeline != timeline:
                self._start_retiring(agent_id, keep=False)

    async def stale(self) -> list[str]:
        """The open agents that have changes to apply."""
        seqs = await self._changes.seqs(self._open)
        behind = {
            agent_id: lag
            for agent_id, index in self._open.items()
            if (lag := seqs.get(agent_id, 0) - index.state.seq) > 0
        }
        now_s = time.monotonic()
        self._behind_since_s = {
            agent_id: self._behind_since_s.get(agent_id, now_s) for agent_id in behind
        }
        metrics.INDEX_LAG.set(sum(behind.values()))
        oldest_s = min(self._behind_since_s.values(), default=now_s)
        metrics.INDEX_LAG_SECONDS.set(now_s - oldest_s)
        self._make_room()
        return list(behind)

    async def follow_page(self, agent_id: str) -> bool:
        """Applies an agent's next changes; whether there are no more."""
        index = self._open.get(agent_id)
        return index is None or await index.follow_page()

    async def _load(self, agent_id: str) -> AgentIndex:
        async with self._room:
            while True:
                if (retiring := self._retiring.get(agent_id)) is not None:
                    # Its files are in use until then.
                    await asyncio.wait({retiring})
                timeline = self._timeline
                index = await self._opener.open(agent_id)
                if self._timeline in (timeline, index.timeline):
                    break
                await index.close()
        self._open[agent_id] = index
        self._make_room()
        return index

    def _make_room(self) -> None:
        sizes = {a: index.vectors.private_bytes for a, index in self._open.items()}
        total_bytes = sum(sizes.values())
        for agent_id in list(self._open)[:-1]:
            if len(self._open) <= MAX_OPEN_AGENTS and total_bytes <= MAX_OPEN_BYTES:
                break
            total_bytes -= sizes[agent_id]
            self._start_retiring(agent_id, keep=True)
        metrics.INDEX_BYTES.set(total_bytes)
        metrics.INDEX_AGENTS.set(len(self._open))
        metrics.INDEX_VECTORS.set(sum(len(i.vectors) for i in self._open.values()))

    def _start_retiring(self, agent_id: str, *, keep: bool) -> None:
        index = self._open.pop(agent_id)
        task = asyncio.create_task(self._retire(index) if keep else index.close())
        self._retiring[agent_id] = task
        task.add_done_callback(lambda done: self._end_retiring(agent_id, done))

    def _end_retiring(self, agent_id: str, task: asyncio.Task[None]) -> None:
        if self._retiring.get(agent_id) is task:
            del self._retiring[agent_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("index could not be closed", error=repr(error))

    async def _retire(self, index: AgentIndex) -> None:
        await index.close()
        if self._shelf.keeps and worth_saving(index):
            try:
                await index.save()
            except OSError as error:
                metrics.SNAPSHOT_FAILURES.labels("save").inc()
                log.warning("snapshot could not be saved", error=repr(error))

    def _forget_task(self, agent_id: str, task: asyncio.Task[Any]) -> None:
        if self._opening.get(agent_id) is task:
            del self._opening[agent_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("index could not be loaded", error=repr(error))


def worth_saving(index: AgentIndex) -> bool:
    """Whether a snapshot would be another than the last one, and of use."""
    if index.saved is not None:
        return index.applied > index.saved
    return len(index.vectors) >= SNAPSHOT_FROM_VECTORS
