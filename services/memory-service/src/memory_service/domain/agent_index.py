"""One agent's index: searched side by side, changed alone, built and saved beside."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from memory_service import metrics
from memory_service.domain.gate import Gate, finish_in
from memory_service.errors import NotCaughtUp, SeqUnknown
from memory_service.models.vectors import MAX_SEQ, Change, IndexState
from memory_service.providers.vectors.agent import AgentVectors, Build
from memory_service.stores.changes import ChangeStore

# Changes fetched at once: some 4 MB of vectors.
PAGE_CHANGES = 4096
# Changes applied at once: searches wait for so many, not for a whole page.
CHANGES_TOGETHER = 256
# A search of more vectors, or a page of more changes, leaves the event loop free.
INLINE_VECTORS = 20_000
INLINE_CHANGES = 64
# How long a read waits for the write that it names.
CATCH_UP_TIMEOUT_S = 2.0
# More searches at once than cores only wait for one another.
MAX_SEARCH_THREADS = 4

# A build takes what the writes and searches beside it leave of the cores.
BUILD_NICENESS = 10

Answer = TypeVar("Answer")


class Threads:
    """Apart, so that no search waits for a change of another agent, nor for a build."""

    def __init__(self) -> None:
        cores = len(os.sched_getaffinity(0))
        self.searches = ThreadPoolExecutor(min(cores, MAX_SEARCH_THREADS), "search")
        self.changes = ThreadPoolExecutor(2, "change")
        self.loads = ThreadPoolExecutor(2, "load")
        self.builds = ThreadPoolExecutor(1, "build", initializer=_step_back)
        self.files = ThreadPoolExecutor(1, "file")

    def close(self) -> None:
        """Ends them."""
        for pool in vars(self).values():
            pool.shutdown(wait=False, cancel_futures=True)


def _step_back() -> None:
    # Only Linux gives a thread, and those that it starts, a priority of its own.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BUILD_NICENESS)


class AgentIndex:
    """The vectors up to the change `applied` of the history `timeline`."""

    def __init__(
        self,
        agent_id: str,
        vectors: AgentVectors,
        applied: int,
        timeline: str,
        saved: int | None,
        changes: ChangeStore,
        threads: Threads,
    ) -> None:
        self.agent_id = agent_id
        self.vectors = vectors
        self.applied = applied
        self.timeline = timeline
        # The change up to which there is a snapshot on disk, and since when.
        self.saved = saved
        self.saved_at_s = time.monotonic()
        # When the first memory left that the snapshot still has.
        self.left_at_s: float | None = None
        self.closed = False
        self._changes = changes
        self._threads = threads
        self._gate = Gate()
        self._following = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._building = asyncio.Lock()
        self._build: Build | None = None

    @property
    def state(self) -> IndexState:
        """What it holds."""
        return IndexState(self.vectors.kind, len(self.vectors), self.applied)

    @property
    def works_apart(self) -> bool:
        """Whether `use` has threads of its own for work that takes a core."""
        return len(self.vectors) > INLINE_VECTORS

    async def use(self, work: Callable[[AgentVectors], Answer]) -> Answer:
        """Runs `work`, which changes nothing, on the vectors."""
        async with self._gate.shared():
            if not self.works_apart:
                return work(self.vectors)
            return await finish_in(self._threads.searches, lambda: work(self.vectors))

    async def reach(self, seq: int) -> None:
        """Returns once the change `seq` is applied; NotCaughtUp, SeqUnknown.

        An index that is closed meanwhile returns too, without it.
        """
        if self.applied >= seq:
            return
        try:
            async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
                await self.follow(until=seq)
        except TimeoutError:
            raise NotCaughtUp(f"the index holds {self.applied}") from None
        if self.applied < seq and not self.closed:
            raise SeqUnknown(f"the newest is {self.applied}")

    async def follow(self, until: int = MAX_SEQ) -> None:
        """Applies all changes that there are, unless `until` is applied already."""
        while not await self.follow_page(until):
            pass

    async def follow_page(self, until: int = MAX_SEQ) -> bool:
        """Applies the next changes; whether that was all, or `until` is applied."""
        async with self._following:
            if self.closed or self.applied >= until:
                return True
            page = await self._changes.page(self.agent_id, self.applied, PAGE_CHANGES)
            for start in range(0, len(page.changes), CHANGES_TOGETHER):
                await self._apply(page.changes[start : start + CHANGES_TOGETHER])
            self.applied = max(self.applied, page.upto)
            return page.last

    async def due(self) -> Build | None:
        """What should be built now, if anything."""
        return await self.use(lambda vectors: vectors.due())

    async def build(self, build: Build, threads: int) -> None:
        """Makes a part anew beside all else, and puts it in place in one moment."""
        async with self._building:
            if self.closed:
                return
            self._build = build
            try:
                with metrics.INDEX_BUILD_SECONDS.labels(build.reason).time():
                    await finish_in(
                        self._threads.builds, lambda: build.run(threads), build.abort
                    )
            finally:
                self._build = None
            async with self._saving, self._gate.alone():
                await finish_in(
                    self._threads.changes, lambda: self.vectors.finish(build)
                )
                # The snapshot may be of rows that are no more.
                self.saved = None

    async def save(self) -> None:
        """Writes a snapshot while searches and changes go on; raises OSError."""
        async with self._saving:
            with metrics.SNAPSHOT_SECONDS.time():
                await self._save()

    async def discard(self) -> None:
        """Makes the snapshot on disk one that nobody restores; raises OSError."""
        async with self._saving:
            await finish_in(self._threads.files, self.vectors.discard)
            self.saved, self.left_at_s = None, None

    async def close(self) -> None:
        """From here on it does not change any more; searches under way still end."""
        if self._build is not None:
            self._build.abort()
        async with self._building, self._following, self._saving, self._gate.alone():
            self.closed = True

    async def _save(self) -> None:
        async with self._gate.shared():
            seq, left_at_s = self.applied, self.left_at_s
            snapshot = await finish_in(
                self._threads.files, lambda: self.vectors.capture(seq, self.timeline)
            )
            self.left_at_s = None
        try:
            await finish_in(self._threads.files, snapshot.write)
        except BaseException:
            self.left_at_s = left_at_s or self.left_at_s
            raise
        self.saved, self.saved_at_s = seq, time.monotonic()

    async def _apply(self, changes: Sequence[Change]) -> None:
        async with self._gate.alone():
            if len(changes) <= INLINE_CHANGES and len(self.vectors) <= INLINE_VECTORS:
                self.vectors.apply(changes)
            else:
                await finish_in(
                    self._threads.changes, lambda: self.vectors.apply(changes)
                )
            if self.left_at_s is None and any(c.vector is None for c in changes):
                self.left_at_s = time.monotonic()
