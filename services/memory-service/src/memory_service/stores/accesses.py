"""How often memories were recalled."""

from collections.abc import Mapping

from memory_service.stores.queries import QUERIES
from servicekit.database import Database


class AccessStore:
    """Counts accesses in the rows, without touching the change feed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, accesses: Mapping[tuple[str, int], int]) -> None:
        """Adds to the counts of memories given by (agent, number).

        Those that are being changed are left out: to know how often matters less.
        """
        await self._database.fetch(
            QUERIES["count_accesses"],
            [agent_id for agent_id, _ in accesses],
            [seq for _, seq in accesses],
            list(accesses.values()),
        )
