"""Keeps the open indexes up to date: told by PostgreSQL or this process, or polling."""

import asyncio

import structlog

from contracts.base import DEFAULT_AGENT_ID
from memory_service.domain.indexes import Indexes
from memory_service.domain.written import WrittenSeqs
from servicekit.metrics import TASK_FAILURES

# A lost notification delays a change by this much and no more.
POLL_EVERY_S = 0.5
# Agents followed at once. Each in turn applies one page of its changes: one that has
# many of them waits behind the others.
FOLLOWERS = 4

log = structlog.get_logger()


class Feed:
    """The tasks that follow, for all agents of the process."""

    def __init__(self, indexes: Indexes, written: WrittenSeqs) -> None:
        self._indexes = indexes
        self._written = written
        # In the order in which they were told.
        self._told: dict[str, None] = {}
        self._followed: set[str] = set()
        self._woken = asyncio.Event()
        self._timeline: str | None = None

    def wake(self, agent_id: str) -> None:
        """Says that an agent's memories changed."""
        self._told[agent_id] = None
        self._woken.set()

    def see_timeline(self, timeline: str) -> None:
        """Starts anew after a promotion: the new primary may lack the last changes."""
        if self._timeline not in (None, timeline):
            self._written.clear()
        self._timeline = timeline
        self._indexes.see_timeline(timeline)

    async def check(self) -> str | None:
        """For readiness: the index that every client begins with is loaded."""
        held = self._indexes.holds(DEFAULT_AGENT_ID)
        return None if held else "the index is being loaded"

    async def run(self) -> None:
        """Follows for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_default())
            tasks.create_task(self._poll())
            for _ in range(FOLLOWERS):
                tasks.create_task(self._follow())

    async def _keep_default(self) -> None:
        while True:
            try:
                await self._indexes.open(DEFAULT_AGENT_ID)
            except Exception as error:  # noqa: BLE001 - the others are followed
                _note(error)
            await asyncio.sleep(POLL_EVERY_S)

    async def _poll(self) -> None:
        while True:
            for agent_id in await self._indexes.stale():
                self.wake(agent_id)
            await asyncio.sleep(POLL_EVERY_S)

    async def _follow(self) -> None:
        while True:
            agent_id = await self._next()
            self._followed.add(agent_id)
            try:
                finished = await self._indexes.follow_page(agent_id)
            except Exception as error:  # noqa: BLE001 - the others are followed
                _note(error)
                # It is told again by `_poll`.
                finished = True
            finally:
                self._followed.remove(agent_id)
                self._woken.set()
            if not finished:
                self.wake(agent_id)

    async def _next(self) -> str:
        """The agent that was told first, of those that nobody follows just now."""
        while True:
            for agent_id in self._told:
                if agent_id not in self._followed:
                    del self._told[agent_id]
                    return agent_id
            self._woken.clear()
            await self._woken.wait()


def _note(error: Exception) -> None:
    TASK_FAILURES.labels("follow").inc()
    log.warning("an index could not be brought up to date", error=repr(error))
