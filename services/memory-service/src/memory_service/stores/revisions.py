"""Transactions that change what stands or take it away, and what was changed before."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from contracts.ids import new_id
from memory_service.carrying import Outdated
from memory_service.digests import Digester
from memory_service.errors import Forgotten, JobLost, Superseded
from memory_service.models.jobs import Fence
from memory_service.models.memories import Memory, Patch, Revision
from memory_service.models.vectors import Vector
from memory_service.stores.consolidation import is_held
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import pack_vector, read_memory
from memory_service.stores.settling import SAID
from memory_service.stores.tombstones import Value, find_stones
from servicekit.database import Database

# Read at once of what was thought from a memory that is changed.
THOUGHTS_PAGE = 2000


@dataclass(frozen=True, slots=True)
class Change:
    """A patch on its way in; `vector` is the new content's."""

    agent_id: str
    memory_id: UUID
    patch: Patch
    vector: Vector | None
    changed_by: str


class Revisions:
    """Each takes the agent's lock and counts its changes on."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def change(self, change: Change) -> tuple[Memory, int] | None:
        """The changed memory and the number of the change; None if there is none.

        What it said before is kept as a past version. A patch that changes nothing
        takes no number. Raises Superseded, Forgotten.
        """
        names = (change.agent_id, change.memory_id)
        async with self._database.transaction() as connection:
            locked = await connection.fetchrow(QUERIES["lock_agent"], change.agent_id)
            row = await connection.fetchrow(QUERIES["memory"], *names)
            if locked is None or row is None or row["id"] is None:
                return None
            memory = read_memory(row)
            changes = change.patch.changes(memory)
            if not changes:
                return memory, locked["seq"]
            if memory.superseded_by is not None:
                raise Superseded(f"it is a past version of {memory.superseded_by}")
            digester = Digester(locked["digest_key"], locked["anchor_lengths"])
            await _check_value(connection, digester, memory, changes)
            seq = await self._write(
                connection, change, memory, changes, locked["seq"], digester
            )
            row = await connection.fetchrow(QUERIES["memory"], *names)
        return read_memory(row), seq

    async def _write(
        self,
        connection: asyncpg.Connection,
        change: Change,
        memory: Memory,
        changes: dict[str, object],
        seq: int,
        digester: Digester,
    ) -> int:
        """Writes the change; the number of the last one that it took."""
        names = (change.agent_id, change.memory_id)
        digest = None
        if "content" in changes:
            seq += 1
            await connection.execute(QUERIES["keep_version"], *names, new_id(), seq)
            digest = digester.digest_text(str(changes["content"]))
            outdated = Outdated(memory.content, str(changes["content"]))
            seq = await _delete_made(connection, *names, outdated, seq)
        last: int = await connection.fetchval(
            QUERIES["update_memory"],
            *names,
            seq + 1,
            changes.get("content", memory.content),
            changes.get("memory_type", memory.memory_type),
            changes.get("importance", memory.importance),
            changes.get("metadata", memory.metadata),
            changes.get("pinned", memory.pinned),
            self._model,
            None if digest is None else pack_vector(_given(change.vector)),
            change.changed_by,
            {name: getattr(memory, name) for name in changes},
            changes,
            digest,
        )
        return last

    async def history(
        self, agent_id: str, memory_id: UUID, before: tuple[int, str], limit: int
    ) -> list[Revision]:
        """Changes of a memory before a (number, kind), newest first."""
        rows = await self._database.fetch(
            QUERIES["history"], agent_id, memory_id, *before, limit
        )
        return [Revision(**row) for row in rows]

    async def delete(
        self,
        agent_id: str,
        memory_ids: Sequence[UUID],
        *,
        expired: bool = False,
        fence: Fence | None = None,
    ) -> int | None:
        """Deletes memories whose time is over or for which there is no room.

        Nobody wanted them gone: their values may come back, and what was made from
        them stays; as does what was given more time, or was pinned, since they were
        chosen. The number of the last deletion, None if there was none. Raises JobLost
        where the `fence` does not hold any more.
        """
        async with self._database.transaction() as connection:
            seq = await connection.fetchval(QUERIES["lock_agent"], agent_id)
            if fence is not None and not await is_held(connection, fence):
                raise JobLost(f"{fence.job_id} is held elsewhere")
            rows = await connection.fetch(
                QUERIES["removable"], agent_id, memory_ids, expired
            )
            ids = [row["id"] for row in rows]
            last: int | None = await connection.fetchval(
                QUERIES["delete_memories"], agent_id, ids, seq, False
            )
        return last

    async def expired(self, limit: int) -> dict[str, list[UUID]]:
        """Memories whose time is over, by their agents."""
        found: dict[str, list[UUID]] = {}
        for row in await self._database.fetch(QUERIES["expired"], limit):
            found.setdefault(row["agent_id"], []).append(row["id"])
        return found


async def _check_value(
    connection: asyncpg.Connection,
    digester: Digester,
    memory: Memory,
    changes: dict[str, object],
) -> None:
    """Forgotten where the memory would say what must not come back.

    A person may tell anew by a patch what was deleted; then its tombstone is lifted.
    What stays as it was is not told anew.
    """
    if not changes.keys() & {"content", "metadata"}:
        return
    value = Value(
        memory.agent_id,
        digester,
        str(changes.get("content", "")),
        changes.get("metadata", {}),  # type: ignore[arg-type]
    )
    (stones,) = await find_stones(connection, [value])
    kinds = {stone.kind for stone in stones}
    if "forgotten" in kinds or (kinds and memory.evidence not in SAID):
        raise Forgotten("it would say what was forgotten")
    if stones:
        ids = [stone.id for stone in stones]
        await connection.execute(QUERIES["lift"], [memory.agent_id] * len(ids), ids)


async def _delete_made(
    connection: asyncpg.Connection,
    agent_id: str,
    memory_id: UUID,
    outdated: Outdated,
    seq: int,
) -> int:
    """Deletes what was inferred from what the memory said, and thoughts that say it
    still; the newest number."""
    rows = await connection.fetch(QUERIES["inferred"], agent_id, [memory_id])
    ids = [row["id"] for row in rows]
    ids += await _find_outdated(connection, agent_id, memory_id, outdated)
    if not ids:
        return seq
    last: int = await connection.fetchval(
        QUERIES["delete_memories"], agent_id, ids, seq, True
    )
    return last


async def _find_outdated(
    connection: asyncpg.Connection, agent_id: str, memory_id: UUID, outdated: Outdated
) -> list[UUID]:
    found: list[UUID] = []
    after: tuple[UUID | None, UUID | None] = (None, None)
    while rows := await connection.fetch(
        QUERIES["derived"], agent_id, [memory_id], *after, THOUGHTS_PAGE
    ):
        found += [
            row["id"]
            for row in rows
            if row["evidence"] == "thought" and outdated.by(row["content"])
        ]
        after = (rows[-1]["id"], rows[-1]["source_id"])
    return found


def _given(vector: Vector | None) -> Vector:
    assert vector is not None
    return vector
