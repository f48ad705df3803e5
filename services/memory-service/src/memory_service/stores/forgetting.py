"""Transactions that forget, and the reading that finds what is to be forgotten."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from memory_service.digests import Digester
from memory_service.models.forgetting import Burial
from memory_service.models.recall import Filters
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import filter_arguments
from memory_service.stores.tombstones import bury
from servicekit.database import Database

# Read at once of what was made from forgotten memories.
DERIVED_PAGE = 2000
# Texts, and notes, read at once: some megabytes, 100 where each is as long as may be.
MAX_TEXTS = 500


@dataclass(frozen=True, slots=True)
class Said:
    """What a memory says, or a past version of it; without an id, what was merged."""

    id: UUID | None
    memory_id: UUID
    past: bool
    content: str


@dataclass(frozen=True, slots=True)
class Derived:
    """A memory that was made from another; its own id is that of a past version."""

    id: UUID
    memory_id: UUID
    source_id: UUID
    evidence: str
    content: str


@dataclass(frozen=True, slots=True)
class Text:
    """What a memory says."""

    id: UUID
    seq: int
    content: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """What a history tells, or a merged write."""

    memory_id: UUID
    seq: int
    noted: Any


@dataclass
class LockedAgent:
    """An agent whose memories nobody else changes until the transaction ends."""

    agent_id: str
    seq: int
    digester: Digester
    connection: asyncpg.Connection

    async def said(self, memory_ids: Iterable[UUID]) -> list[Said]:
        """What memories say, with their past versions and what was merged."""
        rows = await self.connection.fetch(
            QUERIES["said"], self.agent_id, list(memory_ids)
        )
        return [Said(**row) for row in rows]

    async def derived(self, source_ids: Iterable[UUID]) -> AsyncIterator[list[Derived]]:
        """What was made from memories, by pages."""
        sources, after = list(source_ids), (None, None)
        while rows := await self.connection.fetch(
            QUERIES["derived"], self.agent_id, sources, *after, DERIVED_PAGE
        ):
            yield [Derived(**row) for row in rows]
            after = (rows[-1]["id"], rows[-1]["source_id"])

    async def bury(self, kind: str, burials: Iterable[Burial], by: str) -> int:
        """Puts values under tombstones; how many."""
        return await bury(self.connection, self.agent_id, kind, burials, by)

    async def delete(self, memory_ids: Iterable[UUID]) -> None:
        """Deletes memories for good, and their past versions."""
        ids = list(memory_ids)
        await self.connection.execute(QUERIES["scrub_history"], self.agent_id, ids)
        self.seq = (
            await self.connection.fetchval(
                QUERIES["delete_memories"], self.agent_id, ids, self.seq, True
            )
            or self.seq
        )


class ForgettingStore:
    """What forgetting needs of PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, agent_id: str) -> int:
        """The number of the agent's newest change; 0 before the first."""
        row = await self._database.fetch_one(QUERIES["agent_seqs"], [agent_id])
        return 0 if row is None else row["seq"]

    @asynccontextmanager
    async def locked(self, agent_id: str) -> AsyncIterator[LockedAgent]:
        """One transaction under the lock of an agent, who is made if need be."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["lock_agents"], [agent_id])
            digester = Digester(row["digest_key"], row["anchor_lengths"])
            yield LockedAgent(agent_id, row["seq"], digester, connection)

    async def texts(
        self, agent_id: str, after: int, until: int, like: str
    ) -> AsyncIterator[list[Text]]:
        """Memories numbered above `after`, up to `until`, that may be like that."""
        while rows := await self._database.fetch(
            QUERIES["texts"], agent_id, after, until, like, MAX_TEXTS
        ):
            yield [Text(**row) for row in rows]
            after = rows[-1]["seq"]

    async def notes(self, agent_id: str, like: str) -> AsyncIterator[list[Note]]:
        """Entries of histories, and merged writes, that may be like that."""
        after: tuple[UUID | None, int] = (None, 0)
        while rows := await self._database.fetch(
            QUERIES["notes"], agent_id, like, *after, MAX_TEXTS
        ):
            yield [Note(**row) for row in rows]
            after = (rows[-1]["memory_id"], rows[-1]["seq"])

    async def scrub_notes(self, agent_id: str, notes: Sequence[Note]) -> None:
        """Deletes such entries."""
        await self._database.fetch(
            QUERIES["scrub_notes"],
            agent_id,
            [note.memory_id for note in notes],
            [note.seq for note in notes],
        )

    async def matching(
        self, agent_id: str, after: int, until: int, limit: int, filters: Filters
    ) -> list[tuple[UUID, int]]:
        """Memories that meet the filters, in the order of their numbers."""
        rows = await self._database.fetch(
            QUERIES["to_forget"],
            agent_id,
            after,
            until,
            limit,
            *filter_arguments(filters),
        )
        return [(row["id"], row["seq"]) for row in rows]
