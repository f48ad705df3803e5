"""Memories that were stored by the patterns' verdict and wait for the whole one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from memory_service.digests import Digester
from memory_service.models.vectors import Vector
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import pack_vector
from servicekit.database import Database

# What a memory may say, and the vector of that; None where it stays as it is.
Kept = tuple[str, Vector] | None


class Turn:
    """Some memories of one agent, which no other replica judges meanwhile."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        model: str,
        agent_id: str,
        contents: Mapping[UUID, str],
    ) -> None:
        self._connection = connection
        self._model = model
        self._agent_id = agent_id
        self.contents = contents

    async def settle(
        self, kept: Mapping[UUID, Kept], blocked: Sequence[UUID]
    ) -> int | None:
        """What is kept is recalled from now on, what is blocked is deleted.

        The number of the last change; None where all of them are gone by now.
        """
        lock = await self._connection.fetchrow(QUERIES["lock_agent"], self._agent_id)
        if lock is None:
            return None
        digester = Digester(lock["digest_key"], lock["anchor_lengths"])
        texts = list(kept.values())
        last = await self._connection.fetchval(
            QUERIES["keep_judged"],
            self._agent_id,
            list(kept),
            lock["seq"],
            [None if text is None else text[0] for text in texts],
            [None if text is None else pack_vector(text[1]) for text in texts],
            [None if text is None else digester.digest_text(text[0]) for text in texts],
            self._model,
        )
        seq: int = last or lock["seq"]
        gone = await self._connection.fetchval(
            QUERIES["delete_memories"], self._agent_id, list(blocked), seq, False
        )
        changed: int | None = gone or last
        return changed


class Judgements:
    """Who waits, and turns at judging them."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def next_agent(self, after: str) -> str | None:
        """The next agent in order with memories that wait."""
        row = await self._database.fetch_one(QUERIES["agent_unjudged"], after)
        return None if row is None else row["agent_id"]

    @asynccontextmanager
    async def turn(self, agent_id: str, limit: int) -> AsyncIterator[Turn]:
        """Some of the agent's; none while another replica has the turn."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(QUERIES["unjudged"], agent_id, limit)
            contents = {row["id"]: row["content"] for row in rows}
            yield Turn(connection, self._model, agent_id, contents)
