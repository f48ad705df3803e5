"""Figures of the whole database, of no agent in particular."""

from servicekit.database import Database, load_queries
from servicekit.replication import replica_lag_seconds

SQL = load_queries("thought_generator.stores")


class TotalsStore:
    """Asked by every replica now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def streams_enabled(self) -> float:
        """Streams that should be thinking."""
        return await self._figure("streams_enabled")

    async def budget_used_ratio(self) -> float:
        """Of today's budgets the one most used, 0 where none was touched."""
        return await self._figure("budget_used_ratio")

    async def replica_lag_seconds(self) -> float | None:
        """How far the replica is behind; None without one, or while it is away."""
        return await replica_lag_seconds(self._database)

    async def _figure(self, name: str) -> float:
        (row,) = await self._database.fetch(SQL[name])
        return float(row[name])
