"""Transactions that store memories."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import asyncpg

from memory_service.carrying import Outdated
from memory_service.digests import Digester
from memory_service.errors import Forgotten
from memory_service.models.jobs import Fence
from memory_service.models.memories import Draft, Kept, Memory, Outcome
from memory_service.stores.answers import write_answer
from memory_service.stores.consolidation import fetch_unchanged, is_held
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import read_memory, unpack_vector
from memory_service.stores.settling import (
    Alike,
    Fresh,
    Job,
    Merge,
    Name,
    Settling,
    key_triple,
    last_merges,
)
from memory_service.stores.tombstones import Stone, Value, find_stones
from servicekit.database import Database
from servicekit.idempotency import IdempotencyKey

# Memories of one value that a draft is compared with; merging keeps them few.
MAX_ALIKE = 8


class MemoryWrites:
    """Stores memories under the locks of their agents, whose rows count the changes."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def standing(self, names: Sequence[Name]) -> dict[Name, Kept | Forgotten]:
        """What is known of ids that callers bring."""
        async with self._database.connection() as connection:
            standing, deleted = await _fetch_known(connection, names)
        return {
            name: Kept(memory, fresh=False) for name, memory in standing.items()
        } | {name: Forgotten(f"{name[1]} was deleted") for name in deleted}

    async def store(self, jobs: Sequence[Job]) -> list[list[Outcome] | None]:
        """Stores all jobs in one transaction.

        None in place of a job's outcomes: its key has an answer already.
        """
        async with self._database.transaction() as connection:
            under_lock = await self._begin(connection, jobs)
            outcomes = [under_lock.settle(job) for job in jobs]
            await self._write(connection, under_lock)
            await _keep_answers(connection, jobs, outcomes)
        return outcomes

    async def _begin(
        self, connection: asyncpg.Connection, jobs: Sequence[Job]
    ) -> Settling:
        drafts = [draft for job in jobs for draft in job.drafts]
        agents = sorted({draft.agent_id for draft in drafts})
        # From here until the commit nobody else writes for these agents.
        locked = await connection.fetch(QUERIES["lock_agents"], agents)
        digesters = {
            row["agent_id"]: Digester(row["digest_key"], row["anchor_lengths"])
            for row in locked
        }
        brought = [(d.agent_id, d.id) for j in jobs for d in j.drafts if j.may_stand(d)]
        again = [(d.agent_id, d.id) for job in jobs if job.again for d in job.drafts]
        sources = [(d.agent_id, source) for d in drafts for source in d.sources]
        standing, deleted = await _fetch_known(connection, brought)
        merging = [d for job in jobs for d in job.drafts if job.merges(d)]
        alike = await self._fetch_alike(connection, merging, digesters, standing)
        held, unchanged = await _fetch_fenced(connection, jobs)
        return Settling(
            now=locked[0]["now"],
            seqs={row["agent_id"]: row["seq"] for row in locked},
            digesters=digesters,
            standing=standing,
            merged=await _fetch_merged(connection, again, standing),
            deleted=deleted | await _fetch_gone(connection, sources),
            taken=await _fetch_taken(connection, [job.key for job in jobs if job.key]),
            stones=await _fetch_stones(connection, drafts, digesters),
            alike=alike,
            held=held,
            unchanged=unchanged,
            outdated=await _fetch_outdated(connection, drafts),
        )

    async def _fetch_alike(
        self,
        connection: asyncpg.Connection,
        drafts: Sequence[Draft],
        digesters: Mapping[str, Digester],
        standing: dict[Name, Memory],
    ) -> defaultdict[tuple[str, bytes], list[Alike]]:
        wanted = {
            (
                draft.agent_id,
                digesters[draft.agent_id].digest_text(draft.content),
                draft.user_id,
                draft.memory_type,
                draft.evidence,
            )
            for draft in drafts
        }
        found: defaultdict[tuple[str, bytes], list[Alike]] = defaultdict(list)
        if not wanted:
            return found
        rows = await connection.fetch(
            QUERIES["alike"], *_columns(list(wanted)), self._model, MAX_ALIKE
        )
        for row in rows:
            memory = read_memory(row)
            name = (memory.agent_id, memory.id)
            standing[name] = memory
            vector = row["vector"]
            found[memory.agent_id, row["digest"]].append(
                Alike(name, None if vector is None else unpack_vector(vector))
            )
        return found

    async def _write(
        self, connection: asyncpg.Connection, under_lock: Settling
    ) -> None:
        if under_lock.fresh or under_lock.merges:
            await self._insert(connection, under_lock)
        if under_lock.merges:
            await connection.execute(
                QUERIES["merge_memories"],
                *_columns([_merge_row(m) for m in last_merges(under_lock.merges)]),
                *_columns([_mention_row(m) for m in under_lock.merges]),
            )
        sources = [row for fresh in under_lock.fresh for row in _source_rows(fresh)]
        sources += [row for merge in under_lock.merges for row in _merged_rows(merge)]
        if sources:
            await connection.execute(QUERIES["insert_sources"], *_columns(sources))
        if under_lock.lifted:
            lifted = _columns(list(under_lock.lifted))
            await connection.execute(QUERIES["lift"], *lifted)

    async def _insert(
        self, connection: asyncpg.Connection, under_lock: Settling
    ) -> None:
        rows = [_insert_row(fresh) for fresh in under_lock.fresh]
        *columns, digests, judged = _columns(rows) if rows else [[] for _ in range(16)]
        await connection.execute(
            QUERIES["insert_memories"],
            *columns,
            self._model,
            list(under_lock.seqs),
            list(under_lock.seqs.values()),
            digests,
            judged,
        )


async def _fetch_known(
    connection: asyncpg.Connection, names: Sequence[Name]
) -> tuple[dict[Name, Memory], set[Name]]:
    """What stands under the names, and those under which a memory was deleted.

    And perhaps under a name of one's agent and another's id.
    """
    if not names:
        return {}, set()
    agents = list({agent_id for agent_id, _ in names})
    ids = [memory_id for _, memory_id in names]
    rows = await connection.fetch(QUERIES["known"], agents, ids)
    standing = [(r["agent_id"], r["memory_id"]) for r in rows if not r["deleted"]]
    deleted = {(r["agent_id"], r["memory_id"]) for r in rows if r["deleted"]}
    return await _fetch_standing(connection, standing), deleted


async def _fetch_standing(
    connection: asyncpg.Connection, names: Sequence[Name]
) -> dict[Name, Memory]:
    if not names:
        return {}
    rows = await connection.fetch(QUERIES["standing"], *_columns(names))
    return {(row["agent_id"], row["id"]): read_memory(row) for row in rows}


async def _fetch_merged(
    connection: asyncpg.Connection, names: Sequence[Name], standing: Iterable[Name]
) -> dict[Name, int]:
    if not names:
        return {}
    rows = await connection.fetch(
        QUERIES["merged"],
        list({agent_id for agent_id, _ in names}),
        [memory_id for _, memory_id in standing],
        [draft_id for _, draft_id in names],
    )
    return {(row["agent_id"], row["id"]): row["seq"] for row in rows}


async def _fetch_gone(
    connection: asyncpg.Connection, sources: Sequence[Name]
) -> set[Name]:
    if not sources:
        return set()
    rows = await connection.fetch(QUERIES["gone_sources"], *_columns(sources))
    return {(row["agent_id"], row["memory_id"]) for row in rows}


async def _fetch_outdated(
    connection: asyncpg.Connection, drafts: Sequence[Draft]
) -> dict[Name, list[Outdated]]:
    """What the sources of thoughts do not say any more."""
    sources = {
        (draft.agent_id, source)
        for draft in drafts
        if draft.evidence == "thought"
        for source in draft.sources
    }
    if not sources:
        return {}
    rows = await connection.fetch(QUERIES["outdated"], *_columns(sorted(sources)))
    outdated: defaultdict[Name, list[Outdated]] = defaultdict(list)
    for row in rows:
        name = (row["agent_id"], row["memory_id"])
        outdated[name].append(Outdated(row["was"], row["now"]))
    return outdated


async def _fetch_taken(
    connection: asyncpg.Connection, keys: Iterable[IdempotencyKey]
) -> set[tuple[str, str, str]]:
    triples = list(map(key_triple, keys))
    if not triples:
        return set()
    rows = await connection.fetch(QUERIES["taken_keys"], *_columns(triples))
    return {tuple(row) for row in rows}


async def _fetch_stones(
    connection: asyncpg.Connection,
    drafts: Sequence[Draft],
    digesters: Mapping[str, Digester],
) -> dict[UUID, list[Stone]]:
    watched = [d for d in drafts if digesters[d.agent_id].watches]
    values = [
        Value(d.agent_id, digesters[d.agent_id], d.content, d.metadata) for d in watched
    ]
    stones = await find_stones(connection, values)
    return {draft.id: met for draft, met in zip(watched, stones, strict=True) if met}


async def _fetch_fenced(
    connection: asyncpg.Connection, jobs: Sequence[Job]
) -> tuple[set[Fence], set[Name]]:
    """The fences that still hold, until the commit, and their sources as they were."""
    held: set[Fence] = set()
    unchanged: set[Name] = set()
    for job in jobs:
        if job.fence is not None and await is_held(connection, job.fence):
            held.add(job.fence)
            unchanged |= await fetch_unchanged(connection, job.fence, job.drafts)
    return held, unchanged


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


def _source_rows(fresh: Fresh) -> list[tuple[object, ...]]:
    memory = fresh.memory
    return [
        (memory.agent_id, memory.id, source, fresh.consolidates)
        for source in fresh.sources
    ]


def _merged_rows(merge: Merge) -> list[tuple[object, ...]]:
    """What says the same as a memory was made from the sources of both."""
    memory = merge.memory
    return [
        (memory.agent_id, memory.id, source, False)
        for source in merge.draft.sources
        if source != memory.id
    ]


def _merge_row(merge: Merge) -> tuple[object, ...]:
    memory = merge.memory
    return (
        memory.agent_id,
        memory.id,
        memory.timestamp,
        merge.seq,
        memory.importance,
        memory.pinned,
        memory.expires_at,
        memory.access_count,
    )


def _mention_row(merge: Merge) -> tuple[object, ...]:
    draft = merge.draft
    return (
        draft.agent_id,
        merge.memory.id,
        merge.seq,
        draft.id,
        draft.user_id,
        draft.session_id,
        None if merge.same_text else draft.content,
        draft.timestamp,
        draft.metadata,
        draft.evidence,
        merge.merged_by,
    )


def _insert_row(fresh: Fresh) -> tuple[object, ...]:
    memory = fresh.memory
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
        fresh.vector,
        fresh.digest,
        fresh.judged,
    )
