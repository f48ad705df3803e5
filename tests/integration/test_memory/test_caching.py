"""Answers that were given before: soon, never stale, and not needed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio as redis
from prometheus_client import REGISTRY
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica, replica
from tests.support.waiting import until

from devstack.valkey import Valkey
from memory_service.domain import caching

QUERY = "What does Ada keep in the shed?"


@pytest_asyncio.fixture(scope="module")
async def valkey(memory_folder: Path) -> AsyncIterator[Valkey]:
    async with Valkey.of(memory_folder / "valkey") as server:
        yield server


@pytest_asyncio.fixture(scope="module")
async def shared(valkey: Valkey) -> AsyncIterator[redis.Redis]:
    """Valkey as it is."""
    client = redis.Redis.from_url(valkey.url)
    yield client
    await client.aclose()


@pytest_asyncio.fixture(scope="module")
async def first(memory_dsn: str, valkey: Valkey) -> AsyncIterator[Replica]:
    async with replica(memory_dsn, redis_url=valkey.url) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def second(memory_dsn: str, valkey: Valkey) -> AsyncIterator[Replica]:
    async with replica(memory_dsn, redis_url=valkey.url) as running:
        yield running


@pytest.fixture
def here(first: Replica, agent: str) -> Caller:
    return first.caller(agent)


@pytest.fixture
def there(second: Replica, agent: str) -> Caller:
    return second.caller(agent)


@pytest.fixture
def answered() -> Callable[[str, str], int]:
    """How many questions of a kind a level answered since the test began."""
    before: dict[tuple[str, str], float] = {}

    def count(kind: str, level: str) -> int:
        labels = {"kind": kind, "level": level}
        name = "claude_agi_memory_cache_total"
        total = REGISTRY.get_sample_value(name, labels) or 0
        return int(total - before.get((kind, level), 0))

    kinds, levels = ("recall", "recent", "query"), ("process", "shared", "miss")
    before |= {(k, v): count(k, v) for k in kinds for v in levels}
    return count


async def fields_of(shared: redis.Redis, agent: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for key in await shared.keys(f"*{agent}*"):
        # The client's types do not say that it was told not to decode.
        fields: Any = await shared.hgetall(key)
        found |= fields
    return found


async def until_shared(shared: redis.Redis, agent: str, entries: int) -> None:
    async def are_there() -> bool:
        return len(await fields_of(shared, agent)) == entries

    await until(are_there)


async def test_each_level_answers_what_it_was_told(
    here: Caller,
    there: Caller,
    shared: redis.Redis,
    answered: Callable[[str, str], int],
) -> None:
    seq = (await here.tell("Ada keeps a kite in the shed."))["seq"]
    found = await here.recall(QUERY)
    listed = await here.recent()
    assert (answered("recall", "miss"), answered("recent", "miss")) == (1, 1)
    assert await here.recall(QUERY) == found
    assert await here.recent() == listed
    assert (answered("recall", "process"), answered("recent", "process")) == (1, 1)
    await until_shared(shared, here.agent_id, 2)
    assert await there.recall(QUERY, seq) == found
    # The other one follows the agent since the recall opened its index.
    assert await there.recent(seq) == listed
    assert (answered("recall", "shared"), answered("recent", "shared")) == (1, 1)
    assert answered("recall", "miss") == 1


async def test_a_write_is_never_hidden(here: Caller, there: Caller) -> None:
    texts = [f"Ada put thing {n} into the shed." for n in range(20)]
    for count, text in enumerate(texts, 1):
        # Turn about, so that each finds the other's answer of before in Valkey.
        writer, reader = (here, there) if count % 2 else (there, here)
        seq = (await writer.tell(text))["seq"]
        for caller in (writer, reader):
            recalled = await caller.recall(QUERY, seq, limit=100)
            recent = await caller.recent(seq, limit=100)
            assert {m["content"] for m in recalled} == set(texts[:count])
            assert len(recent["memories"]) == count


async def test_questions_at_once_share_one_search(
    here: Caller, answered: Callable[[str, str], int]
) -> None:
    await here.tell("Ada keeps a kite in the shed.")
    found = await asyncio.gather(*(here.recall(QUERY) for _ in range(20)))
    assert found == [found[0]] * 20
    assert answered("recall", "miss") == 1


async def test_a_query_is_embedded_once(
    here: Caller, answered: Callable[[str, str], int]
) -> None:
    for n in range(3):
        await here.tell(f"Ada keeps {n} kites in the shed.")
        await here.recall(QUERY)
    assert answered("recall", "miss") == 3
    assert (answered("query", "miss"), answered("query", "process")) == (1, 2)


async def test_nothing_deleted_stays_in_valkey(
    here: Caller, shared: redis.Redis
) -> None:
    kite = await here.tell("Ada keeps a kite in the shed.")
    await here.recall(QUERY)
    await here.recent()
    await until_shared(shared, here.agent_id, 2)
    kept = await fields_of(shared, here.agent_id)
    assert all(b"kite" in value for value in kept.values())
    await here.delete(kite["id"])
    assert await fields_of(shared, here.agent_id) == {}
    assert await here.recall(QUERY) == []
    assert (await here.recent())["memories"] == []


async def test_what_expires_is_not_kept(
    here: Caller, answered: Callable[[str, str], int]
) -> None:
    await here.tell("Ada keeps a kite in the shed.", ttl_seconds=3600)
    for _ in range(2):
        assert len(await here.recall(QUERY)) == 1
        assert len((await here.recent())["memories"]) == 1
    assert (answered("recall", "miss"), answered("recent", "miss")) == (2, 2)


async def test_agents_have_answers_of_their_own(here: Caller, first: Replica) -> None:
    await here.tell("Ada keeps a kite in the shed.")
    other = first.caller(f"{here.agent_id}-other")
    assert len(await here.recall(QUERY)) == 1
    assert await other.recall(QUERY) == []
    assert (await other.recent())["memories"] == []


async def test_a_kept_answer_counts_as_an_access(here: Caller, first: Replica) -> None:
    kite = await here.tell("Ada keeps a kite in the shed.")
    for _ in range(3):
        await here.recall(QUERY)
    await first.context.accesses.flush()
    assert (await here.get(kite["id"])).json()["access_count"] == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 1},
        {"mode": "semantic"},
        {"mode": "keyword"},
        {"min_score": 0.9},
        {"filters": {"memory_type": "semantic"}},
        {"filters": {"since": "2999-01-01T00:00:00+00:00"}},
        {"filters": {"evidence": ["thought", "inferred"]}},
        {"filters": {"metadata": {"a": {"b": 1, "c": 2}}}},
    ],
    ids=str,
)
async def test_another_question_has_another_answer(
    here: Caller, answered: Callable[[str, str], int], fields: dict[str, Any]
) -> None:
    await here.tell("Ada keeps a kite in the shed.")
    await here.tell("Ada keeps a boat in the shed.")
    await here.recall(QUERY)
    await here.recall(QUERY, **fields)
    assert answered("recall", "miss") == 2
    await here.recall(QUERY, **fields)
    assert answered("recall", "process") == 1


@pytest.mark.parametrize("odd", ["text", "list", "fields"])
async def test_what_others_left_under_our_keys_is_not_served(
    here: Caller, there: Caller, shared: redis.Redis, odd: str
) -> None:
    seq = (await here.tell("Ada keeps a kite in the shed."))["seq"]
    await here.recall(QUERY)
    await until_shared(shared, here.agent_id, 1)
    (key,) = await shared.keys(f"*{here.agent_id}*")
    ((field, value),) = (await fields_of(shared, here.agent_id)).items()
    await shared.unlink(key)
    if odd == "text":
        await shared.set(key, b"\xff" * 100)
    elif odd == "list":
        await shared.rpush(key, b"a", b"b")
    else:
        # As it was, but for one byte; and numbers far ahead.
        broken = value.replace(b"kite", b"kitf")
        await shared.hset(key, mapping={field: broken, b"x": b"\xff" * 64})
    (found,) = await there.recall(QUERY, seq)
    assert found["content"] == "Ada keeps a kite in the shed."


async def test_without_valkey_all_is_as_right(
    memory_dsn: str, memory_folder: Path, agent: str
) -> None:
    async with Valkey.of(memory_folder / "lost") as lost:
        url = lost.url
        async with replica(memory_dsn, redis_url=url) as running:
            caller = running.caller(agent)
            await caller.tell("Ada keeps a kite in the shed.")
            found = await caller.recall(QUERY)
            await lost.stop()
            assert await caller.recall(QUERY) == found
            await caller.tell("Ada keeps a boat in the shed.")
            assert len(await caller.recall(QUERY)) == 2
            assert len((await caller.recent())["memories"]) == 2


async def test_the_process_keeps_no_more_than_its_bytes(
    here: Caller, first: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "MAX_PROCESS_BYTES", 20_000)
    await here.tell("Ada keeps a kite in the shed. " * 20)
    for n in range(40):
        await here.recall(f"kite {n}")
        assert first.context.caches.bytes <= 20_000
    answer = await first.http.get(f"{PREFIX}/stats", params={"agent_id": here.agent_id})
    state = answer.json()["cache"]
    assert 0 < state["entries"] < 40
    assert 0 < state["bytes"] <= 20_000


async def test_an_agent_has_so_many_answers_in_valkey(
    here: Caller, shared: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "MAX_SHARED_ENTRIES", 5)
    await here.tell("Ada keeps a kite in the shed.")
    for n in range(20):
        await here.recall(f"kite {n}")
    assert len(await fields_of(shared, here.agent_id)) <= 6
