"""Writes that are cut off in the midst: all of each is there afterwards, or nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import (
    PREFIX,
    Caller,
    Process,
    SafetyServer,
    process,
    until_ready,
)
from tests.support.waiting import until

from devstack.database import DATABASE
from devstack.postgres import Primary

TOLD = "My PIN is 4711, and nobody knows."
CHANGED = "My PIN is 8055, and nobody knows."

Write = Callable[[Caller, str], Coroutine[Any, Any, httpx2.Response]]


async def tell(ada: Caller, _: str) -> Any:
    body = {"content": "Told meanwhile.", "agent_id": ada.agent_id}
    headers = {"Idempotency-Key": "k"}
    return await ada.http.post(PREFIX, json=body, headers=headers)


async def tell_with_sources(ada: Caller, told: str) -> Any:
    fields = {"evidence": "thought", "sources": [told]}
    return await ada.tell("Thought meanwhile.", **fields)


async def merge(ada: Caller, _: str) -> Any:
    return await ada.tell(TOLD, importance=1)


async def change(ada: Caller, told: str) -> Any:
    return await ada.change(told, content=CHANGED)


async def delete(ada: Caller, told: str) -> Any:
    return await ada.delete(told)


async def forget(ada: Caller, _: str) -> Any:
    return await ada.forget(filters={"evidence": ["told"]})


# Each write stops at a table that another transaction holds.
STEPS: list[tuple[Write, str]] = [
    (tell, "memories"),
    (tell, "idempotency_keys"),
    (tell_with_sources, "sources"),
    (merge, "mentions"),
    (change, "history"),
    (change, "embeddings"),
    (delete, "tombstones"),
    (delete, "deletions"),
    (forget, "embeddings"),
]
# What each may leave behind: the numbers of its own transaction are counted once.
TABLES = (
    "agents",
    "memories",
    "embeddings",
    "history",
    "mentions",
    "sources",
    "deletions",
    "tombstones",
    "idempotency_keys",
)


@dataclass
class Blocked:
    """A write that waits for a table in the midst of its transaction."""

    database: asyncpg.Connection
    table: str

    async def pids(self) -> list[int]:
        """The connections that wait."""
        rows = await self.database.fetch(
            "SELECT pid FROM pg_locks WHERE NOT granted "
            "AND relation = $1::regclass AND mode <> 'AccessExclusiveLock'",
            f"memory.{self.table}",
        )
        return [row["pid"] for row in rows]

    async def begun(self) -> bool:
        return bool(await self.pids())


@pytest_asyncio.fixture
async def holder(memory_primary: Primary) -> AsyncIterator[asyncpg.Connection]:
    connection = await memory_primary.connect(DATABASE)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module")
async def running(
    memory_dsn: str, safety_server: SafetyServer
) -> AsyncIterator[Process]:
    async with process(memory_dsn, SAFETY_URL=safety_server.address) as service:
        yield service


async def state(database: asyncpg.Connection, agent_id: str) -> dict[str, list[str]]:
    """All that is stored of an agent, but for how often it was recalled."""
    return {
        table: [
            row["row"]
            for row in await database.fetch(
                f"SELECT t::text AS row FROM {table} AS t WHERE agent_id = $1 "
                "ORDER BY 1",
                agent_id,
            )
        ]
        for table in TABLES
    }


@pytest.mark.parametrize("killed", [False, True], ids=["cut", "killed"])
@pytest.mark.parametrize(
    ("write", "table"), STEPS, ids=[f"{w.__name__}-{t}" for w, t in STEPS]
)
async def test_all_or_nothing(
    running: Process,
    database: asyncpg.Connection,
    holder: asyncpg.Connection,
    agent: str,
    write: Write,
    table: str,
    killed: bool,
) -> None:
    async with running.client() as http:
        ada = Caller(http, agent)
        told = (await ada.tell(TOLD))["id"]
        before = await state(database, agent)
        blocked = Blocked(database, table)
        async with holder.transaction():
            await holder.execute(f"LOCK TABLE memory.{table} IN SHARE MODE")
            writing = asyncio.create_task(write(ada, told))
            await until(blocked.begun)
            if killed:
                await running.stop(kill=True)
            for pid in await blocked.pids():
                await database.execute("SELECT pg_terminate_backend($1)", pid)
            with suppress(httpx2.HTTPError, AssertionError):
                answer = await writing
                assert answer.status_code == 503
        assert await state(database, agent) == before
    if killed:
        await running.start()
    async with running.client() as http:
        await until_ready(http)
        ada = Caller(http, agent)
        # The same once more, as whoever got no answer sends it.
        await write(ada, told)
        after = await state(database, agent)
        numbers = await database.fetchval(
            "SELECT array_agg(seq ORDER BY seq) FROM ("
            "SELECT changed_seq AS seq FROM memories WHERE agent_id = $1 "
            "UNION SELECT seq FROM memories WHERE agent_id = $1 "
            "UNION SELECT seq FROM deletions WHERE agent_id = $1 "
            "UNION SELECT memory_seq FROM deletions WHERE agent_id = $1) AS numbers",
            agent,
        )
        assert after != before
        assert numbers == list(range(1, len(numbers) + 1))
        assert (await ada.stats())["index"]["seq"] == numbers[-1]
