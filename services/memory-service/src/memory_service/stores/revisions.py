"""Transactions that change or delete what stands."""

from collections.abc import Sequence
from uuid import UUID

from memory_service.models import Memory, Patch, Vector
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import pack_vector, read_memory
from servicekit.database import Database


class Revisions:
    """Each takes the agent's lock and counts its changes on."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def change(
        self,
        agent_id: str,
        memory_id: UUID,
        patch: Patch,
        vector: Vector | None,
        changed_by: str,
    ) -> tuple[Memory, int] | None:
        """The changed memory and the number of the change; None if there is none.

        `vector` is the new content's. A patch that changes nothing takes no number.
        """
        async with self._database.transaction() as connection:
            seq = await connection.fetchval(QUERIES["lock_agent"], agent_id)
            row = await connection.fetchrow(QUERIES["memory"], agent_id, memory_id)
            if row is None or row["id"] is None:
                return None
            memory = read_memory(row)
            changes = patch.changes(memory)
            if not changes:
                return memory, seq
            await connection.execute(
                QUERIES["update_memory"],
                agent_id,
                memory_id,
                seq + 1,
                changes.get("content", memory.content),
                changes.get("memory_type", memory.memory_type),
                changes.get("importance", memory.importance),
                changes.get("metadata", memory.metadata),
                changes.get("pinned", memory.pinned),
                self._model,
                None if vector is None else pack_vector(vector),
                changed_by,
                {name: getattr(memory, name) for name in changes},
                changes,
            )
            row = await connection.fetchrow(QUERIES["memory"], agent_id, memory_id)
        return read_memory(row), seq + 1

    async def delete(self, agent_id: str, memory_ids: Sequence[UUID]) -> int | None:
        """Deletes memories; the number of the last deletion, None if there was none."""
        async with self._database.transaction() as connection:
            seq = await connection.fetchval(QUERIES["lock_agent"], agent_id)
            last: int | None = await connection.fetchval(
                QUERIES["delete_memories"], agent_id, memory_ids, seq
            )
        return last

    async def expired(self, limit: int) -> dict[str, list[UUID]]:
        """Memories whose time is over, by their agents."""
        found: dict[str, list[UUID]] = {}
        for row in await self._database.fetch(QUERIES["expired"], limit):
            found.setdefault(row["agent_id"], []).append(row["id"])
        return found
