"""The change feed: what an index has not seen yet, and the news that there is some."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import asyncpg

from memory_service.models.vectors import Change, ChangePage, Part
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import in_context
from servicekit.database import Database

CHANNEL = "memory_changes"
CONNECT_TIMEOUT_S = 5.0


class ChangeStore:
    """Changes in the order of their numbers, read from the primary."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def page(self, agent_id: str, after: int, limit: int) -> ChangePage:
        """The changes that follow `after`, at most `limit`."""
        rows = await self._database.fetch(
            QUERIES["changes"], agent_id, after, limit, self._model
        )
        if not rows:
            return ChangePage((), upto=0, last=True)
        last = len(rows) < limit
        return ChangePage(
            [
                Change(
                    row["memory_seq"],
                    Part(row["part"]),
                    in_context(row["vector"], row["previous"]),
                )
                for row in rows
                if row["seq"] is not None
            ],
            upto=rows[0]["agent_seq"] if last else rows[-1]["seq"],
            last=last,
        )

    async def seqs(self, agent_ids: Iterable[str]) -> dict[str, int]:
        """The newest change of each agent that has any."""
        rows = await self._database.fetch(QUERIES["agent_seqs"], list(agent_ids))
        return {row["agent_id"]: row["seq"] for row in rows}


class ChangeListener:
    """Hears at once that an agent's memories changed; may miss some."""

    def __init__(
        self,
        dsn: str,
        on_change: Callable[[str], None],
        on_timeline: Callable[[str], None],
    ) -> None:
        self._dsn = dsn
        self._on_change = on_change
        self._on_timeline = on_timeline

    async def run(self) -> None:
        """Listens until the connection ends, which raises ConnectionError."""
        connection = await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT_S,
            server_settings={"application_name": "memory-service-listen"},
        )
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        try:
            await connection.add_listener(CHANNEL, self._hear)
            self._on_timeline(await connection.fetchval(QUERIES["timeline"]))
            await ended.wait()
        finally:
            connection.terminate()
        raise ConnectionError("the connection that listens was closed")

    def _hear(
        self, _connection: Any, _pid: int, _channel: str, payload: object
    ) -> None:
        self._on_change(str(payload))
