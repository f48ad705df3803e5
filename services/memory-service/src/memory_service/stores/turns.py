"""Turns at an agent's vectors, where those are shared by all replicas."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from memory_service.stores.queries import QUERIES
from servicekit.database import Database


class Turns:
    """One replica at a time, by a lock that PostgreSQL takes back if it dies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def take(self, agent_id: str) -> AsyncIterator[str]:
        """Waits for the turn; with the primary's history, as it is now."""
        async with self._database.transaction() as connection:
            timeline: str = await connection.fetchval(QUERIES["take_turn"], agent_id)
            yield timeline
