"""What a consolidation reads, and what holds its writes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import numpy as np

from embedding.manifest import DIMENSION
from memory_service.models.jobs import Candidates, Fence, Member
from memory_service.models.memories import Draft
from memory_service.stores.queries import QUERIES
from servicekit.database import Database


@dataclass(frozen=True, slots=True)
class Due:
    """An agent with new episodes above `looked`, settled up to `until`."""

    agent_id: str
    looked: int
    until: int


class ConsolidationStore:
    """Reads from the primary: what it finds is written about."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def candidates(self, agent_id: str, after: int, until: int) -> Candidates:
        """Memories that may be consolidated, above one number and up to another."""
        rows = await self._database.fetch(
            QUERIES["candidates"], agent_id, after, until, self._model
        )
        packed = np.frombuffer(b"".join(row["vector"] for row in rows), dtype="<f2")
        return Candidates(
            np.array([row["seq"] for row in rows], dtype=np.int64),
            [row["user_id"] for row in rows],
            packed.reshape(-1, DIMENSION).astype(np.float32),
        )

    async def members(
        self, agent_id: str, seqs: Sequence[int]
    ) -> tuple[list[Member], int]:
        """Those that still may be, in order, as they were at a change of the agent."""
        rows = await self._database.fetch(
            QUERIES["members"], agent_id, seqs, self._model
        )
        return [_read_member(row) for row in rows], rows[0]["agent_seq"] if rows else 0

    async def due(
        self,
        kind: str,
        episodes: int,
        settled: timedelta,
        retry_after: timedelta,
        limit: int,
    ) -> list[Due]:
        """Agents with so many new episodes, each of them that old at least."""
        rows = await self._database.fetch(
            QUERIES["due_agents"], kind, episodes, settled, retry_after, limit
        )
        return [Due(row["agent_id"], row["looked"], row["until"]) for row in rows]

    async def crowded(self, kind: str, capacity: int, limit: int) -> list[Due]:
        """Agents with more memories than that, and nothing else to look at."""
        rows = await self._database.fetch(
            QUERIES["crowded_agents"], kind, capacity, limit
        )
        return [Due(row["agent_id"], row["looked"], row["looked"]) for row in rows]

    async def least_valuable(
        self, agent_id: str, capacity: int, half_life: timedelta, limit: int
    ) -> list[UUID]:
        """What the agent has beyond its capacity, the least valuable first."""
        rows = await self._database.fetch(
            QUERIES["least_valuable"], agent_id, capacity, half_life, limit
        )
        return [row["id"] for row in rows]


async def is_held(connection: asyncpg.Connection, fence: Fence) -> bool:
    """Whether the job is still held, which then stays so until the commit."""
    held = await connection.fetchval(
        QUERIES["hold_job"], fence.agent_id, fence.job_id, fence.epoch
    )
    return held is not None


async def fetch_unchanged(
    connection: asyncpg.Connection, fence: Fence, drafts: Sequence[Draft]
) -> set[tuple[str, UUID]]:
    """Those of the drafts' sources that stand as they were read."""
    sources = [source for draft in drafts for source in draft.sources]
    rows = await connection.fetch(
        QUERIES["unchanged"], fence.agent_id, sources, fence.seen_seq
    )
    return {(fence.agent_id, row["id"]) for row in rows}


def _read_member(row: asyncpg.Record) -> Member:
    return Member(
        id=row["id"],
        seq=row["seq"],
        user_id=row["user_id"],
        content=row["content"],
        importance=row["importance"],
        timestamp=row["timestamp"],
        vector=np.frombuffer(row["vector"], dtype="<f2").astype(np.float32),
    )
