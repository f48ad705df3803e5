"""Coherence as it is measured while a mind thinks; docs/coherence.md defines it."""

from datetime import timedelta

import structlog

from servicekit.errors import AppError
from thought_generator.metrics import LOOPS_BROKEN
from thought_generator.models.thoughts import Coherence, Thought
from thought_generator.stores.coherence import CoherenceStore

# What the score of an agent is over.
WINDOW = timedelta(hours=24)
# A stream is alive in it when it has thought once; longer for one that thinks seldom.
CELL = timedelta(minutes=5)

log = structlog.get_logger()


class Coherences:
    """Of one agent for a day, and the lowest of all now."""

    def __init__(self, store: CoherenceStore) -> None:
        self._store = store

    async def of(self, agent_id: str) -> Coherence:
        """One agent's last day; AgentUnknown if there is none."""
        return await self._store.of(agent_id, WINDOW, CELL)

    async def lowest_continuity(self) -> float | None:
        """Over the last cell: whoever measures again and again misses none."""
        return await self._store.lowest_continuity(CELL)

    async def lowest_liveness(self) -> float | None:
        """Over the last cell."""
        return await self._store.lowest_liveness(CELL)

    async def count_loop(self, thought: Thought) -> None:
        """A thought repeated another and its stream is turned away; it stands, also
        where this cannot be kept."""
        LOOPS_BROKEN.inc()
        try:
            await self._store.note_loop(thought.agent_id, thought.id)
        except AppError as error:
            log.warning("loop is not recorded", error=f"{error.kind}: {error}")
