"""Long work on one agent's memories, held by lease."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from contracts.ids import new_id
from memory_service.models.jobs import HeldJob, Job
from memory_service.stores.queries import QUERIES
from servicekit.database import Database
from servicekit.idempotency import IdempotencyKey

# Ended jobs are kept for so long, and the last of each agent for ever.
KEEP = timedelta(days=30)
# A job that ended between two looks is looked for again.
MAX_LOOKS = 5


class JobStore:
    """Whoever takes a job counts its epoch on; only the newest may write to it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self,
        agent_id: str,
        kind: str,
        after: int = 0,
        until: int | None = None,
        key: IdempotencyKey | None = None,
    ) -> Job | None:
        """A new job over the changes above `after`, or the one that is open.

        None where the key has its answer already: the id of a job.
        """
        for _ in range(MAX_LOOKS):
            try:
                async with self._database.transaction() as connection:
                    row = await connection.fetchrow(
                        QUERIES["open_job"], agent_id, new_id(), kind, after, until
                    )
                    if row is not None and key is not None:
                        await key.keep(connection, str(row["id"]))
            except asyncpg.UniqueViolationError:
                return None
            if row is not None:
                return _read_job(row)
        raise RuntimeError(f"jobs of {agent_id} end faster than they are seen")

    async def by_id(self, job_id: UUID) -> list[Job]:
        """The job of that id, if there is one."""
        rows = await self._database.fetch(QUERIES["jobs_by_id"], job_id)
        return [_read_job(row) for row in rows]

    async def claim(self, lease: timedelta) -> HeldJob | None:
        """The oldest job that nobody holds, to be held for that long."""
        row = await self._database.fetch_one(QUERIES["claim_job"], lease)
        return HeldJob(_read_job(row), row["epoch"]) if row is not None else None

    async def renew(
        self, held: HeldJob, lease: timedelta, progress: Mapping[str, Any]
    ) -> bool:
        """Holds it on; whether it was still held."""
        row = await self._database.fetch_one(
            QUERIES["renew_job"], *_name(held), lease, progress
        )
        return row is not None

    async def release(self, held: HeldJob, progress: Mapping[str, Any]) -> None:
        """Hands it over at once, if it was still held."""
        await self._database.fetch(QUERIES["release_job"], *_name(held), progress)

    async def end(
        self,
        held: HeldJob,
        state: str,
        progress: Mapping[str, Any],
        result: Mapping[str, Any] | None,
        error: str | None,
    ) -> None:
        """Ends it, if it was still held."""
        await self._database.fetch(
            QUERIES["end_job"], *_name(held), state, progress, result, error
        )

    async def prune(self) -> None:
        """Deletes what ended long ago."""
        await self._database.fetch(QUERIES["prune_jobs"], KEEP)


def _name(held: HeldJob) -> tuple[str, UUID, int]:
    return held.job.agent_id, held.job.id, held.epoch


def _read_job(row: asyncpg.Record) -> Job:
    return Job(
        id=row["id"],
        agent_id=row["agent_id"],
        kind=row["kind"],
        state=row["state"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        progress=row["progress"],
        result=row["result"],
        error=row["error"],
    )
