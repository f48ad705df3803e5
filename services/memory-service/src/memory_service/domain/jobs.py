"""Long work on agents' memories: one worker for each, whichever replica it is in.

A job is held by lease. Whoever takes it counts its epoch on, and what is made for it
is stored at the newest epoch alone: a worker that comes back from afar writes nothing.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

import structlog

from memory_service import metrics
from memory_service.domain.capacity import Capacity
from memory_service.domain.consolidation import Consolidation, Progress
from memory_service.errors import JobLost, JobUnknown
from memory_service.models.jobs import HeldJob, Job
from memory_service.stores.jobs import JobStore
from servicekit.errors import AppError, DatabaseUnavailable
from servicekit.idempotency import Idempotency, IdempotencyKey

CONSOLIDATE = "consolidate"
# A worker that is gone is followed by another after this.
LEASE = timedelta(seconds=10)
RENEW_EVERY_S = 3.0
# A job that this process was not told of is found by then.
LOOK_EVERY_S = 1.0
# A job that ended every process that took it is given up.
MAX_EPOCHS = 20

log = structlog.get_logger()


class Jobs:
    """Opens jobs for callers, and works on one at a time."""

    def __init__(
        self,
        store: JobStore,
        consolidation: Consolidation,
        capacity: Capacity,
        idempotency: Idempotency,
    ) -> None:
        self._store = store
        self._consolidation = consolidation
        self._capacity = capacity
        self._idempotency = idempotency
        self._opened = asyncio.Event()

    async def consolidate(
        self,
        agent_id: str,
        after: int = 0,
        until: int | None = None,
        key: IdempotencyKey | None = None,
    ) -> Job:
        """The open consolidation of the agent, a new one if there was none.

        It looks at the memories numbered above `after`, up to the newest there is. The
        same key again gives the same job, as it is by now.
        """
        if key and (answer := await self._idempotency.first_answer(key)) is not None:
            return await self.get(UUID(answer), lambda owner: owner == agent_id)
        job = await self._store.open(agent_id, CONSOLIDATE, after, until, key)
        if job is None:
            assert key is not None
            return await self.consolidate(agent_id, after, until, key)
        self._opened.set()
        return job

    async def get(self, job_id: UUID, may_reach: Callable[[str], bool]) -> Job:
        """A job of an agent in reach; raises JobUnknown."""
        for job in await self._store.by_id(job_id):
            if may_reach(job.agent_id):
                return job
        raise JobUnknown(f"there is no job {job_id}")

    async def run(self) -> None:
        """Works for ever; a job under way is handed over when it is cancelled."""
        while True:
            self._opened.clear()
            held = await self._store.claim(LEASE)
            if held is not None:
                await self._hold(held, Progress(**held.job.progress))
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._opened.wait()

    async def _hold(self, held: HeldJob, progress: Progress) -> None:
        """Works on a job for as long as it is held."""
        working = asyncio.create_task(self._work(held, progress))
        renewing = asyncio.create_task(self._renew(held, progress))
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            renewing.cancel()
            working.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            await self._store.release(held, asdict(progress))

    async def _renew(self, held: HeldJob, progress: Progress) -> None:
        """Returns once it is not held any more."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            with suppress(DatabaseUnavailable):
                if not await self._store.renew(held, LEASE, asdict(progress)):
                    return

    async def _work(self, held: HeldJob, progress: Progress) -> None:
        """Works on it to its end, good or bad."""
        started_s = time.perf_counter()
        state, error = "done", None
        try:
            await self._do(held, progress)
        except JobLost:
            return
        except AppError as failure:
            state, error = "failed", f"{failure.title} {failure.detail}".strip()
        except Exception as failure:  # noqa: BLE001 - the job says it, the work goes on
            state, error = "failed", repr(failure)
        result = progress.result if state == "done" else None
        await self._store.end(held, state, asdict(progress), result, error)
        metrics.JOBS.labels(state).inc()
        metrics.JOB_SECONDS.observe(time.perf_counter() - started_s)
        name, counts = str(held.job.id), progress.result
        log.info("job ended", job=name, state=state, error=error, **counts)

    async def _do(self, held: HeldJob, progress: Progress) -> None:
        if held.epoch > MAX_EPOCHS:
            raise RuntimeError(f"it was begun {MAX_EPOCHS} times and never ended")
        await self._consolidation.run(held, progress)
        progress.removed += await self._capacity.keep(held)
