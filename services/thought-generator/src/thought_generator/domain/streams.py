"""The streams that this replica thinks: claimed, paced, handed over."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from servicekit.errors import AppError
from thought_generator.errors import BlockedBySafety, BudgetSpent, Fenced
from thought_generator.metrics import DOZES, STREAMS
from thought_generator.models import Lease

# How soon a change of an agent is felt here; a pause must work within a second.
BREATH_S = 0.5
# Of the lease time: two renewals may fail before it runs out.
RENEWALS_PER_LEASE = 4
# Streams that start together do not beat together.
STAGGER_S = 0.15
JITTER = 0.1
# While something is out: the first pause, doubled up to the longest.
FIRST_DOZE_S = 0.25
LONGEST_DOZE_S = 4.0
# A spent budget may be raised, and what others only reserved comes back.
LONGEST_BUDGET_DOZE_S = 15.0

log = structlog.get_logger()

Beat = Callable[[], Awaitable[None]]


class Leases(Protocol):
    """Who thinks which stream."""

    async def renew(self) -> None:
        """Says that this replica lives."""
        ...

    async def claim(self) -> None:
        """Takes streams whose owner is gone."""
        ...

    async def owned(self) -> list[tuple[Lease, datetime]]:
        """This replica's streams, each with the database's time."""
        ...

    async def release(self) -> None:
        """Hands every stream over at once."""
        ...


class StreamScheduler:
    """Keeps one task for each owned stream."""

    def __init__(
        self, leases: Leases, lease: timedelta, begin: Callable[[Lease], Beat]
    ) -> None:
        self._leases = leases
        self._renewal_s = lease.total_seconds() / RENEWALS_PER_LEASE
        self._begin = begin
        self._running: dict[Lease, asyncio.Task[None]] = {}
        self._renewed_s = float("-inf")

    async def run(self) -> None:
        """Breathes until cancelled; without the database every stream stops."""
        try:
            while True:
                await self._breathe()
                await asyncio.sleep(BREATH_S)
        finally:
            await self._keep([])

    async def stop(self) -> None:
        """Ends every stream and hands it over."""
        await self._keep([])
        await self._leases.release()

    async def _breathe(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._renewed_s >= self._renewal_s:
            await self._leases.renew()
            self._renewed_s = now_s
        await self._leases.claim()
        await self._keep(await self._leases.owned())

    async def _keep(self, owned: list[tuple[Lease, datetime]]) -> None:
        """Runs exactly the owned streams; one whose settings changed starts anew."""
        wanted = {_identity(lease): (lease, asked_at) for lease, asked_at in owned}
        gone = [
            lease
            for lease, task in self._running.items()
            if _identity(lease) not in wanted or task.done()
        ]
        tasks = [self._running.pop(lease) for lease in gone]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        known = {_identity(lease) for lease in self._running}
        fresh = [pair for key, pair in wanted.items() if key not in known]
        for place, (lease, asked_at) in enumerate(fresh):
            wait_s = _first_wait_s(lease, asked_at, place)
            self._running[lease] = asyncio.create_task(self._think(lease, wait_s))
        STREAMS.set(len(self._running))

    async def _think(self, lease: Lease, wait_s: float) -> None:
        doze_s, beat = FIRST_DOZE_S, self._begin(lease)
        while True:
            await asyncio.sleep(wait_s)
            begun_s = asyncio.get_running_loop().time()
            try:
                await beat()
            except Fenced:
                return
            except AppError as error:
                DOZES.labels(error.kind).inc()
                wait_s = _doze_s(error, doze_s, lease.interval_seconds)
                doze_s = min(doze_s * 2, LONGEST_DOZE_S)
                log.warning(
                    "stream dozes",
                    agent_id=lease.agent_id,
                    stream=lease.stream,
                    error=f"{error.kind}: {error}",
                )
                continue
            except Exception:
                # A defect of ours: it must be seen, and must not spin.
                DOZES.labels("internal").inc()
                log.exception("beat failed", stream=lease.stream)
                wait_s = LONGEST_DOZE_S
                continue
            doze_s = FIRST_DOZE_S
            took_s = asyncio.get_running_loop().time() - begun_s
            # A beat that took longer than the interval is followed by one, not many.
            wait_s = max(0.0, _jittered(lease.interval_seconds) - took_s)


def _identity(lease: Lease) -> tuple[str, str, int, float, str | None]:
    return (
        lease.agent_id,
        lease.stream,
        lease.epoch,
        lease.interval_seconds,
        lease.prompt,
    )


def _first_wait_s(lease: Lease, asked_at: datetime, place: int) -> float:
    """Until the beat is due, counted from the last one by whoever made it."""
    stagger_s = place * STAGGER_S
    if lease.last_beat_at is None:
        return stagger_s
    due_s = lease.interval_seconds - (asked_at - lease.last_beat_at).total_seconds()
    return max(stagger_s, min(due_s, lease.interval_seconds))


def _doze_s(error: AppError, doze_s: float, interval_s: float) -> float:
    if isinstance(error, BudgetSpent):
        return min(error.retry_after_s or interval_s, LONGEST_BUDGET_DOZE_S)
    if isinstance(error, BlockedBySafety):
        # Nothing is out: the next beat turns to something else.
        return interval_s
    return _jittered(doze_s)


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)
