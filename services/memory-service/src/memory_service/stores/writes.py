"""Transactions that store memories."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from memory_service.errors import Forgotten
from memory_service.models import Draft, Kept, Memory, Outcome
from memory_service.stores.answers import write_answer
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import pack_vector, read_memory
from servicekit.database import Database
from servicekit.idempotency import IdempotencyKey

Name = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Job:
    """One call's memories, embedded or settled already; stored together."""

    items: Sequence[Draft | Outcome]
    key: IdempotencyKey | None = None

    @property
    def drafts(self) -> list[Draft]:
        """What is still to be stored."""
        return [item for item in self.items if isinstance(item, Draft)]


@dataclass
class _Transaction:
    """What is known under the lock, and what is to be written."""

    now: datetime
    seqs: dict[str, int]
    standing: dict[Name, Memory]
    forgotten: set[Name]
    taken: set[tuple[str, str, str]]
    fresh: list[tuple[Memory, bytes]] = field(default_factory=list)

    def settle(self, draft: Draft | Outcome) -> Outcome:
        """What becomes of a draft; a new memory gets the agent's next number."""
        if not isinstance(draft, Draft):
            return draft
        name = (draft.agent_id, draft.id)
        if name in self.forgotten:
            return Forgotten(f"{draft.id} was deleted")
        if (standing := self.standing.get(name)) is not None:
            return Kept(standing, fresh=False)
        self.seqs[draft.agent_id] += 1
        memory = _make_memory(draft, self.seqs[draft.agent_id], self.now)
        assert draft.vector is not None
        self.fresh.append((memory, pack_vector(draft.vector)))
        self.standing[name] = memory
        return Kept(memory, fresh=True)


class MemoryWrites:
    """Stores memories under the locks of their agents, whose rows count the changes."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def standing(self, names: Sequence[Name]) -> dict[Name, Kept | Forgotten]:
        """What is known of ids that callers bring."""
        async with self._database.connection() as connection:
            standing = await _fetch_standing(connection, names)
            forgotten = await _fetch_forgotten(connection, names)
        return {
            name: Kept(memory, fresh=False) for name, memory in standing.items()
        } | {name: Forgotten(f"{name[1]} was deleted") for name in forgotten}

    async def store(self, jobs: Sequence[Job]) -> list[list[Outcome] | None]:
        """Stores all jobs in one transaction.

        None in place of a job's outcomes: its key has an answer already.
        """
        async with self._database.transaction() as connection:
            under_lock = await _begin(connection, jobs)
            outcomes = [self._settle(under_lock, job) for job in jobs]
            if under_lock.fresh:
                await self._insert(connection, under_lock)
            await _keep_answers(connection, jobs, outcomes)
        return outcomes

    def _settle(self, under_lock: _Transaction, job: Job) -> list[Outcome] | None:
        if job.key is not None:
            triple = _triple(job.key)
            if triple in under_lock.taken:
                return None
            under_lock.taken.add(triple)
        return [under_lock.settle(item) for item in job.items]

    async def _insert(
        self, connection: asyncpg.Connection, under_lock: _Transaction
    ) -> None:
        columns = zip(*map(_insert_row, under_lock.fresh), strict=True)
        await connection.execute(
            QUERIES["insert_memories"],
            *map(list, columns),
            self._model,
            list(under_lock.seqs),
            list(under_lock.seqs.values()),
        )


async def _begin(connection: asyncpg.Connection, jobs: Sequence[Job]) -> _Transaction:
    drafts = [draft for job in jobs for draft in job.drafts]
    agents = sorted({draft.agent_id for draft in drafts})
    # From here until the commit nobody else writes for these agents.
    locked = await connection.fetch(QUERIES["lock_agents"], agents)
    brought = [(draft.agent_id, draft.id) for draft in drafts if draft.brought_id]
    return _Transaction(
        now=locked[0]["now"],
        seqs={row["agent_id"]: row["seq"] for row in locked},
        standing=await _fetch_standing(connection, brought),
        forgotten=await _fetch_forgotten(connection, brought),
        taken=await _fetch_taken(connection, [job.key for job in jobs if job.key]),
    )


async def _fetch_standing(
    connection: asyncpg.Connection, names: Sequence[Name]
) -> dict[Name, Memory]:
    if not names:
        return {}
    rows = await connection.fetch(QUERIES["standing"], *_columns(names))
    return {(row["agent_id"], row["id"]): read_memory(row) for row in rows}


async def _fetch_forgotten(
    connection: asyncpg.Connection, names: Sequence[Name]
) -> set[Name]:
    if not names:
        return set()
    rows = await connection.fetch(QUERIES["forgotten"], *_columns(names))
    return {(row["agent_id"], row["memory_id"]) for row in rows}


async def _fetch_taken(
    connection: asyncpg.Connection, keys: Iterable[IdempotencyKey]
) -> set[tuple[str, str, str]]:
    triples = list(map(_triple, keys))
    if not triples:
        return set()
    rows = await connection.fetch(QUERIES["taken_keys"], *_columns(triples))
    return {tuple(row) for row in rows}


async def _keep_answers(
    connection: asyncpg.Connection,
    jobs: Sequence[Job],
    outcomes: Sequence[list[Outcome] | None],
) -> None:
    for job, settled in zip(jobs, outcomes, strict=True):
        if job.key is not None and settled is not None:
            await job.key.keep(connection, write_answer(settled))


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _triple(key: IdempotencyKey) -> tuple[str, str, str]:
    return key.agent_id, key.operation, key.key


def _make_memory(draft: Draft, seq: int, now: datetime) -> Memory:
    return Memory(
        id=draft.id,
        seq=seq,
        agent_id=draft.agent_id,
        user_id=draft.user_id,
        session_id=draft.session_id,
        content=draft.content,
        memory_type=draft.memory_type,
        importance=draft.importance,
        timestamp=draft.timestamp,
        created_at=now,
        updated_at=now,
        metadata=draft.metadata,
        evidence=draft.evidence,
        pinned=draft.pinned,
        access_count=0,
        last_accessed_at=None,
        superseded_by=None,
        expires_at=draft.expires_at,
    )


def _insert_row(fresh: tuple[Memory, bytes]) -> tuple[object, ...]:
    memory, vector = fresh
    return (
        memory.agent_id,
        memory.id,
        memory.seq,
        memory.user_id,
        memory.session_id,
        memory.content,
        memory.memory_type,
        memory.importance,
        memory.timestamp,
        memory.metadata,
        memory.evidence,
        memory.pinned,
        memory.expires_at,
        vector,
    )
