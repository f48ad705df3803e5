"""Decisions on their way to the database, off the path of the requests."""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from safety_validator.errors import DecisionLogFull
from safety_validator.metrics import DECISIONS_WAITING
from safety_validator.models import Decision
from servicekit.errors import Unavailable

__all__ = ["DecisionLog"]

# Some seconds of full load without a database; beyond that no verdict is given.
MAX_WAITING = 16_384
# One statement takes a few milliseconds.
MAX_BATCH = 1_024
# Decisions that come together are written together; well within 50 ms.
GATHER_S = 0.02
# While PostgreSQL is out, it is asked this often.
RETRY_S = 0.2
# What is left when the process stops gets this long.
FLUSH_TIMEOUT_S = 2.0


class Store(Protocol):
    """Where decisions are kept."""

    async def insert(self, decisions: Sequence[Decision]) -> None:
        """Writes them all, each once however often it is told."""
        ...


class DecisionLog:
    """A bounded queue that is written in batches; at its end verdicts are refused."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[Decision] = deque()
        self._arrived = asyncio.Event()

    def check_room(self, count: int = 1) -> None:
        """Raises DecisionLogFull unless so many more decisions can wait."""
        if len(self._waiting) + count > MAX_WAITING:
            raise DecisionLogFull("decisions wait for PostgreSQL, and no more can")

    def record(self, decisions: Sequence[Decision]) -> None:
        """Takes all of them, or none and raises DecisionLogFull."""
        self.check_room(len(decisions))
        self._waiting.extend(decisions)
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
        batch = list(islice(self._waiting, MAX_BATCH))
        await self._store.insert(batch)
        # Only what is written leaves the queue.
        for _ in batch:
            self._waiting.popleft()
        DECISIONS_WAITING.set(len(self._waiting))
