"""Vectors in a Milvus that replicas share: Milvus Lite, by the same code."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from pydantic import ValidationError
from tests.integration.test_memory.milvus import MilvusServer, milvus_server
from tests.integration.test_memory.replicas import (
    PREFIX,
    Caller,
    Process,
    Replica,
    SafetyServer,
    make_settings,
    process,
    replica,
)
from tests.support.waiting import until

from embedding.manifest import DIMENSION, MODEL_NAME
from memory_service.errors import VectorsUnavailable
from memory_service.models.vectors import Change, Part, Position, Vector
from memory_service.providers.milvus import Milvus, MilvusVectors
from memory_service.providers.vectors.agent import AgentVectors

COLLECTION = "claude_agi_memories"
HISTORY = "a history"


@pytest_asyncio.fixture(scope="module")
async def milvus() -> AsyncIterator[MilvusServer]:
    async with milvus_server() as server:
        yield server


@pytest.fixture(scope="module")
def shared(milvus: MilvusServer) -> dict[str, str]:
    return {"vector_store": "milvus", "milvus_uri": milvus.uri}


@pytest_asyncio.fixture(scope="module")
async def first(memory_dsn: str, shared: dict[str, str]) -> AsyncIterator[Replica]:
    async with replica(memory_dsn, **shared) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def second(
    memory_dsn: str, standby_dsn: str, shared: dict[str, str]
) -> AsyncIterator[Replica]:
    async with replica(memory_dsn, database_replica_url=standby_dsn, **shared) as other:
        yield other


@pytest.fixture(scope="module")
def store(milvus: MilvusServer) -> Milvus:
    return Milvus(milvus.uri, None, COLLECTION, MODEL_NAME)


def rows_of(store: Milvus, agent: str) -> dict[int, Any]:
    """What Milvus has of an agent, by the numbers of the memories."""
    found = store.client().query(
        store.rows,
        filter=f'agent == "{agent}"',
        output_fields=["seq", "part", "vector"],
        consistency_level="Strong",
    )
    return {row["seq"]: row for row in found}


def random_vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    numbers = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    return numbers.astype(np.float32)


def added(seq: int, vector: Vector, part: Part = Part.FACTS) -> Change:
    return Change(seq, part, vector.astype("<f2").tobytes())


def removed(seq: int) -> Change:
    return Change(seq, Part.FACTS, None)


class Shared:
    """Milvus' vectors by the interface of those in the process."""

    def __init__(self, store: Milvus, agent: str) -> None:
        self.vectors = MilvusVectors(store, agent)
        self._upto = 0

    def apply(self, changes: list[Change]) -> None:
        self._upto += len(changes)
        self.vectors.apply(changes, Position(self._upto, HISTORY))


@pytest.mark.parametrize("kind", ["milvus", "own"])
def test_both_kinds_answer_alike(store: Milvus, agent: str, kind: str) -> None:
    """A table of changes, held against what a dictionary would say."""
    own = AgentVectors(agent, MODEL_NAME)
    shared = Shared(store, agent)
    apply: Any = own.apply if kind == "own" else shared.apply
    vectors = own if kind == "own" else shared.vectors
    given = random_vectors(60)
    parts = list(Part)
    apply([added(seq, given[seq], parts[seq % 3]) for seq in range(1, 40)])
    # Removed, moved to another part, changed, never there, twice in one page.
    apply([removed(3), removed(3), removed(999)])
    apply([added(5, given[5], Part.PAST), added(7, given[47])])
    apply([added(8, given[48]), removed(8), added(50, given[50]), removed(50)])
    apply([removed(9), added(9, given[49])])
    expected = {seq: (parts[seq % 3], given[seq]) for seq in range(1, 40)}
    for seq in (3, 8):
        del expected[seq]
    expected |= {5: (Part.PAST, given[5]), 7: (Part.FACTS, given[47])}
    expected |= {9: (Part.FACTS, given[49])}
    assert len(vectors) == len(expected)
    query = random_vectors(1, seed=1)[0]

    def cosines(*of: Part) -> dict[int, float]:
        return {s: float(v @ query) for s, (p, v) in expected.items() if p in of}

    def check(found: dict[int, float], right: dict[int, float], limit: int) -> None:
        best = sorted(right, key=right.__getitem__, reverse=True)[:limit]
        assert list(found) == best
        assert found == pytest.approx({s: right[s] for s in best}, abs=2e-3)

    check(vectors.search(query, 10), cosines(*Part), 10)
    check(vectors.search(query, 100), cosines(*Part), 100)
    for part in Part:
        check(vectors.search(query, 5, parts={part}), cosines(part), 5)
    some = np.array([1, 3, 5, 7, 8, 9, 20, 999], dtype=np.int64)
    within = {s: c for s, c in cosines(*Part).items() if s in some}
    check(vectors.search(query, 3, within=some), within, 3)
    check(vectors.search(query, 50, within=some), within, 50)
    nothing = np.array([], dtype=np.int64)
    assert vectors.search(query, 5, within=nothing) == {}
    asked = [7, 3, 9, 12345]
    here = {s: c for s, c in cosines(*Part).items() if s in asked}
    assert vectors.scores(query, asked) == pytest.approx(here, abs=2e-3)
    assert vectors.scores(query, []) == {}


def test_more_numbers_than_one_filter_lists(
    store: Milvus, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory_service.providers.milvus.MAX_LISTED", 7)
    shared = Shared(store, agent)
    given = random_vectors(40)
    shared.apply([added(seq, given[seq]) for seq in range(1, 40)])
    within = np.arange(2, 36, dtype=np.int64)
    found = shared.vectors.search(given[30], 5, within=within)
    cosines = {int(seq): float(given[seq] @ given[30]) for seq in within}
    assert list(found) == sorted(cosines, key=cosines.__getitem__, reverse=True)[:5]


def test_agents_are_apart(store: Milvus, agent: str) -> None:
    ann, bob = Shared(store, f"{agent}.ann"), Shared(store, f"{agent}.bob")
    given = random_vectors(4)
    ann.apply([added(1, given[0]), added(2, given[1])])
    bob.apply([added(1, given[2])])
    assert set(ann.vectors.search(given[0], 10)) == {1, 2}
    assert bob.vectors.search(given[0], 10) == pytest.approx(
        {1: float(given[2] @ given[0])}, abs=2e-3
    )
    assert bob.vectors.scores(given[0], [1, 2]).keys() == {1}
    bob.vectors.clear()
    assert bob.vectors.position() is None
    assert bob.vectors.search(given[0], 10) == {}
    assert len(ann.vectors.search(given[0], 10)) == 2
    assert ann.vectors.position() == Position(2, HISTORY)


async def test_what_one_replica_is_told_another_recalls(
    first: Replica, second: Replica, agent: str
) -> None:
    ada, eva = first.caller(agent), second.caller(agent)
    told = await ada.tell("Ada keeps bees behind the old mill")
    await eva.tell("The trains were late on Tuesday")
    for caller in (ada, eva):
        for mode in ("semantic", "hybrid", "keyword"):
            (best,) = await caller.recall("who keeps bees?", 2, limit=1, mode=mode)
            assert best["id"] == told["id"]
        index = (await caller.stats())["index"]
        assert (index["kind"], index["vectors"], index["seq"]) == ("milvus", 2, 2)


async def test_changes_and_deletions_reach_it(
    first: Replica, second: Replica, store: Milvus, agent: str
) -> None:
    ada, eva = first.caller(agent), second.caller(agent)
    bees = await ada.tell("Ada keeps bees behind the old mill")
    await ada.tell("The trains were late on Tuesday")
    changed = await eva.change(bees["id"], content="Ada sold her boat in spring")
    seq = int(changed.headers["X-Memory-Seq"])
    found = await ada.recall("a boat was sold", seq, mode="semantic", limit=1)
    assert [memory["id"] for memory in found] == [bees["id"]]
    gone = await ada.delete(bees["id"])
    seq = int(gone.headers["X-Memory-Seq"])
    found = await eva.recall("a boat was sold", seq, mode="semantic")
    assert [m["content"] for m in found] == ["The trains were late on Tuesday"]
    # No past version of it is left either.
    assert len(rows_of(store, agent)) == 1


async def test_filters_find_as_many_as_there_are(first: Replica, agent: str) -> None:
    ada = first.caller(agent)
    for number in range(12):
        user = "cy" if number % 4 == 0 else "bob"
        await ada.tell(f"tea number {number} with {user}", user_id=user)
    await ada.tell("tea is a thought", evidence="thought", memory_type="thought")
    filters = {"user_id": "cy"}
    found = await ada.recall("tea", mode="semantic", filters=filters, limit=10)
    assert sorted(m["content"] for m in found) == [
        f"tea number {number} with cy" for number in (0, 4, 8)
    ]
    only = {"evidence": "thought"}
    found = await ada.recall("tea", mode="semantic", filters=only)
    assert [memory["content"] for memory in found] == ["tea is a thought"]


async def test_replicas_take_turns(
    first: Replica, second: Replica, store: Milvus, agent: str
) -> None:
    """Each change is written once, in order, whoever tells and whoever follows."""

    async def tell(caller: Caller, name: str) -> None:
        for number in range(10):
            told = await caller.tell(f"{name} saw {number * 37} birds")
            if number % 3 == 0:
                await caller.delete(told["id"])

    ada, eva = first.caller(agent), second.caller(agent)
    await asyncio.gather(tell(ada, "Ada"), tell(eva, "Eva"), tell(ada, "Oda"))
    seq = (await ada.recent(limit=1))["memories"][0]["seq"]
    standing = {m["seq"] for m in (await ada.recent(limit=100))["memories"]}
    for caller in (ada, eva):
        found = await caller.recall("birds", seq, mode="semantic", limit=100)
        assert {memory["seq"] for memory in found} == standing
        assert (await caller.stats())["index"]["vectors"] == len(standing)
    assert set(rows_of(store, agent)) == standing


async def test_a_restart_goes_on_where_it_ended(
    memory_dsn: str, shared: dict[str, str], first: Replica, store: Milvus, agent: str
) -> None:
    ada = first.caller(agent)
    told = [await ada.tell(text) for text in ("red apples", "green pears")]
    await ada.recall("fruit", told[1]["seq"], mode="semantic")
    store.client().delete(store.rows, ids=[f"{agent}/{told[0]['seq']}"])
    async with replica(memory_dsn, **shared) as again:
        found = await again.caller(agent).recall("fruit", mode="semantic")
        # What was taken away behind its back is not told a second time.
        assert [memory["id"] for memory in found] == [told[1]["id"]]


@pytest.mark.parametrize(
    "note", [{"timeline": "another"}, {"seq": 99}, None], ids=["other", "ahead", "none"]
)
async def test_vectors_of_another_history_are_replaced(
    memory_dsn: str,
    shared: dict[str, str],
    first: Replica,
    store: Milvus,
    agent: str,
    note: dict[str, Any] | None,
) -> None:
    ada = first.caller(agent)
    told = await ada.tell("red apples")
    await ada.recall("fruit", told["seq"], mode="semantic")
    client = store.client()
    (kept,) = client.get(store.notes, ids=[agent])
    if note is None:
        client.delete(store.notes, ids=[agent])
    else:
        client.upsert(store.notes, [kept | note])
    vector = random_vectors(1)[0]
    lost = {"key": f"{agent}/7", "agent": agent, "seq": 7, "part": "facts"}
    client.upsert(store.rows, [lost | {"vector": vector}])
    async with replica(memory_dsn, **shared) as again:
        found = await again.caller(agent).recall("fruit", mode="semantic")
    assert [memory["id"] for memory in found] == [told["id"]]
    assert set(rows_of(store, agent)) == {told["seq"]}
    (noted,) = client.get(store.notes, ids=[agent])
    assert (noted["seq"], noted["timeline"]) == (1, kept["timeline"])


async def test_a_replica_killed_amid_an_import(
    memory_dsn: str,
    milvus: MilvusServer,
    safety_server: SafetyServer,
    store: Milvus,
    agent: str,
    database: Any,
) -> None:
    settings = {
        "SAFETY_URL": safety_server.address,
        "VECTOR_STORE": "milvus",
        "MILVUS_URI": milvus.uri,
    }
    lines = "\n".join(json.dumps({"content": f"page {n}"}) for n in range(1500))

    async def some_are_there() -> bool:
        return bool(rows_of(store, agent))

    async def take_in(service: Process) -> None:
        async with service.client() as http:
            await http.post(
                f"{PREFIX}/import", params={"agent_id": agent}, content=lines
            )

    async with process(memory_dsn, **settings) as service:
        async with service.client() as http:
            await http.get(f"{PREFIX}/stats", params={"agent_id": agent})
        telling = asyncio.create_task(take_in(service))
        await until(some_are_there)
        await service.stop(kill=True)
        await asyncio.gather(telling, return_exceptions=True)
    async with process(memory_dsn, **settings) as service, service.client() as http:
        query = "SELECT seq FROM memories WHERE agent_id = $1"
        stored = {row["seq"] for row in await database.fetch(query, agent)}

        async def all_are_found() -> bool:
            stats = await http.get(f"{PREFIX}/stats", params={"agent_id": agent})
            return bool(stats.json()["index"]["vectors"] == len(stored))

        await until(all_are_found)
    assert set(rows_of(store, agent)) == stored


async def test_while_milvus_is_away(
    memory_dsn: str, safety_server: SafetyServer, agent: str
) -> None:
    async with milvus_server() as server:
        settings = {"vector_store": "milvus", "milvus_uri": server.uri}
        async with replica(memory_dsn, **settings) as service:
            ada = service.caller(agent)
            await ada.tell("Ada keeps bees")
            assert await ada.recall_texts("bees", mode="semantic") == ["Ada keeps bees"]
            await server.stop()
            late = await ada.tell("Ada sold honey")
            for mode in ("semantic", "hybrid"):
                body = {"query": "sweet", "agent_id": agent, "mode": mode}
                answer = await ada.http.post(f"{PREFIX}/recall", json=body)
                assert answer.status_code == 503, answer.text
                assert answer.json()["type"].endswith(":vectors-unavailable")
                assert answer.headers["Retry-After"] == "1"
            found = await ada.recall_texts("honey", mode="keyword")
            assert found == ["Ada sold honey"]
            await server.start()

            async def found_again() -> bool:
                body = {"query": "honey", "agent_id": agent, "mode": "semantic"}
                answer = await ada.http.post(f"{PREFIX}/recall", json=body)
                if answer.status_code != 200:
                    return False
                (best, _) = answer.json()["memories"]
                return bool(best["id"] == late["id"])

            await until(found_again)


def test_without_a_server_there_is_an_error(agent: str) -> None:
    nowhere = Milvus("http://127.0.0.1:9", None, COLLECTION, MODEL_NAME)
    with pytest.raises(VectorsUnavailable):
        MilvusVectors(nowhere, agent).position()


def test_settings_name_what_is_missing(memory_dsn: str) -> None:
    with pytest.raises(ValidationError, match="needs MILVUS_URI"):
        make_settings(memory_dsn, vector_store="milvus")
    with pytest.raises(ValidationError, match="milvus_collection"):
        make_settings(memory_dsn, milvus_collection="a-b")
