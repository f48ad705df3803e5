"""Keeps the snapshots of the open indexes young, and those of the others true."""

import asyncio
import shutil
import time
from collections.abc import Sequence

import structlog

from memory_service import metrics
from memory_service.domain.agent_index import AgentIndex
from memory_service.domain.indexes import Indexes, worth_saving
from memory_service.providers.shelf import Kept, Shelf
from memory_service.stores.vectors import VectorReads

LOOK_EVERY_S = 1.0
# What a restart has to catch up with stays below either.
SAVE_EVERY_S = 300.0
SAVE_EVERY_CHANGES = 20_000
# What was deleted is in no snapshot for longer, give or take the time of saving.
FORGET_WITHIN_S = 30.0
# No snapshot sooner after the last one, whatever changed.
MIN_PAUSE_S = 10.0
# Nor after one that failed, on a full disk for one.
RETRY_AFTER_S = 60.0
# Snapshots of agents that are not open are looked through this often.
SWEEP_EVERY_S = 15.0
# An agent that was not open for so long is loaded from PostgreSQL, if ever again.
KEEP_UNUSED_S = 7 * 86_400.0
# Of all snapshots together; the open agents' own may be more.
MAX_KEPT_BYTES = 3 * 1024**3

log = structlog.get_logger()


class Snapshots:
    """One task for all agents of the process."""

    def __init__(self, indexes: Indexes, shelf: Shelf, vectors: VectorReads) -> None:
        self._indexes = indexes
        self._shelf = shelf
        self._vectors = vectors
        self._not_before_s: dict[str, float] = {}

    async def run(self) -> None:
        """Saves and sweeps for ever."""
        swept_at_s = time.monotonic()
        while self._shelf.keeps:
            for index in self._indexes.opened():
                if self._due(index):
                    await self.save(index)
            self._forget_closed()
            self._measure()
            if time.monotonic() - swept_at_s > SWEEP_EVERY_S:
                await self._sweep()
                swept_at_s = time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)

    async def save(self, index: AgentIndex) -> None:
        """Saves one; where that fails, no snapshot keeps what was to be forgotten."""
        if not self._shelf.keeps or index.closed:
            return
        pause_s = MIN_PAUSE_S
        try:
            await index.save()
        except OSError as error:
            pause_s = RETRY_AFTER_S
            metrics.SNAPSHOT_FAILURES.labels("save").inc()
            log.warning("snapshot could not be saved", error=repr(error))
            if index.left_at_s is not None:
                await self._discard(index)
        self._not_before_s[index.agent_id] = time.monotonic() + pause_s

    def _due(self, index: AgentIndex) -> bool:
        if not worth_saving(index):
            return False
        now_s = time.monotonic()
        if now_s < self._not_before_s.get(index.agent_id, 0):
            return False
        if index.saved is None:
            return True
        return (
            now_s - index.saved_at_s > SAVE_EVERY_S
            or index.applied - index.saved > SAVE_EVERY_CHANGES
            or (
                index.left_at_s is not None
                and now_s - index.left_at_s > FORGET_WITHIN_S - MIN_PAUSE_S
            )
        )

    async def _discard(self, index: AgentIndex) -> None:
        try:
            await index.discard()
        except OSError as error:
            metrics.SNAPSHOT_FAILURES.labels("remove").inc()
            log.warning("snapshot could not be removed", error=repr(error))

    async def _sweep(self) -> None:
        """Removes what no restart should use; of the rest the newest stay."""
        kept = await asyncio.to_thread(self._shelf.kept)
        doomed = await self._doomed(kept)
        total_bytes = sum(folder.size_bytes for folder in kept)
        for folder in sorted(kept, key=lambda folder: folder.saved_at_s):
            if folder in doomed or total_bytes > MAX_KEPT_BYTES:
                total_bytes -= await self._remove(folder)

    async def _doomed(self, kept: Sequence[Kept]) -> set[Kept]:
        positions = {k.agent_id: k.position for k in kept if k.agent_id is not None}
        outdated = await self._vectors.outdated(positions) if positions else set()
        oldest_s = time.time() - KEEP_UNUSED_S
        return {
            folder
            for folder in kept
            if folder.agent_id is None
            or folder.agent_id in outdated
            or folder.saved_at_s < oldest_s
        }

    async def _remove(self, folder: Kept) -> int:
        """The bytes that became free."""
        # No moment between the look and the renaming: an agent may be opened any time.
        if folder.name in map(self._shelf.name, self._indexes.in_use()):
            return 0
        try:
            aside = self._shelf.set_aside(folder.name)
            await asyncio.to_thread(shutil.rmtree, aside)
        except OSError as error:
            metrics.SNAPSHOT_FAILURES.labels("remove").inc()
            log.warning("snapshot could not be removed", error=repr(error))
            return 0
        return folder.size_bytes

    def _forget_closed(self) -> None:
        opened = {index.agent_id for index in self._indexes.opened()}
        for agent_id in self._not_before_s.keys() - opened:
            del self._not_before_s[agent_id]

    def _measure(self) -> None:
        now_s = time.monotonic()
        ages_s = [
            now_s - index.saved_at_s
            for index in self._indexes.opened()
            if index.saved is not None and index.applied > index.saved
        ]
        metrics.SNAPSHOT_AGE_SECONDS.set(max(ages_s, default=0))
