"""Months as partitions, counts of large agents, and replicas that fall behind.

The clock is handed in, and nobody waits for it.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import Caller, Replica, replica
from tests.support.waiting import until

from devstack.postgres import Postgres
from memory_service.domain import partitions
from memory_service.domain.partitions import add_months
from memory_service.metrics import MONTHS_AHEAD
from memory_service.stores import partitions as partition_store
from memory_service.stores import reads
from memory_service.stores.reads import MemoryReads
from memory_service.stores.staleness import MAX_STALENESS_S, Staleness

RETENTION_MONTHS = 6
# The services themselves find nothing due before that.
FAR = datetime(2100, 1, 1, tzinfo=UTC)


async def months(database: asyncpg.Connection) -> list[str]:
    """The partitions of months, in their order."""
    rows = await database.fetch(
        "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid "
        "WHERE inhparent = 'memories'::regclass AND relname ~ '[0-9]$' ORDER BY 1"
    )
    return [row["relname"] for row in rows]


async def places(database: asyncpg.Connection, agent_id: str) -> dict[str, str]:
    """In which partition each content lies."""
    rows = await database.fetch(
        "SELECT content, tableoid::regclass::text AS place FROM memories "
        "WHERE agent_id = $1",
        agent_id,
    )
    return {row["content"]: row["place"] for row in rows}


def name(month: datetime) -> str:
    return f"memories_{month:%Y_%m}"


@pytest_asyncio.fixture
async def keeping(memory_dsn: str) -> AsyncIterator[Replica]:
    """A service that keeps some months only."""
    settings = {"memory_retention_months": RETENTION_MONTHS}
    async with replica(memory_dsn, **settings) as running:
        yield running


@pytest.mark.parametrize(
    ("time", "months_on", "expected"),
    [
        ((2026, 1, 31, 23, 59), 0, (2026, 1, 1)),
        ((2026, 1, 31), 1, (2026, 2, 1)),
        ((2026, 12, 1), 1, (2027, 1, 1)),
        ((2026, 11, 30), 14, (2028, 1, 1)),
        ((2026, 1, 1), -1, (2025, 12, 1)),
        ((2026, 6, 15), -18, (2024, 12, 1)),
    ],
)
def test_months(
    time: tuple[int, ...], months_on: int, expected: tuple[int, ...]
) -> None:
    begin = add_months(datetime(*time, tzinfo=UTC), months_on)  # type: ignore[misc, arg-type]
    assert begin == datetime(*expected, tzinfo=UTC)  # type: ignore[misc, arg-type]


async def test_months_are_made_ahead(
    service: Replica, database: asyncpg.Connection
) -> None:
    now = datetime.now(UTC)
    ahead = [name(add_months(now, n)) for n in range(4)]
    assert set(ahead) <= set(await months(database))
    later = add_months(now, 5)
    for _ in range(2):
        await service.context.partitions.keep(later)
        made = {name(add_months(later, n)) for n in range(4)}
        assert made <= set(await months(database))
        assert MONTHS_AHEAD._value.get() == 3
    indexed = await database.fetch(
        "SELECT count(*) FROM pg_index WHERE indrelid = ANY($1::regclass[]) "
        "GROUP BY indrelid",
        ["memories", name(later), "memories_before", "memories_other"],
    )
    assert len(indexed) == 4
    assert len({row["count"] for row in indexed}) == 1


async def test_a_month_takes_what_waits_for_it(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    month = datetime(2031, 2, 1, tzinfo=UTC)
    times = {
        "before": month - timedelta(microseconds=1),
        "first": month,
        "last": datetime(2031, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
        "after": datetime(2031, 3, 1, tzinfo=UTC),
    }
    for content, time in times.items():
        await ada.tell(content, timestamp=time.isoformat())
    assert set((await places(database, ada.agent_id)).values()) == {"memories_other"}
    before = await ada.export(embeddings=True)
    await service.context.partitions._store.make(month)
    assert await places(database, ada.agent_id) == {
        "before": "memories_other",
        "first": "memories_2031_02",
        "last": "memories_2031_02",
        "after": "memories_other",
    }
    assert await ada.export(embeddings=True) == before
    assert await ada.recall_texts("last", mode="keyword") == ["last"]
    assert (await ada.recent(limit=1))["memories"][0]["content"] == "after"


async def test_a_crowded_month_stays_where_it_is(
    service: Replica,
    ada: Caller,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition_store, "MAX_MOVED", 2)
    month = datetime(2032, 4, 1, tzinfo=UTC)
    await ada.tell_all(["a", "b", "c"], timestamp=month.isoformat())
    await service.context.partitions.keep(month)
    assert name(month) not in await months(database)
    assert name(add_months(month, 1)) in await months(database)
    assert MONTHS_AHEAD._value.get() == 3
    assert len((await ada.recent())["memories"]) == 3


async def test_who_holds_the_table_is_not_waited_for(
    service: Replica, database: asyncpg.Connection
) -> None:
    month = datetime(2033, 1, 1, tzinfo=UTC)
    async with database.transaction():
        await database.execute("LOCK TABLE memories_other IN ROW EXCLUSIVE MODE")
        with pytest.raises(Exception, match="LockNotAvailable"):
            await service.context.partitions._store.make(month)
    assert await service.context.partitions._store.make(month)


async def test_old_months_are_taken_out(
    keeping: Replica,
    agent: str,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partitions, "MAX_RETIRED_TOGETHER", 2)
    ada = keeping.caller(agent)
    start = add_months(datetime.now(UTC), 0)
    old, kept = add_months(start, 1), add_months(start, 2)
    now = add_months(old, RETENTION_MONTHS + 1) + timedelta(days=3)
    ancient = (start - timedelta(days=400)).isoformat()
    await ada.tell_all([f"ancient {n}" for n in range(5)], timestamp=ancient)
    await ada.tell("ancient and pinned", timestamp=ancient, pinned=True)
    await ada.tell_all(["old 1", "old 2", "old 3"], timestamp=old.isoformat())
    told = await ada.tell("kept", timestamp=kept.isoformat())
    assert len(await ada.recall("ancient", mode="semantic", limit=100)) == 10
    try:
        await keeping.context.partitions.keep(now)
        left = {memory["content"] for memory in (await ada.recent())["memories"]}
        assert left == {"ancient and pinned", "kept"}
        found = await ada.recall("ancient", mode="semantic", limit=100)
        assert {memory["content"] for memory in found} == left
        stats = await ada.stats()
        assert stats["index"]["vectors"] == 2
        vectors = "SELECT count(*) FROM embeddings WHERE agent_id = $1"
        assert await database.fetchval(vectors, agent) == 2
        remaining = await months(database)
        assert name(old) not in remaining
        assert name(kept) in remaining
        # Nothing is forgotten by it: it may be told again, and has a place.
        await ada.tell("old 1", timestamp=old.isoformat())
        assert len((await ada.recent())["memories"]) == 3
        assert (await ada.get(told["id"])).status_code == 200
    finally:
        for number in range(4):
            await keeping.context.partitions._store.make(add_months(start, number))


async def test_a_month_with_something_pinned_stays(
    keeping: Replica, agent: str, database: asyncpg.Connection
) -> None:
    ada = keeping.caller(agent)
    month = datetime(2034, 5, 1, tzinfo=UTC)
    await keeping.context.partitions._store.make(month)
    await ada.tell("pinned", timestamp=month.isoformat(), pinned=True)
    await ada.tell("not", timestamp=month.isoformat())
    assert not await keeping.context.partitions._store.drop(name(month))
    assert name(month) in await months(database)
    assert len((await ada.recent())["memories"]) == 2


async def test_without_a_retention_all_stays(service: Replica, ada: Caller) -> None:
    await ada.tell("old", timestamp="1999-01-01T00:00:00Z")
    await service.context.partitions.keep(datetime(2030, 1, 1, tzinfo=UTC))
    assert len((await ada.recent())["memories"]) == 1


async def test_counts_of_a_large_agent(
    service: Replica,
    ada: Caller,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reads, "MAX_COUNTED_AT_ONCE", 3)
    counting = service.context.counting
    await database.execute("UPDATE upkeep SET due_at = $1", FAR)
    told = await ada.tell_all(["one", "two", "three", "four"])
    await ada.tell("five", memory_type="semantic")
    # What no refresh has counted yet is counted when it is asked for.
    assert (await ada.stats())["by_type"] == {"episodic": 4, "semantic": 1}
    assert await counting.count(FAR)
    await ada.tell("six", memory_type="working")
    await ada.tell("seven")
    assert (await ada.stats())["by_type"] == {
        "episodic": 5,
        "semantic": 1,
        "working": 1,
    }
    await ada.delete(told[0]["memory"]["id"])
    assert (await ada.stats())["memories"] == 7
    assert not await counting.count(FAR)
    assert await counting.count(FAR + timedelta(days=1))
    assert (await ada.stats())["by_type"] == {
        "episodic": 4,
        "semantic": 1,
        "working": 1,
    }


async def test_nothing_is_counted_twice(
    service: Replica, other_service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    await ada.tell("one")
    await database.execute("UPDATE upkeep SET due_at = $1", FAR)
    async with database.transaction():
        await database.execute("SELECT FROM upkeep FOR UPDATE")
        assert not await service.context.counting.count(FAR)
    assert await other_service.context.counting.count(FAR)
    later = FAR + timedelta(days=1)
    assert not await service.context.counting.count(later), "nothing has changed"


async def test_a_stale_replica_is_not_read(
    other_service: Replica,
    agent: str,
    database: asyncpg.Connection,
    memory_standby: Postgres,
) -> None:
    """What others wrote is found on the primary once the replica lags."""
    shared = other_service.context.database
    watch = Staleness(shared)
    memory_reads = MemoryReads(shared, watch)

    async def contents() -> list[str]:
        found = await memory_reads.recent(agent, None, None, 10, 0)
        return [memory.content for memory in found]

    async def caught_up() -> bool:
        await watch.measure(MAX_STALENESS_S + 3)
        return not watch.is_stale

    await other_service.caller(agent).tell("x")
    await until(caught_up)
    await watch.measure(0.0)
    standby = await memory_standby.connect()
    try:
        await standby.execute("SELECT pg_wal_replay_pause()")
        await database.execute("DELETE FROM memories WHERE agent_id = $1", agent)
        for second in (1.0, 1.0 + MAX_STALENESS_S):
            await watch.measure(second)
            assert await contents() == ["x"], "within the bound"
        await watch.measure(1.1 + MAX_STALENESS_S)
        assert await contents() == []
    finally:
        await standby.execute("SELECT pg_wal_replay_resume()")
        await standby.close()
    await until(caught_up)
