"""The streams that this replica thinks: its fair share, claimed and handed back.

A breath reads a few rows; only what these say has changed makes it look at its streams
again. So a change is felt within a breath, and one that concerns nobody costs nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from servicekit.errors import AppError
from thought_generator.domain.beating import Beat, BeatingStream
from thought_generator.domain.dozes import Dozes, Notices, Records
from thought_generator.metrics import STREAMS
from thought_generator.models.leases import Lease, Signs

# How soon a change of an agent is felt here; a pause must work within a second.
BREATH_S = 0.5
# What hid a change, as a transaction of minutes or a restore without triggers does,
# hides it no longer than this.
LOOK_EVERY_S = 60.0
# Of the lease time: two renewals may fail before it runs out.
RENEWALS_PER_LEASE = 4
# Streams that start together do not beat together.
STAGGER_S = 0.15
# A beat that is cancelled lets go of what it holds in much less.
END_S = 2.0
# More streams that are due wait their turn: of the engine's queue they leave most to
# those who ask, and a replica that took over thousands does not drown.
MAX_BEATS_AT_ONCE = 64

log = structlog.get_logger()

Owned = tuple[Lease, datetime]
Identity = tuple[str, str, int, float, str | None]


class Leases(Records, Protocol):
    """Who thinks which stream."""

    async def renew(self) -> bool:
        """Says that this replica lives; False when its lease had run out."""
        ...

    async def signs(self) -> Signs:
        """Who lives, and whether anything has changed."""
        ...

    async def streams(self) -> int:
        """How many streams should be thinking, wherever."""
        ...

    async def claim(self, at_most: int) -> list[Owned]:
        """Takes streams whose owner is gone, each with the database's time."""
        ...

    async def owned(self) -> list[Owned]:
        """This replica's streams, each with the database's time."""
        ...

    async def hand_back(self, leases: Sequence[Lease]) -> None:
        """Gives up these streams."""
        ...

    async def release(self) -> None:
        """Hands every stream over at once."""
        ...


def fair_share(streams: int, living: int, place: int) -> int:
    """How many streams the replica at `place` of the living thinks.

    All shares together are the streams, and none is more than one above another.
    """
    return (streams + living - 1 - place) // living


class StreamScheduler:
    """Keeps one task for each owned stream."""

    def __init__(
        self,
        leases: Leases,
        lease: timedelta,
        begin: Callable[[Lease], Beat],
        notices: Notices,
    ) -> None:
        self._leases = leases
        self._lease_s = lease.total_seconds()
        self._begin = begin
        self._notices = notices
        self._turns = asyncio.Semaphore(MAX_BEATS_AT_ONCE)
        self._running: dict[Identity, BeatingStream] = {}
        self._renewed_s = float("-inf")
        self._signs: Signs | None = None
        self._looked_s = float("-inf")

    async def run(self) -> None:
        """Breathes until cancelled."""
        try:
            while True:
                try:
                    await self._breathe()
                except AppError as error:
                    await self._bear(error)
                await asyncio.sleep(BREATH_S)
        except asyncio.CancelledError:
            # Before the beats under way are given up, which may take a while: what
            # they still commit until another claims their stream is in order.
            with suppress(AppError):
                await self._leases.release()
            raise
        finally:
            self._signs = None
            await self._keep([])

    async def stop(self) -> None:
        """Ends every stream and hands it over, also while `run` is being restarted."""
        await self._keep([])
        await self._leases.release()

    async def _bear(self, error: AppError) -> None:
        """Without the database streams go on, and doze, while they are ours."""
        if self._signs is not None:
            log.warning("streams are not looked after", error=f"{error.kind}: {error}")
        self._signs = None
        if asyncio.get_running_loop().time() - self._renewed_s >= self._lease_s:
            await self._keep([])

    async def _breathe(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._renewed_s >= self._lease_s / RENEWALS_PER_LEASE:
            if not await self._leases.renew():
                self._signs = None
            self._renewed_s = now_s
        signs = await self._leases.signs()
        if signs.place is None:
            # Another clock than ours decides when a lease has run out.
            self._renewed_s = float("-inf")
            return
        await self._hand_back()
        lost = any(stream.ended for stream in self._running.values())
        if lost or signs != self._signs or now_s - self._looked_s >= LOOK_EVERY_S:
            await self._look(signs, signs.place)
            self._looked_s = now_s

    async def _look(self, signs: Signs, place: int) -> None:
        """Takes up to the share, or gives up what is above it."""
        owned = await self._leases.owned()
        share = fair_share(await self._leases.streams(), len(signs.living), place)
        while len(owned) < share:
            claimed = await self._leases.claim(share - len(owned))
            if not claimed:
                break
            owned += claimed
        await self._keep(owned)
        await self._give_up(share)
        # Others are about to give up what is missing here, or the other way round.
        self._signs = signs if len(owned) == share else None

    async def _keep(self, owned: Sequence[Owned]) -> None:
        """Runs exactly the owned streams; one whose settings changed starts anew."""
        wanted = {_identity(lease): (lease, asked_at) for lease, asked_at in owned}
        gone = [
            key
            for key, stream in self._running.items()
            if key not in wanted or stream.ended
        ]
        await _end([self._running.pop(key) for key in gone])
        fresh = [pair for key, pair in wanted.items() if key not in self._running]
        for number, (lease, asked_at) in enumerate(fresh):
            stagger_s = number * min(STAGGER_S, lease.interval_seconds / len(fresh))
            self._start(lease, _first_wait_s(lease, asked_at, stagger_s))
        STREAMS.set(len(self._running))

    def _start(self, lease: Lease, wait_s: float) -> None:
        self._running[_identity(lease)] = BeatingStream(
            lease,
            self._begin(lease),
            wait_s,
            Dozes(lease, self._leases, self._notices),
            self._turns,
        )

    async def _give_up(self, share: int) -> None:
        """Those first whose beat is furthest away: nobody notices that they moved."""
        staying = [each for each in self._running.values() if not each.leaving]
        staying.sort(key=lambda each: each.due_s, reverse=True)
        surplus = staying[: max(0, len(staying) - share)]
        for stream in surplus:
            stream.leave()
        if surplus:
            # So that those that rest have ended.
            await asyncio.sleep(0)
            await self._hand_back()

    async def _hand_back(self) -> None:
        left = {
            key: stream
            for key, stream in self._running.items()
            if stream.leaving and stream.ended
        }
        if left:
            await self._leases.hand_back([stream.lease for stream in left.values()])
            for key in left:
                del self._running[key]
            STREAMS.set(len(self._running))


async def _end(streams: Sequence[BeatingStream]) -> None:
    tasks = [stream.cancel() for stream in streams]
    if not tasks:
        return
    _, going = await asyncio.wait(tasks, timeout=END_S)
    if going:
        # Whoever swallows a cancellation must not stop all other streams with it.
        log.error("beats go on though cancelled", beats=len(going))


def _identity(lease: Lease) -> Identity:
    return (
        lease.agent_id,
        lease.stream,
        lease.epoch,
        lease.interval_seconds,
        lease.prompt,
    )


def _first_wait_s(lease: Lease, asked_at: datetime, stagger_s: float) -> float:
    """Until the beat is due, counted from the last one by whoever made it."""
    if lease.last_beat_at is None:
        return stagger_s
    due_s = lease.interval_seconds - (asked_at - lease.last_beat_at).total_seconds()
    return max(stagger_s, min(due_s, lease.interval_seconds))
