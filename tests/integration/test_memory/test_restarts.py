"""Snapshots of indexes: gone on from, refused, forgotten in, and done without."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import run
from uuid import uuid4

import asyncpg
import numpy as np
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import (
    PREFIX,
    Caller,
    Process,
    Replica,
    SafetyServer,
    process,
    replica,
)
from tests.integration.test_memory.test_feed import indexed, paused_replay
from tests.support.waiting import until

from devstack.database import DATABASE
from devstack.postgres import Postgres, Primary
from embedding.manifest import DIMENSION, MODEL_NAME
from memory_service.domain import agent_index, indexes, snapshots
from memory_service.providers import shelf
from memory_service.providers.vectors import builds as vector_builds
from memory_service.providers.vectors import part
from memory_service.providers.vectors.manifest import NAME as MANIFEST

# A process keeps no snapshot of fewer, and builds nothing of fewer.
KEPT_VECTORS = indexes.SNAPSHOT_FROM_VECTORS
BUILT_VECTORS = part.MAX_FLAT + 1000
# Vectors that lie as those of sentences do, so that cells and codes fit them.
TOPICS = 500
TOPIC_WIDTH = 0.4
ADD_MEMORIES = """
WITH fresh AS (
    SELECT *
    FROM unnest($2::uuid[], $3::bigint[], $4::bytea[]) AS fresh (id, seq, vector)
),
counted AS (
    INSERT INTO agents (agent_id, seq) SELECT $1, max(seq) FROM fresh
    ON CONFLICT (agent_id) DO UPDATE SET seq = excluded.seq
),
embedded AS (
    INSERT INTO embeddings (agent_id, memory_id, seq, model, vector)
    SELECT $1, id, seq, $5, vector FROM fresh
)
INSERT INTO memories (
    agent_id, id, seq, changed_seq, content, memory_type, importance, timestamp,
    created_at, updated_at, metadata, evidence, pinned, judged
)
SELECT
    $1, id, seq, seq, 'the same', 'episodic', 0.5, now(),
    now(), now(), '{}', 'told', false, true
FROM fresh
"""


async def add_memories(
    database: asyncpg.Connection, agent_id: str, first: int, last: int
) -> None:
    """Memories by their numbers, about some topics."""
    seqs = list(range(first, last + 1))
    random = np.random.default_rng(first)
    topics = random.normal(size=(TOPICS, DIMENSION))
    vectors = topics[random.integers(TOPICS, size=len(seqs))]
    vectors += TOPIC_WIDTH * random.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    packed = [row.tobytes() for row in vectors.astype("<f2")]
    ids = [uuid4() for _ in seqs]
    await database.execute(ADD_MEMORIES, agent_id, ids, seqs, packed, MODEL_NAME)


async def loads(one: Replica | Process, source: str) -> int:
    """How many indexes a service opened from there."""
    sample = f'claude_agi_memory_index_load_seconds_count{{source="{source}"}}'
    return await metric(one, sample)


async def metric(one: Replica | Process, sample: str) -> int:
    """A counter of a service, 0 before it first counted."""
    if isinstance(one, Replica):
        text = (await one.http.get("/metrics")).text
    else:
        async with one.client() as http:
            text = (await http.get("/metrics")).text
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name == sample:
            return round(float(value))
    return 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def every_index_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "SNAPSHOT_FROM_VECTORS", 1)


@pytest.fixture
def everything_at_once(
    every_index_is_kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots follow each change, and are looked through, all the time."""
    for name in ("LOOK_EVERY_S", "SWEEP_EVERY_S"):
        monkeypatch.setattr(snapshots, name, 0.01)
    for name in ("MIN_PAUSE_S", "FORGET_WITHIN_S", "RETRY_AFTER_S"):
        monkeypatch.setattr(snapshots, name, 0.0)


@asynccontextmanager
async def kept_agent(dsn: str, folder: Path, agent: str) -> AsyncIterator[list[str]]:
    """The contents of an agent whose snapshot was saved when its service ended."""
    texts = [f"{word} in the garden" for word in ("a cat", "a hedgehog", "a pear tree")]
    async with replica(dsn, index_dir=folder) as before:
        await before.caller(agent).tell_all(texts)
        assert len(await indexed(before, agent)) == len(texts)
    yield texts


def place(folder: Path, agent: str) -> Path:
    """Where an agent's files are."""
    return folder / shelf.Shelf(folder, MODEL_NAME).name(agent)


def files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def manifests(folder: Path) -> list[Path]:
    return list(folder.rglob(MANIFEST))


async def texts_of(one: Replica, agent: str) -> set[str]:
    found = await one.caller(agent).recall("garden", mode="semantic", limit=100)
    return {memory["content"] for memory in found}


@pytest.mark.usefixtures("every_index_is_kept")
async def test_what_happened_since_the_snapshot_is_made_up_for(
    memory_dsn: str, service: Replica, folder: Path, agent: str
) -> None:
    async with kept_agent(memory_dsn, folder, agent) as texts:
        ada = service.caller(agent)
        gone, changed, stays = (await ada.recent())["memories"]
        await ada.delete(gone["id"])
        await ada.change(changed["id"], content="a fox in the garden")
        await ada.tell("a new bench in the garden")
        async with replica(memory_dsn, index_dir=folder) as after:
            before = await loads(after, "snapshot")
            assert await texts_of(after, agent) == {
                stays["content"],
                "a fox in the garden",
                "a new bench in the garden",
            }
            assert await loads(after, "snapshot") == before + 1
    assert stays["content"] in texts


def remove_manifest(folder: Path) -> None:
    for file in manifests(folder):
        file.unlink()


def cut_manifest(folder: Path) -> None:
    for file in manifests(folder):
        os.truncate(file, file.stat().st_size - 1)


def cut_rows(folder: Path) -> None:
    for file in files(folder):
        if file.name not in (MANIFEST, "lock"):
            os.truncate(file, file.stat().st_size // 2)


def flip_bits(folder: Path) -> None:
    for file in files(folder):
        if file.name not in (MANIFEST, "lock"):
            content = bytearray(file.read_bytes())
            content[len(content) // 3] ^= 1
            file.write_bytes(content)


def write_other_layout(folder: Path) -> None:
    for file in manifests(folder):
        file.write_bytes(b"0" * 64 + b"\n{}")


@pytest.mark.parametrize(
    "damage",
    [remove_manifest, cut_manifest, cut_rows, flip_bits, write_other_layout],
)
@pytest.mark.usefixtures("every_index_is_kept")
async def test_a_damaged_snapshot_is_made_anew(
    memory_dsn: str, folder: Path, agent: str, damage: Callable[[Path], None]
) -> None:
    async with kept_agent(memory_dsn, folder, agent) as texts:
        assert manifests(folder)
        damage(folder)
        async with replica(memory_dsn, index_dir=folder) as after:
            before = await loads(after, "primary")
            assert await texts_of(after, agent) == set(texts)
            assert await loads(after, "primary") == before + 1


@pytest.mark.usefixtures("every_index_is_kept")
async def test_another_agents_snapshot_is_not_used(
    memory_dsn: str, folder: Path, agent: str
) -> None:
    eve = f"{agent}-eve"
    async with replica(memory_dsn, index_dir=folder) as before:
        for name, text in ((agent, "mine in the garden"), (eve, "hers in the garden")):
            await before.caller(name).tell(text)
            await indexed(before, name)
    mine, hers = place(folder, agent), place(folder, eve)
    mine.rename(folder / "between")
    hers.rename(mine)
    (folder / "between").rename(hers)
    async with replica(memory_dsn, index_dir=folder) as after:
        assert await texts_of(after, agent) == {"mine in the garden"}
        assert await texts_of(after, eve) == {"hers in the garden"}


@pytest.mark.parametrize("told_anew", [0, 1, 9])
@pytest.mark.usefixtures("every_index_is_kept")
async def test_a_database_restored_from_a_backup_is_believed(
    memory_dsn: str,
    service: Replica,
    folder: Path,
    database: asyncpg.Connection,
    told_anew: int,
) -> None:
    """The snapshot has what never was, also where the numbers were given anew."""
    agent = f"agent-{uuid4().hex}"
    async with kept_agent(memory_dsn, folder, agent) as texts:
        await restore_backup(database, agent, upto=1)
        service.context.indexes.see_timeline("before the backup")
        fresh = {f"weed number {n} in the garden" for n in range(told_anew)}
        for text in fresh:
            await service.caller(agent).tell(text)
        async with replica(memory_dsn, index_dir=folder) as after:
            failures = 'claude_agi_memory_snapshot_failures_total{step="restore"}'
            before = await metric(after, failures)
            assert await texts_of(after, agent) == {texts[0]} | fresh
            assert await metric(after, failures) == before + 1
            # By meaning, not by the vector that had the number before.
            for text in fresh:
                best, *_ = await after.caller(agent).recall(text, mode="semantic")
                assert best["content"] == text


async def restore_backup(database: asyncpg.Connection, agent: str, upto: int) -> None:
    """The tables as they were after that change of an agent."""
    for table in ("memories", "embeddings"):
        await database.execute(
            f"DELETE FROM {table} WHERE agent_id = $1 AND seq > $2", agent, upto
        )
    await database.execute(
        "UPDATE agents SET seq = $2 WHERE agent_id = $1", agent, upto
    )


@pytest.mark.usefixtures("everything_at_once")
async def test_no_file_keeps_what_was_deleted(
    memory_dsn: str, folder: Path, agent: str, database: asyncpg.Connection
) -> None:
    async with replica(memory_dsn, index_dir=folder) as one:
        ada = one.caller(agent)
        told = await ada.tell_all([f"secret {n}" for n in range(5)])
        gone = told[2]["memory"]
        vector = await vector_of(database, agent, gone["seq"])

        async def kept() -> bool:
            return any(vector in file.read_bytes() for file in files(folder))

        await indexed(one, agent)
        await until(kept)
        await ada.delete(gone["id"])

        async def forgotten() -> bool:
            return not await kept() and bool(manifests(folder))

        await until(forgotten)


@pytest.mark.usefixtures("everything_at_once")
async def test_nor_one_of_an_agent_that_is_not_open(
    memory_dsn: str,
    service: Replica,
    folder: Path,
    agent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(indexes, "MAX_OPEN_AGENTS", 1)
    async with replica(memory_dsn, index_dir=folder) as one:
        told = await one.caller(agent).tell("a secret")
        await indexed(one, agent)

        async def put_aside() -> bool:
            kept = (place(folder, agent) / MANIFEST).exists()
            return kept and not one.context.indexes.holds(agent)

        await until(put_aside)
        await service.caller(agent).delete(told["id"])

        async def gone() -> bool:
            return not place(folder, agent).exists()

        await until(gone)
        assert await indexed(one, agent) == set()


async def vector_of(database: asyncpg.Connection, agent: str, seq: int) -> bytes:
    vector: bytes = await database.fetchval(
        "SELECT vector FROM embeddings WHERE agent_id = $1 AND seq = $2", agent, seq
    )
    return vector


@pytest.mark.usefixtures("every_index_is_kept")
async def test_a_lagging_standby_is_loaded_from_and_caught_up_with(
    memory_dsn: str,
    standby_dsn: str,
    memory_standby: Postgres,
    service: Replica,
    agent: str,
) -> None:
    ada = service.caller(agent)
    early = [result["memory"] for result in await ada.tell_all(["one", "two", "three"])]

    async def replayed() -> bool:
        connection = await asyncpg.connect(standby_dsn)
        query = "SELECT seq FROM agents WHERE agent_id = $1"
        seq: int | None = await connection.fetchval(query, agent)
        await connection.close()
        return seq == len(early)

    await until(replayed)
    async with paused_replay(memory_standby):
        await ada.delete(early[0]["id"])
        late = await ada.tell("four")
        async with replica(memory_dsn, database_replica_url=standby_dsn) as fresh:
            before = await loads(fresh, "replica")
            found = await indexed(fresh, agent)
            assert await loads(fresh, "replica") == before + 1
    assert found == {early[1]["seq"], early[2]["seq"], late["seq"]}


async def test_a_standby_of_another_history_is_not_loaded_from(
    memory_dsn: str,
    standby_dsn: str,
    service: Replica,
    agent: str,
    database: asyncpg.Connection,
) -> None:
    """The checkpoint that a standby replayed last is of the timeline before."""
    await service.caller(agent).tell("one")
    definition = await database.fetchval(
        "SELECT pg_get_functiondef('timeline'::regproc)"
    )
    await database.execute(
        "CREATE OR REPLACE FUNCTION timeline() RETURNS text LANGUAGE sql STABLE "
        "RETURN CASE WHEN pg_is_in_recovery() THEN 'before' ELSE 'after' END"
    )
    try:
        async with replica(memory_dsn, database_replica_url=standby_dsn) as fresh:
            before = await loads(fresh, "primary")
            assert len(await indexed(fresh, agent)) == 1
            assert await loads(fresh, "primary") == before + 1
    finally:
        await database.execute(definition)


@pytest.mark.parametrize("kill", [True, False])
async def test_a_process_is_back_with_all_it_had(
    memory_dsn: str,
    safety_server: SafetyServer,
    folder: Path,
    agent: str,
    database: asyncpg.Connection,
    kill: bool,
) -> None:
    await add_memories(database, agent, 1, KEPT_VECTORS)
    settings = {"SAFETY_URL": safety_server.address, "INDEX_DIR": str(folder)}
    async with process(memory_dsn, **settings) as before, before.client() as http:
        ada = Caller(http, agent)
        await ada.recall("x", mode="semantic")

        async def saved() -> bool:
            return bool(manifests(folder))

        await until(saved)
        told = await ada.tell("the one of which nobody knows")
        await before.stop(kill=kill)
    async with process(memory_dsn, **settings) as after, after.client() as http:
        ada = Caller(http, agent)
        best, *_ = await ada.recall("of which nobody knows", mode="semantic")
        assert best["id"] == told["id"]
        assert await loads(after, "snapshot") == 1
        assert (await ada.stats())["index"]["vectors"] == KEPT_VECTORS + 1


@pytest_asyncio.fixture(scope="module")
async def large_agent(memory_primary: Primary, memory_dsn: str) -> str:
    """An agent whose index is built."""
    agent = f"agent-{uuid4().hex}"
    connection = await memory_primary.connect(DATABASE)
    await connection.execute("SET search_path = memory")
    await add_memories(connection, agent, 1, BUILT_VECTORS)
    await connection.close()
    return agent


@pytest.mark.parametrize("moment", ["codes", MANIFEST])
async def test_a_process_killed_while_it_builds_and_saves(
    memory_dsn: str, folder: Path, large_agent: str, moment: str
) -> None:
    settings = {"INDEX_DIR": str(folder)}

    async def reached() -> bool:
        return any(file.name.startswith(moment) for file in files(folder))

    async with process(memory_dsn, **settings) as before, before.client() as http:
        await Caller(http, large_agent).until_open()
        await until(reached, within_s=30)
        await before.stop(kill=True)
    async with process(memory_dsn, **settings) as after, after.client() as http:
        ada = Caller(http, large_agent)
        await ada.until_open()
        assert (await ada.stats())["index"]["vectors"] == BUILT_VECTORS


async def test_a_folder_that_cannot_be_used(
    memory_dsn: str, folder: Path, agent: str
) -> None:
    folder.write_text("a file")
    async with replica(memory_dsn, index_dir=folder) as one:
        told = await one.caller(agent).tell("kept in memory")
        assert await indexed(one, agent) == {told["seq"]}


async def test_a_folder_that_another_process_has(
    memory_dsn: str, folder: Path, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LOCK_WAIT_S", 0.1)
    failures = 'claude_agi_memory_snapshot_failures_total{step="open"}'
    async with replica(memory_dsn, index_dir=folder) as one:
        before = await metric(one, failures)
    async with (
        replica(memory_dsn, index_dir=folder) as one,
        replica(memory_dsn, index_dir=folder) as other,
    ):
        assert await metric(other, failures) == before + 1
        told = await one.caller(agent).tell("known to both")
        for service in (one, other):
            await service.caller(agent).recall("x", min_seq=told["seq"])
            assert await indexed(service, agent) == {told["seq"]}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system that is nearly full."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a file system of its own")
    # Not in pytest's own folder, which it could not clear away while this is there.
    disk = Path(tempfile.mkdtemp(prefix="memory-disk-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if run(command, capture_output=True, check=False).returncode:
        disk.rmdir()
        pytest.skip("this system lets nobody mount a tmpfs")
    yield disk
    run(["umount", str(disk)], check=True)
    disk.rmdir()


@pytest.mark.usefixtures("everything_at_once")
async def test_a_full_disk_costs_snapshots_only(
    memory_dsn: str, small_disk: Path, agent: str
) -> None:
    failures = 'claude_agi_memory_snapshot_failures_total{step="save"}'
    async with replica(memory_dsn, index_dir=small_disk) as one:
        ada = one.caller(agent)
        before = await metric(one, failures)
        results = await ada.tell_all([f"text {n}" for n in range(200)])
        seqs = {result["memory"]["seq"] for result in results}
        assert await indexed(one, agent) == seqs

        async def failed() -> bool:
            return await metric(one, failures) > before

        await until(failed)
        await ada.delete(results[0]["memory"]["id"])
        assert await indexed(one, agent) == seqs - {results[0]["memory"]["seq"]}
    async with replica(memory_dsn, index_dir=small_disk) as after:
        assert len(await indexed(after, agent)) == len(seqs) - 1


async def test_three_hundred_agents_at_once(
    service: Replica, agent: str, database: asyncpg.Connection
) -> None:
    names = [f"{agent}-{n}" for n in range(300)]
    for name in names:
        await add_memories(database, name, 1, 2)
    answers = await asyncio.gather(*(ask(service, name) for name in names))
    refused = [answer for answer in answers if answer is not None]
    most = indexes.MAX_OPENING + indexes.MAX_WAITING
    assert len(refused) == len(names) - most
    assert set(refused) == {"too-many-opening"}
    for name in names[::10]:
        assert await indexed(service, name) == {1, 2}
    assert len(service.context.indexes.opened()) <= indexes.MAX_OPEN_AGENTS


async def ask(service: Replica, agent: str) -> str | None:
    """Why it was refused, if it was."""
    body = {"query": "x", "agent_id": agent, "mode": "semantic"}
    answer = await service.http.post(f"{PREFIX}/recall", json=body)
    if answer.status_code == 200:
        return None
    assert "Retry-After" in answer.headers
    refusal: str = answer.json()["type"].rpartition(":")[2]
    return refusal


async def test_agents_with_many_vectors_make_room(
    service: Replica, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "MAX_OPEN_BYTES", 1)
    for n in range(3):
        caller = service.caller(f"{agent}-{n}")
        told = await caller.tell("whatever")
        assert await indexed(service, caller.agent_id) == {told["seq"]}
    assert len(service.context.indexes.opened()) <= 1


async def test_an_agent_with_much_to_catch_up_holds_up_nobody(
    service: Replica,
    agent: str,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent_index, "PAGE_CHANGES", 1)
    slow, quick = service.caller(f"{agent}-slow"), service.caller(f"{agent}-quick")
    for caller in (slow, quick):
        await indexed(service, caller.agent_id)
    await add_memories(database, slow.agent_id, 1, 3000)
    service.context.feed.wake(slow.agent_id)
    told = await quick.tell("now")

    seq: int = told["seq"]

    async def found() -> bool:
        return applied(service, quick.agent_id) == seq

    await until(found)
    assert applied(service, slow.agent_id) < 3000


def applied(one: Replica, agent: str) -> int:
    """The change that an open index has come to."""
    opened = {index.agent_id: index for index in one.context.indexes.opened()}
    return opened[agent].applied


async def test_searches_wait_for_no_build(
    service: Replica,
    agent: str,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (part, vector_builds):
        monkeypatch.setattr(module, "MAX_FLAT", 5000)
    await add_memories(database, agent, 1, 6000)
    kinds: list[str] = []

    async def built() -> bool:
        kinds.append((await service.caller(agent).stats())["index"]["kind"])
        assert await service.caller(agent).recall("x", mode="semantic")
        return kinds[-1] != kinds[0]

    await until(built, within_s=30)
    assert len(kinds) > 10
    found = await service.caller(agent).recall("x", mode="semantic", limit=1000)
    assert len(found) == 1000
