"""How whole and how alive minds were, from PostgreSQL."""

from datetime import timedelta
from uuid import UUID

from servicekit.database import Database, load_queries
from thought_generator.errors import AgentUnknown
from thought_generator.models.thoughts import Coherence

SQL = load_queries("thought_generator.stores")


class CoherenceStore:
    """Counts thoughts, cells and loops."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, agent_id: str, window: timedelta, cell: timedelta) -> Coherence:
        """One agent's last `window`; AgentUnknown if there is none."""
        row = await self._database.fetch_one(SQL["coherence"], agent_id, window, cell)
        if row is None:
            raise AgentUnknown(agent_id)
        return Coherence(window=window, **row)

    async def lowest_continuity(self, window: timedelta) -> float | None:
        """Over all agents; None where none thought within the window."""
        return await self._figure("lowest_continuity", window)

    async def lowest_liveness(self, cell: timedelta) -> float | None:
        """Over all agents; None where no stream had to think."""
        return await self._figure("lowest_liveness", cell)

    async def note_loop(self, agent_id: str, thought_id: UUID) -> None:
        """Keeps that this thought repeated another, and its stream is turned away."""
        await self._database.fetch(SQL["note_loop"], agent_id, thought_id)

    async def _figure(self, name: str, time: timedelta) -> float | None:
        (row,) = await self._database.fetch(SQL[name], time)
        figure: float | None = row[name]
        return figure
