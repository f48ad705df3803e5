"""Every replica's index follows what any replica writes, whatever happens between."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.integration.test_memory.replicas import (
    PREFIX,
    Caller,
    Replica,
    migrate,
    replica,
)
from tests.support.waiting import until

from devstack.database import DATABASE, bootstrap
from devstack.postgres import Postgres, make_dsn
from memory_service.domain import agent_index, indexes, snapshots
from memory_service.models.vectors import MAX_SEQ, Change
from memory_service.providers.vectors.agent import AgentVectors
from memory_service.providers.vectors.manifest import NAME as MANIFEST
from memory_service.stores.queries import QUERIES

EVERYTHING = 1000


async def indexed(one: Replica, agent_id: str) -> set[int]:
    """The memories that a replica finds by their vectors."""
    found = await one.caller(agent_id).recall(
        "anything", mode="semantic", limit=EVERYTHING
    )
    return {memory["seq"] for memory in found}


@asynccontextmanager
async def paused_replay(standby: Postgres) -> AsyncIterator[None]:
    """While the standby replays nothing."""
    connection = await standby.connect(DATABASE)
    await connection.execute("SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        await connection.execute("SELECT pg_wal_replay_resume()")
        await connection.close()


async def test_one_reads_what_the_other_was_told(
    service: Replica, other_service: Replica, agent: str
) -> None:
    await indexed(other_service, agent)
    told = await service.caller(agent).tell("the other side")
    found = await other_service.caller(agent).recall("side", min_seq=told["seq"])
    assert [memory["id"] for memory in found] == [told["id"]]
    page = await other_service.caller(agent).recent(min_seq=told["seq"])
    assert page["memories"] == [told]


async def test_nothing_is_missed_of_many_writers(
    service: Replica, other_service: Replica, agent: str
) -> None:
    """A lower number that is committed later than a higher one would be missed."""
    writers = [one.caller(agent) for one in (service, other_service)]
    stop = asyncio.Event()

    async def read_on(one: Replica) -> None:
        while not stop.is_set():
            await indexed(one, agent)
            # An answer from the cache waits for nothing.
            await asyncio.sleep(0)

    reading = [asyncio.create_task(read_on(one)) for one in (service, other_service)]
    told = await asyncio.gather(
        *(writers[n % 2].tell(f"memory number {n}") for n in range(120))
    )
    stop.set()
    await asyncio.gather(*reading)
    seqs = {memory["seq"] for memory in told}
    assert seqs == set(range(1, 121))
    for one in (service, other_service):
        await one.caller(agent).recall("x", min_seq=120)
        assert await indexed(one, agent) == seqs


async def test_a_slow_commit_holds_back_the_numbers_after_it(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    """The first writer is held in its transaction: the second waits, not overtakes."""
    await ada.tell("opens the index")
    async with database.transaction():
        await database.execute(
            "UPDATE agents SET seq = seq + 1 WHERE agent_id = $1", ada.agent_id
        )
        second = asyncio.create_task(ada.tell("second"))

        async def waits() -> bool:
            return bool(
                await service.context.database.fetch(
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                )
            )

        await until(waits)
        assert await indexed(service, ada.agent_id) == {1}
    assert (await second)["seq"] == 3
    assert await indexed(service, ada.agent_id) == {1, 3}


async def test_changes_and_deletions_are_followed(
    service: Replica, other_service: Replica, agent: str
) -> None:
    ada, bob = service.caller(agent), other_service.caller(agent)
    kept, gone, changed = [
        result["memory"]
        for result in await ada.tell_all(["a cat", "a dog", "a tax return"])
    ]
    assert len(await bob.recall("animal", min_seq=3)) == 3
    await ada.delete(gone["id"])
    answer = await ada.change(changed["id"], content="a hamster")
    seq = int(answer.headers["X-Memory-Seq"])
    found = await bob.recall("animal", min_seq=seq, mode="semantic")
    assert {m["id"]: m["content"] for m in found} == {
        kept["id"]: "a cat",
        changed["id"]: "a hamster",
    }
    scores = {memory["content"]: memory["score"] for memory in found}
    assert scores["a hamster"] > 0.2


async def test_a_lagging_standby_is_not_asked(
    service: Replica,
    other_service: Replica,
    memory_standby: Postgres,
    agent: str,
) -> None:
    await service.caller(agent).tell("known to both")
    bob = other_service.caller(agent)
    await bob.recent(min_seq=1)
    async with paused_replay(memory_standby):
        late = await service.caller(agent).tell("known to the primary")
        old = await bob.recent()
        new = await bob.recent(min_seq=late["seq"])
        found = await bob.recall("known", min_seq=late["seq"])
        own = await bob.tell("told here")
        mine = await bob.recent()
    assert [len(page["memories"]) for page in (old, new, mine)] == [1, 2, 3]
    assert {memory["content"] for memory in found} == {
        "known to both",
        "known to the primary",
    }
    assert mine["memories"][0] == own


async def test_a_standby_that_lacks_a_migration_is_not_asked(
    other_service: Replica,
    memory_standby: Postgres,
    database: asyncpg.Connection,
) -> None:
    async with paused_replay(memory_standby):
        await database.execute("CREATE TABLE late AS SELECT 1 AS one")
        await database.execute("GRANT SELECT ON late TO memory")
        rows = await other_service.context.database.read("SELECT one FROM late")
    assert [row["one"] for row in rows] == [1]
    await database.execute("DROP TABLE late")


async def test_a_write_that_never_was_is_not_waited_for(ada: Caller) -> None:
    await ada.tell("one")
    headers = {"X-Min-Seq": "2"}
    body = {"query": "one", "agent_id": ada.agent_id}
    recalled = await ada.http.post(f"{PREFIX}/recall", json=body, headers=headers)
    scope = {"agent_id": ada.agent_id}
    listed = await ada.http.get(f"{PREFIX}/recent", params=scope, headers=headers)
    for answer in (recalled, listed):
        assert answer.status_code == 422
        assert answer.json()["type"].endswith(":seq-unknown")


@pytest.mark.parametrize("given", ["-1", "x", "1.5", str(MAX_SEQ + 1)])
async def test_a_number_that_is_none(ada: Caller, given: str) -> None:
    headers = {"X-Min-Seq": given}
    answer = await ada.http.get(f"{PREFIX}/recent", headers=headers)
    assert answer.status_code == 422


async def listeners(database: asyncpg.Connection) -> set[int]:
    rows = await database.fetch(
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name = 'memory-service-listen'"
    )
    return {row["pid"] for row in rows}


async def test_a_killed_listener_comes_back(
    service: Replica, other_service: Replica, agent: str, database: asyncpg.Connection
) -> None:
    await indexed(other_service, agent)
    before = await listeners(database)
    for pid in before:
        await database.execute("SELECT pg_terminate_backend($1)", pid)
    told = await service.caller(agent).tell("while nobody listened")

    async def caught_up() -> bool:
        return await indexed(other_service, agent) == {told["seq"]}

    await until(caught_up)

    async def listens_again() -> bool:
        now = await listeners(database)
        return len(now) >= len(before) and not now & before

    await until(listens_again)


async def test_all_connections_cut(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    await ada.tell("before")
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = 'memory' AND pid <> pg_backend_pid()"
    )

    async def tells() -> bool:
        with contextlib.suppress(AssertionError):
            await ada.tell("after")
            return True
        return False

    await until(tells)
    assert len(await indexed(service, ada.agent_id)) == 2


async def test_pages_of_the_feed_are_whole(
    service: Replica, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_index, "PAGE_CHANGES", 3)
    monkeypatch.setattr(agent_index, "INLINE_CHANGES", 1)
    results = await ada.tell_all([f"text {n}" for n in range(11)])
    for result in results[::3]:
        await ada.delete(result["memory"]["id"])
    left = {result["memory"]["seq"] for result in results} - {1, 4, 7, 10}
    assert await indexed(service, ada.agent_id) == left
    service.context.indexes.see_timeline("another")
    assert await indexed(service, ada.agent_id) == left
    assert (await ada.stats())["index"] == {
        "kind": "faiss-flat-fp16",
        "vectors": len(left),
        "seq": 15,
        "lag": 0,
    }


async def test_agents_that_are_long_unused_make_room(
    service: Replica, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "MAX_OPEN_AGENTS", 2)
    callers = [service.caller(f"{agent}-{n}") for n in range(4)]
    for caller in callers:
        await caller.tell(f"I am {caller.agent_id}")
        await caller.recall("who")
    opened = [service.context.indexes.holds(caller.agent_id) for caller in callers]
    assert opened[-1]
    assert not all(opened)
    assert await callers[0].recall_texts("who") == [f"I am {agent}-0"]


@pytest.mark.usefixtures("memory_dsn")
async def test_vectors_are_looked_up_for_the_changes_of_a_page_alone(
    database: asyncpg.Connection,
) -> None:
    """A join would be planned by what is known of the tables, which is nothing in the
    first minute of a large import: all memories with all vectors, for instance."""
    await database.execute("SET plan_cache_mode = force_generic_plan")
    await database.execute(f"PREPARE changes AS {QUERIES['changes']}")
    rows = await database.fetch("EXPLAIN EXECUTE changes('ada', 1, 4096, 'model')")
    plan = [row[0] for row in rows]
    scans = [place for place, line in enumerate(plan) if "on embeddings" in line]
    heaps = [place for place in scans if "Bitmap Index" not in plan[place]]
    assert len(heaps) == 2
    assert all("Limit" in plan[place - 1] for place in heaps)


async def test_an_index_that_finds_no_room_holds_up_no_other(
    service: Replica,
    other_service: Replica,
    agent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full, other = f"{agent}-full", f"{agent}-other"
    for name in (full, other):
        await indexed(other_service, name)
    apply = AgentVectors.apply
    refused = 0

    def find_no_room(vectors: AgentVectors, changes: Sequence[Change]) -> None:
        nonlocal refused
        if vectors is other_service.context.indexes._open[full].vectors:
            refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        apply(vectors, changes)

    async def refused_again() -> bool:
        return refused > 2

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(AgentVectors, "apply", find_no_room)
        kept = await service.caller(full).tell("where there is no room")
        await until(refused_again)
        told = await service.caller(other).tell("where there is")

        async def follows() -> bool:
            return await indexed(other_service, other) == {told["seq"]}

        await until(follows)
    assert "background task failed" not in {line["event"] for line in logs}

    async def caught_up() -> bool:
        return await indexed(other_service, full) == {kept["seq"]}

    await until(caught_up)


async def test_after_a_promotion_that_lost_a_write(
    memory_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new primary lacks the last write: indexes and promises to readers go.

    So does the snapshot, which has it too.
    """
    monkeypatch.setattr(indexes, "SNAPSHOT_FROM_VECTORS", 2)
    monkeypatch.setattr(snapshots, "LOOK_EVERY_S", 0.01)
    folder = memory_folder / "promotion"
    folder.mkdir(0o711)
    first = Postgres.primary(folder)
    async with first, Postgres.replica(folder, of=first) as standby:
        await migrate((await bootstrap(first))["memory"])
        password = first.credentials.password("memory")
        async with replica(
            make_dsn("memory", password, DATABASE, first, standby), index_dir=tmp_path
        ) as one:
            ada = one.caller("default")
            kept = await ada.tell("kept by both")
            await _until_replayed(first, standby)
            await _cut_off(first)
            await ada.tell("lost with the old primary")
            assert len(await ada.recall("kept or lost")) == 2

            async def saved() -> bool:
                return bool(list(tmp_path.rglob(MANIFEST)))

            await until(saved)
            await first.stop()
            await standby.promote()

            async def knows_what_stands() -> bool:
                with contextlib.suppress(AssertionError):
                    return [m["id"] for m in await ada.recall("lost?")] == [kept["id"]]
                return False

            await until(knows_what_stands, within_s=20)
            anew = await ada.tell("told to the new one")
            assert anew["seq"] == 2
            best, _ = await ada.recall("told to the new one", mode="semantic")
            assert best["id"] == anew["id"]
            # Not the vector of what had this number on the old primary.
            assert best["scores"]["semantic"] > 0.99


async def _until_replayed(first: Postgres, standby: Postgres) -> None:
    source, target = await first.connect(), await standby.connect()
    position = await source.fetchval("SELECT pg_current_wal_lsn()::text")

    async def replayed() -> bool:
        return bool(
            await target.fetchval(
                "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position
            )
        )

    await until(replayed)
    await source.close()
    await target.close()


async def _cut_off(first: Postgres) -> None:
    """From here on the primary sends its standby nothing."""
    connection = await first.connect()
    await connection.execute("ALTER ROLE replicator NOLOGIN")
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_replication"
    )
    await connection.close()
