"""Thoughts in PostgreSQL: committed into their chain, read back."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

import asyncpg

from servicekit.database import Database, load_queries
from servicekit.idempotency import IdempotencyKey
from thought_generator.errors import AgentUnknown, Fenced, StreamUnknown
from thought_generator.models import Draft, Lease, Thought

SQL = load_queries("thought_generator.stores")
# Agents whose last own write is remembered, so that a replica's lag does not hide it.
MAX_REMEMBERED_AGENTS = 1000

FIELDS = tuple(field.name for field in fields(Thought))


class ThoughtStore:
    """Commits with the lease's epoch; reads from a replica where it is fresh."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database
        self._replica = replica
        self._written: OrderedDict[str, int] = OrderedDict()

    async def commit(self, draft: Draft, lease: Lease | None) -> Thought:
        """Gives the draft its place. Fenced when the lease is lost or paused."""
        arguments = self._arguments(draft, lease)
        row = await self._database.fetch_one(*arguments)
        return self._placed(draft, lease, row)

    async def commit_once(
        self, draft: Draft, key: IdempotencyKey, answer: Callable[[Thought], str]
    ) -> Thought | None:
        """Commits together with its answer to `key`; None if it has one already."""
        try:
            async with self._database.transaction() as connection:
                row = await connection.fetchrow(*self._arguments(draft, None))
                thought = self._placed(draft, None, row)
                await key.keep(connection, answer(thought))
        except asyncpg.UniqueViolationError:
            return None
        return thought

    async def get(self, thought_id: UUID) -> Thought | None:
        """A thought by its id."""
        row = await self._database.fetch_one(SQL["thought_by_id"], thought_id)
        return _thought(row) if row else None

    async def recent(
        self, agent_id: str, stream: str | None, before: int | None, limit: int
    ) -> list[Thought]:
        """Newest first, behind the feed position `before`."""
        arguments = (SQL["recent_thoughts"], agent_id, stream, before, limit)
        rows = await self._database.read(*arguments)
        if not rows or rows[0]["agent_position"] < self._written.get(agent_id, 0):
            rows = await self._database.fetch(*arguments)
        if not rows:
            raise AgentUnknown(agent_id)
        return [_thought(row) for row in rows if row["id"] is not None]

    async def after(self, agent_id: str, position: int, limit: int) -> list[Thought]:
        """The agent's feed behind `position`, oldest first."""
        rows = await self._database.fetch(
            SQL["thoughts_after"], agent_id, position, limit
        )
        return [_thought(row) for row in rows]

    async def positions(self, agent_ids: list[str]) -> dict[str, int]:
        """The last feed position of each agent that exists."""
        rows = await self._database.fetch(SQL["feed_positions"], agent_ids)
        return {row["agent_id"]: row["position"] for row in rows}

    def _arguments(self, draft: Draft, lease: Lease | None) -> tuple[Any, ...]:
        return (
            SQL["commit_thought"],
            draft.agent_id,
            draft.stream,
            lease.epoch if lease else None,
            draft.id,
            self._replica,
            draft.content,
            draft.engine,
            draft.model,
            draft.cached,
            draft.context_digest,
            _recalled(draft),
            draft.safety,
            _usage(draft),
            draft.timings_ms,
            draft.stop_reason,
            draft.verdict,
        )

    def _placed(
        self, draft: Draft, lease: Lease | None, row: asyncpg.Record | None
    ) -> Thought:
        if row is None:
            raise Fenced if lease else StreamUnknown(draft.stream)
        self._written[draft.agent_id] = row["position"]
        self._written.move_to_end(draft.agent_id)
        if len(self._written) > MAX_REMEMBERED_AGENTS:
            self._written.popitem(last=False)
        return Thought(
            id=draft.id,
            agent_id=draft.agent_id,
            stream=draft.stream,
            content=draft.content,
            engine=draft.engine,
            model=draft.model,
            cached=draft.cached,
            context_digest=draft.context_digest,
            recalled=_recalled(draft),
            safety=draft.safety,
            usage=_usage(draft),
            stop_reason=draft.stop_reason,
            **row,
        )


def _thought(row: asyncpg.Record) -> Thought:
    return Thought(**{name: row[name] for name in FIELDS})


def _recalled(draft: Draft) -> list[dict[str, Any]]:
    return [
        {"memory_id": str(m.memory_id), "score": m.score, "content": m.content}
        for m in draft.recalled
    ]


def _usage(draft: Draft) -> dict[str, Any]:
    return {**asdict(draft.usage), "cost_usd": float(draft.usage.cost_usd)}
