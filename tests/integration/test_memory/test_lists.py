"""Pages, changes and counts."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from tests.integration.test_memory.replicas import (
    BLOCKED,
    OUTAGE,
    PREFIX,
    Caller,
    Replica,
)

from contracts.ids import new_id
from contracts.memory import MemoryStats

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def test_pages_hold_everything_once_newest_first(ada: Caller) -> None:
    for number in range(23):
        # Several have the same time: then the later told is the newer.
        time = NOON + timedelta(minutes=number % 5)
        await ada.tell(f"note {number}", timestamp=time.isoformat())
    seen, cursor = [], None
    while True:
        page = await ada.recent(limit=5, **({"cursor": cursor} if cursor else {}))
        seen += page["memories"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["memories"]) == 5
    expected = sorted(seen, key=lambda m: (m["timestamp"], m["seq"]), reverse=True)
    assert seen == expected
    assert len({memory["id"] for memory in seen}) == 23


async def test_a_page_that_just_fits_is_the_last(ada: Caller) -> None:
    await ada.tell_all(["a", "b"])
    page = await ada.recent(limit=2)
    assert len(page["memories"]) == 2
    assert page["next_cursor"] is None


async def test_pages_of_one_type(ada: Caller) -> None:
    for number in range(6):
        await ada.tell(
            f"note {number}", memory_type=("working", "semantic")[number % 2]
        )
    first = await ada.recent(memory_type="working", limit=2)
    second = await ada.recent(
        memory_type="working", limit=2, cursor=first["next_cursor"]
    )
    contents = [m["content"] for m in first["memories"] + second["memories"]]
    assert contents == ["note 4", "note 2", "note 0"]


async def test_memories_are_looked_up_by_their_ids(
    service: Replica, other_service: Replica, ada: Caller
) -> None:
    told = [await ada.tell(f"note {number}") for number in range(4)]
    ids = [each["id"] for each in told]
    gone = ids.pop()
    deleted = await service.http.delete(
        f"{PREFIX}/{gone}", params={"agent_id": ada.agent_id}
    )
    headers = {"X-Min-Seq": deleted.headers["X-Memory-Seq"]}
    body = {"agent_id": ada.agent_id, "ids": [*ids[1:], gone, str(new_id())]}
    for each in (service, other_service):
        answer = await each.http.post(f"{PREFIX}/lookup", json=body, headers=headers)
        found = [memory["content"] for memory in answer.json()["memories"]]
        assert sorted(found) == ["note 1", "note 2"]
    foreign = {**body, "agent_id": "nobody"}
    answer = await service.http.post(f"{PREFIX}/lookup", json=foreign)
    assert answer.json() == {"memories": []}


async def test_a_cursor_belongs_to_its_list(service: Replica, ada: Caller) -> None:
    await ada.tell_all(["a", "b"])
    cursor = (await ada.recent(limit=1))["next_cursor"]
    elsewhere = [
        {"agent_id": "another", "cursor": cursor},
        {"agent_id": ada.agent_id, "memory_type": "working", "cursor": cursor},
        {"agent_id": ada.agent_id, "cursor": "x"},
        {"agent_id": ada.agent_id, "cursor": ""},
        {"agent_id": ada.agent_id, "cursor": cursor + "A" * 600},
    ]
    for parameters in elsewhere:
        answer = await service.http.get(f"{PREFIX}/recent", params=parameters)
        assert answer.status_code == 422, parameters


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "99999999999999999999", "x", ""])
async def test_a_limit_that_is_none(service: Replica, limit: str) -> None:
    answer = await service.http.get(f"{PREFIX}/recent", params={"limit": limit})
    assert answer.status_code == 422


async def test_a_change_keeps_the_id_and_notes_what_it_was(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("The key is under the mat.", importance=0.2)
    answer = await ada.change(
        told["id"],
        content="The key is with Ruth.",
        metadata={"by": "Ruth"},
        pinned=True,
    )
    changed = answer.json()
    assert answer.headers["X-Memory-Seq"] == "3"
    expected = {
        "content": "The key is with Ruth.",
        "metadata": {"by": "Ruth"},
        "pinned": True,
        "updated_at": changed["updated_at"],
    }
    assert changed == told | expected
    assert changed["updated_at"] > told["updated_at"]
    assert await ada.recall_texts("Who has the key?") == ["The key is with Ruth."]
    assert await ada.recall("mat", mode="keyword") == []
    row = await database.fetchrow(
        "SELECT seq, changed_by, before::text, after::text FROM history "
        "WHERE agent_id = $1",
        ada.agent_id,
    )
    assert (row["seq"], row["changed_by"]) == (3, "loopback")
    assert json.loads(row["before"]) == {
        "content": "The key is under the mat.",
        "metadata": {},
        "pinned": False,
    }
    assert json.loads(row["after"])["content"] == "The key is with Ruth."


async def test_a_change_of_nothing_is_none(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("as it is", importance=0.5)
    for fields in ({}, {"importance": 0.5}, {"content": None}):
        answer = await ada.change(told["id"], **fields)
        assert (answer.status_code, answer.json()) == (200, told)
    assert (await ada.stats())["index"]["seq"] == 1


async def test_a_change_is_judged(service: Replica, ada: Caller) -> None:
    told = await ada.tell("harmless")
    for content, status in ((f"{BLOCKED} now", 422), (f"changed {OUTAGE}", 503)):
        answer = await ada.change(told["id"], content=content)
        assert answer.status_code == status
    assert (await ada.get(told["id"])).json() == told
    asked = len(service.safety.asked)
    await ada.change(told["id"], importance=0.9)
    assert len(service.safety.asked) == asked


async def test_counts(ada: Caller) -> None:
    await ada.tell("one", memory_type="working")
    await ada.tell("two")
    told = await ada.tell("three")
    await ada.delete(told["id"])
    await ada.recall("x")
    stats = MemoryStats.model_validate(await ada.stats())
    assert (stats.memories, stats.unjudged) == (2, 0)
    assert stats.by_type == {"episodic": 1, "working": 1}
    assert (stats.index.vectors, stats.index.seq, stats.index.lag) == (2, 4, 0)
    assert stats.embedding_model == "all-MiniLM-L6-v2"
    assert stats.replica_lag_seconds is None


async def test_the_standby_tells_its_lag(other_service: Replica, agent: str) -> None:
    caller = other_service.caller(agent)
    await caller.tell("x")
    lag_seconds = (await caller.stats())["replica_lag_seconds"]
    assert lag_seconds >= 0


async def test_an_agent_that_nobody_knows(service: Replica) -> None:
    caller = service.caller("nobody-yet")
    assert await caller.recent() == {"memories": [], "next_cursor": None}
    assert (await caller.stats())["memories"] == 0
    assert await caller.export() == []
