"""A stream that this replica thinks: a task that beats, dozes, and ends when told."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from thought_generator.domain.dozes import Dozes
from thought_generator.domain.pace import Pace
from thought_generator.errors import Fenced
from thought_generator.metrics import BEATS_SKIPPED
from thought_generator.models.leases import Lease

# A stream that is always behind says so this often.
BEHIND_LOG_EVERY_S = 60.0

log = structlog.get_logger()

Beat = Callable[[], Awaitable[float]]
"""Thinks once; returns after how many intervals the next time is, as a rule 1."""


class BeatingStream:
    """Begins with its making; `turns` bounds the beats at once in this replica."""

    def __init__(
        self,
        lease: Lease,
        beat: Beat,
        wait_s: float,
        dozes: Dozes,
        turns: asyncio.Semaphore,
    ) -> None:
        self.lease = lease
        self.leaving = False
        self._beat = beat
        self._dozes = dozes
        self._turns = turns
        self._pace = Pace(lease.interval_seconds, _now_s() + wait_s)
        self._skipped = 0
        self._told_s = float("-inf")
        self._resting = True
        self._task = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        """Whether it beats no more: cancelled, left, or fenced."""
        return self._task.done()

    @property
    def due_s(self) -> float:
        """When its next beat is due, or the one under way was, by the loop's clock."""
        return self._pace.due_s

    def leave(self) -> None:
        """Ends it now, or after the beat that is under way."""
        self.leaving = True
        if self._resting:
            self._task.cancel()

    def cancel(self) -> asyncio.Task[None]:
        """Ends it now; returns its task, to wait for."""
        self._task.cancel()
        return self._task

    async def _run(self) -> None:
        while not self.leaving:
            await asyncio.sleep(max(0.0, self.due_s - _now_s()))
            async with self._turns:
                self._resting = False
                try:
                    await self._take_beat()
                except Fenced:
                    return
                finally:
                    self._resting = True

    async def _take_beat(self) -> None:
        begun_s = _now_s()
        try:
            factor = await self._beat()
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - it is logged, and dozed over
            self._pace.put_off(_now_s() + await self._dozes.begin(error))
            return
        await self._dozes.end()
        self._count(self._pace.beaten(begun_s, _now_s(), factor))

    def _count(self, skipped: int) -> None:
        BEATS_SKIPPED.inc(skipped)
        self._skipped += skipped
        if self._skipped and _now_s() - self._told_s >= BEHIND_LOG_EVERY_S:
            log.warning(
                "stream falls behind",
                agent_id=self.lease.agent_id,
                stream=self.lease.stream,
                beats_skipped=self._skipped,
            )
            self._skipped, self._told_s = 0, _now_s()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
