"""Who thinks which stream, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from servicekit.database import Database, load_queries
from thought_generator.models.agents import Doze
from thought_generator.models.leases import Lease, Signs

SQL = load_queries("thought_generator.stores")
# Streams that one statement takes; whoever wants more asks again.
MAX_CLAIMED_AT_ONCE = 500


class LeaseStore:
    """One lease a replica, one epoch a stream."""

    def __init__(self, database: Database, replica: str, lease: timedelta) -> None:
        self._database = database
        self._replica = replica
        self._lease = lease

    async def renew(self) -> bool:
        """Says that this replica lives; False when its lease had run out.

        Forgets replicas long gone, and changes that all have seen.
        """
        (row,) = await self._database.fetch(
            SQL["renew_replica"], self._replica, self._lease
        )
        await self._database.fetch(SQL["forget_replicas"])
        await self._database.fetch(SQL["forget_changes"])
        return bool(row["held"])

    async def signs(self) -> Signs:
        """Who lives, and whether anything has changed; one small read."""
        (row,) = await self._database.fetch(SQL["scheduling_signs"])
        living = tuple(row["living"])
        return Signs(
            living=living,
            place=living.index(self._replica) if self._replica in living else None,
            changes=(row["changes"], row["changes_sum"]),
        )

    async def streams(self) -> int:
        """Streams of the whole database that should be thinking."""
        (row,) = await self._database.fetch(SQL["streams_enabled"])
        return int(row["streams_enabled"])

    async def claim(self, at_most: int) -> list[tuple[Lease, datetime]]:
        """Takes streams whose owner is gone, each with the database's time."""
        rows = await self._database.fetch(
            SQL["claim_streams"], self._replica, min(at_most, MAX_CLAIMED_AT_ONCE)
        )
        return [_lease(row) for row in rows]

    async def owned(self) -> list[tuple[Lease, datetime]]:
        """What this replica should be thinking now, each with the database's time."""
        rows = await self._database.fetch(SQL["owned_streams"], self._replica)
        return [_lease(row) for row in rows]

    async def hand_back(self, leases: Sequence[Lease]) -> None:
        """Gives up these streams; what somebody else holds just now stays owned."""
        await self._database.fetch(
            SQL["hand_back_streams"],
            self._replica,
            [lease.agent_id for lease in leases],
            [lease.stream for lease in leases],
            [lease.epoch for lease in leases],
        )

    async def doze(
        self, lease: Lease, problem: str, pause: timedelta | None
    ) -> Doze | None:
        """Records that the stream dozes, until its next thought; None if it is lost.

        Without a `pause` it tries again within seconds.
        """
        row = await self._database.fetch_one(
            SQL["doze_stream"],
            lease.agent_id,
            lease.stream,
            lease.epoch,
            self._replica,
            problem,
            pause,
        )
        return Doze(row["dozing_since"], problem, row["dozing_until"]) if row else None

    async def release(self) -> None:
        """Hands every stream over at once."""
        await self._database.fetch(SQL["release_streams"], self._replica)


def _lease(row: asyncpg.Record) -> tuple[Lease, datetime]:
    lease = Lease(
        agent_id=row["agent_id"],
        stream=row["stream"],
        epoch=row["epoch"],
        interval_seconds=row["interval_seconds"],
        prompt=row["prompt"],
        last_beat_at=row["last_beat_at"],
        dozing_since=row["dozing_since"],
    )
    return lease, row["asked_at"]
