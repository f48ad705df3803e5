"""Who thinks which stream, in PostgreSQL."""

from datetime import datetime, timedelta

from servicekit.database import Database, load_queries
from thought_generator.models import Lease

SQL = load_queries("thought_generator.stores")
# Streams that one replica takes in one breath; the next breath takes more.
MAX_CLAIMED_AT_ONCE = 200


class LeaseStore:
    """One lease a replica, one epoch a stream."""

    def __init__(self, database: Database, replica: str, lease: timedelta) -> None:
        self._database = database
        self._replica = replica
        self._lease = lease

    async def renew(self) -> None:
        """Says that this replica lives; forgets those long gone."""
        await self._database.fetch(SQL["renew_replica"], self._replica, self._lease)
        await self._database.fetch(SQL["forget_replicas"])

    async def claim(self) -> None:
        """Takes streams whose owner is gone."""
        await self._database.fetch(
            SQL["claim_streams"], self._replica, MAX_CLAIMED_AT_ONCE
        )

    async def owned(self) -> list[tuple[Lease, datetime]]:
        """What this replica should be thinking now, each with the database's time."""
        rows = await self._database.fetch(SQL["owned_streams"], self._replica)
        return [
            (
                Lease(
                    agent_id=row["agent_id"],
                    stream=row["stream"],
                    epoch=row["epoch"],
                    interval_seconds=row["interval_seconds"],
                    prompt=row["prompt"],
                    last_beat_at=row["last_beat_at"],
                ),
                row["asked_at"],
            )
            for row in rows
        ]

    async def release(self) -> None:
        """Hands every stream over at once."""
        await self._database.fetch(SQL["release_streams"], self._replica)
