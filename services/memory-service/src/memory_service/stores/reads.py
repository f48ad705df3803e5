"""Reads that a replica may answer, once it has seen enough."""

from datetime import datetime
from uuid import UUID

import asyncpg

from memory_service import metrics
from memory_service.errors import SeqUnknown
from memory_service.models import (
    MAX_SEQ,
    Counts,
    Exported,
    Filters,
    Memory,
    Seqs,
)
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import (
    filter_arguments,
    read_memories,
    read_memory,
    unpack_seqs,
)
from servicekit.database import Database
from servicekit.replication import replica_lag_seconds

# Rows of memories that one keyword search visits, over all its words: it bounds the
# time (some 5 ms at 100,000 memories), and rarer words are found whole.
MAX_KEYWORD_VISITS = 2000
# Of a long query the words that say most; each costs a look into the index.
MAX_KEYWORD_TERMS = 16
# Among fewer memories than these, how rare a word is says little.
MIN_KEYWORD_TOTAL = 200


class MemoryReads:
    """Every answer holds the agent's changes up to `min_seq`, or is SeqUnknown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def memory(
        self, agent_id: str, memory_id: UUID, min_seq: int
    ) -> Memory | None:
        """The memory, if this agent has it."""
        rows = await self._read("memory", agent_id, min_seq, memory_id)
        return next(iter(read_memories(rows)), None)

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
        rows = await self._read(
            "recent", agent_id, min_seq, memory_type, timestamp, seq, limit
        )
        return read_memories(rows)

    async def by_seqs(
        self, agent_id: str, seqs: list[int], min_seq: int
    ) -> dict[int, Memory]:
        """Those that may be recalled, by their numbers."""
        rows = await self._read("by_seqs", agent_id, min_seq, seqs)
        found = {memory.seq: memory for memory in read_memories(rows)}
        missing = [seq for seq in seqs if seq not in found]
        if missing and self._database.has_replica:
            # Where the replica lags, or the index does: the primary knows.
            late = await self._database.fetch(QUERIES["by_seqs"], agent_id, missing)
            found |= {memory.seq: memory for memory in read_memories(late)}
        return found

    async def matching(self, agent_id: str, filters: Filters, min_seq: int) -> Seqs:
        """The numbers of all memories that may be recalled and meet the filters."""
        rows = await self._read(
            "matching", agent_id, min_seq, *filter_arguments(filters)
        )
        return unpack_seqs(rows[0]["seqs"] if rows else None)

    async def keyword(
        self,
        agent_id: str,
        text: str,
        total: int,
        filters: Filters,
        limit: int,
        min_seq: int,
    ) -> dict[int, float]:
        """Scores from 0 to 1 of those that share words with the text, best first."""
        rows = await self._read(
            "keyword",
            agent_id,
            min_seq,
            text,
            float(max(total, MIN_KEYWORD_TOTAL)),
            MAX_KEYWORD_VISITS,
            limit,
            MAX_KEYWORD_TERMS,
            *filter_arguments(filters),
        )
        if not rows:
            return {}
        return dict(zip(rows[0]["seqs"], rows[0]["scores"], strict=True))

    async def counts(self, agent_id: str, min_seq: int) -> Counts:
        """How many memories there are."""
        rows = await self._read("counts", agent_id, min_seq)
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
        return [Exported(read_memory(row), row["vector"], row["model"]) for row in rows]

    async def replica_lag_seconds(self) -> float | None:
        """How far the replica is behind; None without one, or while it is away."""
        return await replica_lag_seconds(self._database)

    async def _read(
        self, name: str, agent_id: str, min_seq: int, *args: object
    ) -> list[asyncpg.Record]:
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
