"""Agents and their streams in PostgreSQL."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import asyncpg

from servicekit.database import Database, load_queries
from thought_generator.errors import AgentUnknown
from thought_generator.models.agents import (
    Agent,
    AgentState,
    Doze,
    OfflineStream,
    Outage,
    Stream,
)
from thought_generator.models.budget import Limits, Rung

SQL = load_queries("thought_generator.stores")
# Milliseconds of work; an agent may have thought millions of times.
THOUGHTS_DELETED_AT_ONCE = 5_000


class AgentStore:
    """Reads and writes whole agents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, agent_id: str) -> Agent:
        """The agent; AgentUnknown if there is none."""
        found = await self.page("", [agent_id], 1)
        if not found:
            raise AgentUnknown(agent_id)
        return found[0]

    async def page(self, after: str, only: list[str] | None, limit: int) -> list[Agent]:
        """Agents in the order of their ids, of those in `only` if given."""
        rows = await self._database.fetch(SQL["agents_page"], after, only, limit)
        return [_agent(row) for row in rows]

    async def put(self, agent: Agent) -> bool:
        """Stores the whole agent but its state; True if it is new."""
        async with self._database.transaction() as connection:
            return await _write(connection, agent)

    async def replace(self, known: Agent, agent: Agent) -> bool:
        """Stores the agent where it still is as it was known; else False."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["lock_agent"], known.agent_id)
            rows = await connection.fetch(SQL["agents_page"], "", [known.agent_id], 1)
            # How its streams fare is not of what anybody wrote.
            now = [
                replace(
                    _agent(row),
                    state=known.state,
                    dozing=known.dozing,
                    offline=known.offline,
                )
                for row in rows
            ]
            if now != [known]:
                return False
            await _write(connection, agent)
        return True

    async def delete(self, agent_id: str) -> None:
        """Removes the agent and all it thought; AgentUnknown if there is none.

        Of one whose removal failed the oldest thoughts may be gone already.
        """
        await self._delete_thoughts(agent_id)
        async with self._database.transaction() as connection:
            if await connection.fetchrow(SQL["delete_agent"], agent_id) is None:
                raise AgentUnknown(agent_id)
            # Whoever was committing for it is done now, so none is missed.
            await connection.execute(SQL["delete_answers"], agent_id)

    async def _delete_thoughts(self, agent_id: str) -> None:
        """Together with the agent they could take longer than a command may."""
        deleted = at_most = THOUGHTS_DELETED_AT_ONCE
        while deleted == at_most:
            (row,) = await self._database.fetch(
                SQL["delete_oldest_thoughts"], agent_id, at_most
            )
            deleted = row["deleted"]

    async def set_paused(self, agent_id: str, paused: bool) -> None:
        """Stops or starts all its streams; AgentUnknown if there is none."""
        if await self._database.fetch_one(SQL["set_paused"], agent_id, paused) is None:
            raise AgentUnknown(agent_id)


async def _write(connection: asyncpg.Connection, agent: Agent) -> bool:
    row = await connection.fetchrow(
        SQL["put_agent"],
        agent.agent_id,
        agent.persona,
        agent.limits.usd_per_day,
        agent.limits.tokens_per_day,
        agent.limits.near_limit,
        list(agent.limits.ladder),
        agent.outage,
    )
    await connection.execute(SQL["drop_streams"], agent.agent_id, list(agent.streams))
    await connection.executemany(
        SQL["put_stream"],
        [
            (agent.agent_id, name, s.enabled, s.interval_seconds, s.prompt)
            for name, s in sorted(agent.streams.items())
        ],
    )
    return bool(row["created"])


def read_limits(row: asyncpg.Record) -> Limits:
    """What the agent's row says it may spend."""
    return Limits(
        usd_per_day=row["usd_per_day"],
        tokens_per_day=row["tokens_per_day"],
        near_limit=row["near_limit"],
        ladder=tuple(Rung(rung) for rung in row["ladder"]),
    )


def _agent(row: asyncpg.Record) -> Agent:
    streams: Mapping[str, dict[str, Any]] = row["streams"]
    return Agent(
        agent_id=row["agent_id"],
        persona=row["persona"],
        streams={name: Stream(**streams[name]) for name in sorted(streams)},
        limits=read_limits(row),
        state=AgentState.PAUSED if row["paused"] else AgentState.RUNNING,
        dozing={name: _doze(doze) for name, doze in sorted(row["dozing"].items())},
        outage=Outage(row["outage"]),
        offline={
            name: OfflineStream(
                datetime.fromisoformat(members["since"]), members["problem"]
            )
            for name, members in sorted(row["offline"].items())
        },
        born_at=row["created_at"],
    )


def _doze(members: dict[str, Any]) -> Doze:
    until = members["until"]
    return Doze(
        since=datetime.fromisoformat(members["since"]),
        problem=members["problem"],
        until=datetime.fromisoformat(until) if until else None,
    )
