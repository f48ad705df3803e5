"""Decisions on their way to the database, off the path of the requests."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol
from uuid import UUID

from contracts.ids import new_id
from safety_validator.domain.chain import Chain, Seals
from safety_validator.errors import DecisionLogFull
from safety_validator.metrics import AUDIT_REFUSED, DECISIONS_WAITING
from safety_validator.models import ChainEnd, Decision, Link, Record
from servicekit.errors import Unavailable

__all__ = ["DecisionLog"]

# Some seconds of full load without a database; beyond that no verdict is given.
MAX_WAITING = 16_384
# A verdict whose record waits goes with a process that is killed: no more of them are
# given once one has waited so long. A short failover passes unnoticed.
MAX_AGE_S = 3.0
# Of the contents that wait, where the policy keeps them.
MAX_WAITING_CHARS = 32 * 1024 * 1024
# One statement takes a few milliseconds.
MAX_BATCH = 1_024
MAX_BATCH_CHARS = 4 * 1024 * 1024
# Decisions that come together are written together; well within 50 ms.
GATHER_S = 0.02
# While PostgreSQL is out, it is asked this often.
RETRY_S = 0.2
# What is left when the process stops gets this long.
FLUSH_TIMEOUT_S = 2.0


class Store(Protocol):
    """Where decisions are kept."""

    async def add_writer(self, writer_id: UUID, genesis: bytes) -> int:
        """The writer's number, however often it is told."""
        ...

    async def insert(
        self, linked: Sequence[tuple[Record, Link]], head_seal: bytes | None
    ) -> None:
        """Writes one writer's next records, each once however often it is told."""
        ...


class DecisionLog:
    """A bounded queue that is written in batches; at its end verdicts are refused."""

    def __init__(self, store: Store, seals: Seals) -> None:
        self._store = store
        self._seals = seals
        self._chain = Chain(new_id())
        self._number: int | None = None
        self._waiting: deque[tuple[float, Decision]] = deque()
        self._waiting_chars = 0
        self._arrived = asyncio.Event()

    def check_room(self, count: int = 1) -> None:
        """Raises DecisionLogFull unless so many more decisions can wait."""
        if self._is_full(count):
            AUDIT_REFUSED.inc(count)
            raise DecisionLogFull("decisions wait for PostgreSQL, and no more can")

    def _is_full(self, count: int) -> bool:
        if not self._waiting:
            return count > MAX_WAITING
        return (
            len(self._waiting) + count > MAX_WAITING
            or self._waiting_chars > MAX_WAITING_CHARS
            or time.monotonic() - self._waiting[0][0] > MAX_AGE_S
        )

    def record(self, decisions: Sequence[Decision]) -> None:
        """Takes all of them, or none and raises DecisionLogFull."""
        self.check_room(len(decisions))
        now_s = time.monotonic()
        self._waiting.extend((now_s, decision) for decision in decisions)
        self._waiting_chars += sum(map(_chars, decisions))
        DECISIONS_WAITING.set(len(self._waiting))
        self._arrived.set()

    async def write(self) -> None:
        """Writes what arrives, until cancelled; runs in the background."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await asyncio.sleep(GATHER_S)
            while self._waiting:
                try:
                    await self._write_batch()
                except Unavailable:
                    await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Writes what still waits; raises where that does not succeed in time."""
        async with asyncio.timeout(FLUSH_TIMEOUT_S):
            while self._waiting:
                await self._write_batch()

    async def _write_batch(self) -> None:
        chain = self._chain
        if self._number is None:
            self._number = await self._store.add_writer(chain.writer_id, chain.end.hash)
        batch = list(self._next_batch())
        linked = chain.linked(batch)
        end = ChainEnd(linked[-1][1].writer_seq, linked[-1][1].hash)
        # A batch whose answer was lost is told again, with the same links.
        await self._store.insert(
            linked, self._seals.seal("head", chain.writer_id, self._number, end)
        )
        chain.end = end
        # Only what is written leaves the queue.
        for _ in batch:
            self._waiting.popleft()
        self._waiting_chars -= sum(map(_chars, batch))
        DECISIONS_WAITING.set(len(self._waiting))

    def _next_batch(self) -> Iterator[Decision]:
        chars = 0
        for count, (_, decision) in enumerate(self._waiting):
            chars += _chars(decision)
            if count == MAX_BATCH or (count and chars > MAX_BATCH_CHARS):
                return
            yield decision


def _chars(decision: Decision) -> int:
    return len(decision.content or "")
