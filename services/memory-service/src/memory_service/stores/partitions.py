"""The months of `memories`, each a partition."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from memory_service.models.memories import Aged
from memory_service.stores.queries import QUERIES
from servicekit.database import Database

# Readers and writers queue behind whoever waits for a table: better to try later.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '1s'"
# Rows that are moved into a new month while all others wait: well below a second.
MAX_MOVED = 10_000
BEFORE_ALL = Aged("", datetime.min.replace(tzinfo=UTC), UUID(int=0))


class PartitionStore:
    """Raises DatabaseUnavailable where others hold a lock for too long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, month: datetime) -> bool:
        """Whether the month that begins then has its partition.

        It has none while too much lies where months without one are kept.
        """
        async with self._database.transaction() as connection:
            await connection.execute(LOCK_TIMEOUT)
            made: bool = await connection.fetchval(
                QUERIES["make_partition"], month, MAX_MOVED
            )
        return made

    async def before(self, month: datetime) -> list[str]:
        """The partitions of earlier months, oldest first."""
        rows = await self._database.fetch(QUERIES["partitions_before"], month)
        return [row["name"] for row in rows]

    async def drop(self, name: str) -> bool:
        """Takes a partition out for good, if it is empty."""
        async with self._database.transaction() as connection:
            await connection.execute(LOCK_TIMEOUT)
            dropped: bool = await connection.fetchval(QUERIES["drop_partition"], name)
        return dropped

    async def aged(self, before: datetime, after: Aged, limit: int) -> Sequence[Aged]:
        """Memories of before a time that are not pinned, in the order of their keys."""
        rows = await self._database.fetch(
            QUERIES["aged"], before, after.agent_id, after.timestamp, after.id, limit
        )
        return [Aged(*row) for row in rows]
