"""Reads that a replica may answer, once it has seen enough."""

from datetime import datetime
from uuid import UUID

import asyncpg

from memory_service import metrics
from memory_service.errors import SeqUnknown
from memory_service.models.memories import Counts, Exported, Memory
from memory_service.models.vectors import MAX_SEQ
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import (
    read_memories,
    read_memory,
)
from memory_service.stores.staleness import Staleness
from servicekit.database import Database
from servicekit.replication import replica_lag_seconds

# Most memories are of this type: a page of them is found without looking for it.
USUAL_TYPE = "episodic"
# An agent with fewer changes is counted when it is asked for.
MAX_COUNTED_AT_ONCE = 10_000


class MemoryReads:
    """Every answer holds the agent's changes up to `min_seq`, or is SeqUnknown."""

    def __init__(self, database: Database, staleness: Staleness) -> None:
        self._database = database
        self._staleness = staleness

    async def memory(
        self, agent_id: str, memory_id: UUID, min_seq: int
    ) -> Memory | None:
        """The memory, if this agent has it."""
        rows = await self.read("memory", agent_id, min_seq, memory_id)
        return next(iter(read_memories(rows)), None)

    async def lookup(
        self, agent_id: str, memory_ids: list[UUID], min_seq: int
    ) -> list[Memory]:
        """Those of the memories that this agent has."""
        rows = await self.read("lookup", agent_id, min_seq, memory_ids)
        return read_memories(rows)

    async def owners(self, memory_id: UUID) -> list[str]:
        """The agents that have a memory of that id; mostly one."""
        rows = await self._database.fetch(QUERIES["owners"], memory_id)
        return [row["agent_id"] for row in rows]

    async def recent(
        self,
        agent_id: str,
        memory_type: str | None,
        before: tuple[datetime, int] | None,
        limit: int,
        min_seq: int,
    ) -> list[Memory]:
        """A page, newest first, of what lies before a (timestamp, seq)."""
        timestamp, seq = before or (None, MAX_SEQ)
        few = memory_type not in (None, USUAL_TYPE)
        rows = await self.read(
            "recent_of_type" if few else "recent",
            agent_id,
            min_seq,
            memory_type,
            timestamp,
            seq,
            limit,
        )
        return read_memories(rows)

    async def common_words(
        self, agent_id: str, total: int, more_than: int
    ) -> dict[str, float]:
        """The words of more than so many of an agent's memories, by their shares."""
        rows = await self._database.read(
            QUERIES["common_words"], agent_id, float(total), float(more_than)
        )
        return {row["word"]: row["share"] for row in rows}

    async def counts(self, agent_id: str, min_seq: int) -> Counts:
        """How many memories there are.

        What was deleted from a large agent is subtracted some time later.
        """
        rows = await self.read("counts", agent_id, min_seq, MAX_COUNTED_AT_ONCE)
        types = [row for row in rows if row["memory_type"] is not None]
        return Counts(
            memories=sum(row["memories"] for row in types),
            unjudged=sum(row["unjudged"] for row in types),
            by_type={row["memory_type"]: row["memories"] for row in types},
            seq=rows[0]["agent_seq"] if rows else 0,
        )

    async def export_page(
        self, agent_id: str, after: int, limit: int, with_vectors: bool
    ) -> list[Exported]:
        """Memories above a number, in order, as the primary has them."""
        rows = await self._database.fetch(
            QUERIES["export_page"], agent_id, after, limit, with_vectors
        )
        return [
            Exported(read_memory(row), row["vector"], row["model"], row["sources"])
            for row in rows
        ]

    async def replica_lag_seconds(self) -> float | None:
        """How far the replica is behind; None without one, or while it is away."""
        return await replica_lag_seconds(self._database)

    async def read(
        self, name: str, agent_id: str, min_seq: int, *args: object
    ) -> list[asyncpg.Record]:
        if not self._staleness.is_stale:
            rows = await self._database.read(QUERIES[name], agent_id, *args)
            if _seen(rows) >= min_seq:
                return rows
        metrics.PRIMARY_READS.inc()
        rows = await self._database.fetch(QUERIES[name], agent_id, *args)
        if _seen(rows) < min_seq:
            raise SeqUnknown(f"the newest is {_seen(rows)}")
        return rows


def _seen(rows: list[asyncpg.Record]) -> int:
    return rows[0]["agent_seq"] if rows else 0
