"""A secret is told, known everywhere, deleted, and then every way back is tried."""

import base64
import io
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import numpy as np
import pytest
import pytest_asyncio
import redis.asyncio as redis
from tests.integration.test_memory.replicas import (
    PREFIX,
    Caller,
    Process,
    SafetyServer,
    until_ready,
)
from tests.support.waiting import until

from devstack.valkey import Valkey
from embedding import MODEL_NAME
from embedding.manifest import DIMENSION
from memory_service.domain.indexes import SNAPSHOT_FROM_VECTORS

SECRET = "Nora's surgeon is Doctor Feldmann, room 417 of the Altmark clinic."
CORRECTED = "Nora's surgeon is Doctor Feldmann, room 418 of the Altmark clinic."
THOUGHT = "I keep thinking that Doctor Feldmann is Nora's surgeon."
# No other text of this test has it.
TRACE = "feldmann"
QUERY = "Who is Nora's surgeon at the clinic?"
MODES = ("hybrid", "semantic", "keyword")
# A snapshot without the vector follows a deletion within this time.
SNAPSHOT_WITHIN_S = 60.0


@dataclass
class World:
    """Two replicas over one PostgreSQL and one Valkey."""

    first: Process
    second: Process
    folder: Path
    valkey: Valkey
    database: asyncpg.Connection
    agent_id: str
    clients: AsyncExitStack

    async def caller(self, service: Process) -> Caller:
        http = await self.clients.enter_async_context(service.client())
        await until_ready(http)
        return Caller(http, self.agent_id)

    async def restart(self, service: Process, *, kill: bool = False) -> Caller:
        await service.stop(kill=kill)
        await service.start()
        return await self.caller(service)


@pytest_asyncio.fixture
async def world(
    memory_dsn: str,
    safety_server: SafetyServer,
    memory_folder: Path,
    tmp_path: Path,
    database: asyncpg.Connection,
    agent: str,
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(Valkey.of(memory_folder / "steps"))
        services = []
        for name in ("first", "second"):
            settings = {
                "SAFETY_URL": safety_server.address,
                "REDIS_URL": valkey.url,
                "INDEX_DIR": str(tmp_path / name),
            }
            service = Process(memory_dsn, settings)
            await service.start()
            stack.push_async_callback(service.stop, kill=True)
            services.append(service)
        clients = await stack.enter_async_context(AsyncExitStack())
        first, second = services
        yield World(first, second, tmp_path / "first", valkey, database, agent, clients)


async def assert_unknown(caller: Caller, ids: list[str], seq: int) -> None:
    """Neither the memory nor what was made from it is shown by any call."""
    for mode in MODES:
        found = await caller.recall(QUERY, min_seq=seq, mode=mode, limit=100)
        history = await caller.recall(
            QUERY, min_seq=seq, mode=mode, limit=100, include_history=True
        )
        assert TRACE not in str(found + history).lower()
    assert TRACE not in str(await caller.recent(min_seq=seq, limit=1000)).lower()
    assert TRACE not in str(await caller.export()).lower()
    assert (await caller.stats())["memories"] == SNAPSHOT_FROM_VECTORS + 1
    for memory_id in ids:
        assert (await caller.get(memory_id)).status_code == 404
        answer = await caller.http.get(
            f"{PREFIX}/{memory_id}/history", params={"agent_id": caller.agent_id}
        )
        assert answer.status_code == 404


async def dump(database: asyncpg.Connection, agent_id: str) -> str:
    """All that PostgreSQL holds of an agent, as a dump has it."""
    tables = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'memory'"
    )
    text = io.BytesIO()
    for (table,) in tables:
        query = f"SELECT * FROM memory.{table} AS t WHERE strpos(t::text, $1) > 0"
        await database.copy_from_query(query, agent_id, output=text)
    return text.getvalue().decode()


async def shared_values(valkey: Valkey) -> bytes:
    """All that Valkey holds."""
    client = redis.Redis.from_url(valkey.url)
    found: list[Any] = []
    for key in await client.keys("*"):
        found += [key, await client.dump(key)]
    await client.aclose()
    return b"".join(found)


def holds(folder: Path, vector: bytes) -> bool:
    """Whether any file of an index has a vector in it."""
    return any(
        vector in file.read_bytes() for file in folder.rglob("*") if file.is_file()
    )


async def consolidate(caller: Caller) -> None:
    body = {"agent_id": caller.agent_id}
    answer = await caller.http.post(f"{PREFIX}/consolidate", json=body)
    assert answer.status_code == 202
    path = f"{PREFIX}/jobs/{answer.json()['id']}"

    async def ended() -> bool:
        state: str = (await caller.http.get(path)).json()["state"]
        return state in {"done", "failed"}

    await until(ended)


async def tell(caller: Caller, key: str) -> httpx2.Response:
    body = {"content": SECRET, "agent_id": caller.agent_id, "session_id": "s"}
    return await caller.http.post(PREFIX, json=body, headers={"Idempotency-Key": key})


async def fill(caller: Caller) -> None:
    """Enough memories for a snapshot, of nothing that is asked for."""
    random = np.random.default_rng(0)
    lines = [
        {
            "content": f"Number {number}.",
            "memory_type": "semantic",
            "embedding": base64.b64encode(vector.tobytes()).decode(),
            "embedding_model": MODEL_NAME,
        }
        for number, vector in enumerate(
            random.normal(size=(SNAPSHOT_FROM_VECTORS, DIMENSION)).astype("<f2")
        )
    ]
    totals, _ = await caller.take_in([*lines])
    assert totals["imported"] == SNAPSHOT_FROM_VECTORS


@pytest.mark.parametrize("forgotten", [False, True], ids=["delete", "forget"])
async def test_every_way_back(world: World, forgotten: bool) -> None:
    ada, other = await world.caller(world.first), await world.caller(world.second)
    await fill(ada)

    # 1. It is told, told again in other words, corrected, and known everywhere.
    told = (await tell(ada, "first")).json()
    await ada.tell(SECRET.replace("is Doctor", "really is Doctor"))
    await ada.change(told["id"], content=CORRECTED)
    # 2. It is thought about.
    cited = {"sources": [told["id"]]}
    thought = await ada.tell(THOUGHT, evidence="thought", **cited)
    inferred = await ada.tell(
        "At Altmark Feldmann works in room 418.", evidence="inferred", **cited
    )
    stays = await ada.tell("The ferry leaves at seven.", evidence="thought", **cited)
    ids = [told["id"], thought["id"], inferred["id"]]
    for caller in (ada, other):
        for mode in MODES:
            found = await caller.recall(QUERY, min_seq=stays["seq"], mode=mode)
            assert TRACE in str(found).lower()
    exported = (await ada.export(embeddings=True))[SNAPSHOT_FROM_VECTORS:]
    vectors = [base64.b64decode(line["embedding"]) for line in exported[:3]]
    # 3. A snapshot of the index has it.
    ada = await world.restart(world.first)
    old = world.folder.with_name("old")
    shutil.copytree(world.folder, old)
    assert all(holds(old, vector) for vector in vectors)

    # 4. It is deleted, or forgotten.
    if forgotten:
        await ada.forget(value="Doctor Feldmann")
        seq = (await ada.stats())["index"]["seq"]
    else:
        seq = int((await ada.delete(told["id"])).headers["X-Memory-Seq"])
    # 5. Both replicas know nothing any more, nor does the cache that they share.
    for caller in (ada, other):
        await assert_unknown(caller, ids, seq)
    assert TRACE.encode() not in (await shared_values(world.valkey)).lower()
    # 6. Nor after a restart.
    ada = await world.restart(world.first)
    await assert_unknown(ada, ids, seq)
    # 7. Nor after a crash, with the snapshot of before.
    await world.first.stop(kill=True)
    shutil.rmtree(world.folder)
    shutil.copytree(old, world.folder)
    ada = await world.restart(world.first, kill=True)
    await assert_unknown(ada, ids, seq)
    # 8. An old export brings nothing back, under whatever id.
    strangers = [{k: v for k, v in line.items() if k != "id"} for line in exported]
    for lines in (exported, strangers):
        totals, _ = await ada.take_in([*lines])
        # Nor what was made from it and tells nothing of it.
        assert totals["imported"] == 0
    # 9. Nor do thoughts, old ones and those that quote it.
    for again in (SECRET, CORRECTED, f"I remember: '{SECRET}', so it was."):
        assert await ada.refused(again, evidence="thought") == "forgotten"
    assert await ada.refused(THOUGHT, evidence="thought", **cited) == "forgotten"
    # 10. Nor does the first request, sent once more.
    assert (await tell(ada, "first")).status_code == 409
    # 11. Nor does a consolidation.
    await consolidate(ada)
    for caller in (ada, other):
        await assert_unknown(caller, ids, seq)
    # 12. PostgreSQL has no word of it, and the index no vector.
    assert TRACE not in (await dump(world.database, world.agent_id)).lower()

    async def erased() -> bool:
        return not any(holds(world.folder, vector) for vector in vectors)

    await until(erased, within_s=SNAPSHOT_WITHIN_S)
    # 13. A person may tell it anew; what is to stay forgotten only after an admin.
    anew = await tell(ada, "second")
    if forgotten:
        assert anew.status_code == 409
        stones = (await ada.tombstones())["records"]
        (stone,) = [each for each in stones if each["kind"] == "forgotten"]
        path = f"{PREFIX}/tombstones/{stone['id']}"
        await ada.http.delete(path, params={"agent_id": ada.agent_id})
        anew = await tell(ada, "third")
    assert anew.status_code == 201
    assert TRACE in str(await other.recall(QUERY, min_seq=anew.json()["seq"])).lower()
