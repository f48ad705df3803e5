"""Keeps the open indexes up to date: told by PostgreSQL or this process, or polling."""

import asyncio
from contextlib import suppress

from contracts.base import DEFAULT_AGENT_ID
from memory_service.domain.indexes import Indexes
from memory_service.domain.written import WrittenSeqs

# A lost notification delays a change by this much and no more.
POLL_EVERY_S = 0.5


class Feed:
    """One task for all agents of the process."""

    def __init__(self, indexes: Indexes, written: WrittenSeqs) -> None:
        self._indexes = indexes
        self._written = written
        self._told: set[str] = set()
        self._woken = asyncio.Event()
        self._timeline: str | None = None

    def wake(self, agent_id: str) -> None:
        """Says that an agent's memories changed."""
        self._told.add(agent_id)
        self._woken.set()

    def see_timeline(self, timeline: str) -> None:
        """Starts anew after a promotion: the new primary may lack the last changes."""
        if self._timeline not in (None, timeline):
            self._indexes.drop_all()
            self._written.clear()
        self._timeline = timeline
        self._woken.set()

    async def check(self) -> str | None:
        """For readiness: the index that every client begins with is loaded."""
        held = self._indexes.holds(DEFAULT_AGENT_ID)
        return None if held else "the index is being loaded"

    async def run(self) -> None:
        """Follows for ever."""
        while True:
            await self._indexes.get(DEFAULT_AGENT_ID)
            self._told.update(await self._indexes.stale())
            await self._follow_for(POLL_EVERY_S)

    async def _follow_for(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while (left_s := until_s - loop.time()) > 0:
            told, self._told = self._told, set()
            for agent_id in told:
                await self._indexes.follow(agent_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._woken.wait()
            self._woken.clear()
