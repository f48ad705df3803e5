"""Builds what is due in the open indexes: one part at a time in a process."""

import asyncio
import time

import structlog

from memory_service import metrics
from memory_service.domain.agent_index import AgentIndex
from memory_service.domain.indexes import Indexes
from memory_service.domain.snapshots import Snapshots
from memory_service.providers.vectors.agent import BuildAborted

LOOK_EVERY_S = 1.0
# A build that failed, on a full disk for one, is not begun anew at once.
RETRY_AFTER_S = 60.0
# The other cores answer meanwhile.
BUILD_THREADS = 1

log = structlog.get_logger()


class Builds:
    """One task for all agents of the process."""

    def __init__(self, indexes: Indexes, snapshots: Snapshots) -> None:
        self._indexes = indexes
        self._snapshots = snapshots
        self._failed_at_s: dict[str, float] = {}

    async def run(self) -> None:
        """Builds for ever."""
        while True:
            for index in self._indexes.opened():
                if not self._failed_lately(index):
                    await self._build(index)
            await asyncio.sleep(LOOK_EVERY_S)

    def _failed_lately(self, index: AgentIndex) -> bool:
        failed_at_s = self._failed_at_s.get(index.agent_id)
        if failed_at_s is None or time.monotonic() - failed_at_s > RETRY_AFTER_S:
            self._failed_at_s.pop(index.agent_id, None)
            return False
        return True

    async def _build(self, index: AgentIndex) -> None:
        build = await index.due()
        if build is None:
            return
        try:
            await index.build(build, BUILD_THREADS)
        except BuildAborted:
            return
        except Exception as error:  # noqa: BLE001 - the index goes on without
            self._failed_at_s[index.agent_id] = time.monotonic()
            metrics.INDEX_BUILD_FAILURES.inc()
            log.warning("index build failed", error=repr(error))
            return
        log.info("index built", reason=build.reason, kind=index.vectors.kind)
        await self._snapshots.save(index)
