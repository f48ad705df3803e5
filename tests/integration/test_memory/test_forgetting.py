"""What was deleted, or whose time is over, does not come back by itself."""

from typing import Any

import asyncpg
import pytest
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica

from contracts.ids import new_id
from memory_service.domain import upkeep
from memory_service.stores.writes import MemoryWrites

TABLES = ("memories", "embeddings", "history")


async def rows_of(database: asyncpg.Connection, agent_id: str) -> dict[str, int]:
    return {
        table: await database.fetchval(
            f"SELECT count(*) FROM {table} WHERE agent_id = $1", agent_id
        )
        for table in TABLES
    }


async def test_a_deletion_leaves_nothing(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("my bank's PIN")
    await ada.change(told["id"], content="my bank's new PIN")
    answer = await ada.delete(told["id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["X-Memory-Seq"] == "3"
    assert await ada.recall("bank PIN") == []
    assert (await ada.recent())["memories"] == []
    assert (await ada.get(told["id"])).status_code == 404
    assert await ada.export(embeddings=True) == []
    assert await rows_of(database, ada.agent_id) == dict.fromkeys(TABLES, 0)


async def test_only_what_is_there_can_be_deleted(service: Replica, ada: Caller) -> None:
    told = await ada.tell("once")
    assert (await ada.delete(told["id"])).status_code == 204
    for caller in (ada, service.caller("an-agent-without-memories")):
        again = await caller.delete(told["id"])
        assert again.status_code == 404
        assert again.json()["type"].endswith(":memory-unknown")
    assert (await ada.tell("next"))["seq"] == 3


async def test_a_deleted_id_does_not_come_back(ada: Caller) -> None:
    known = str(new_id())
    fields: dict[str, Any] = {"content": "told once", "agent_id": ada.agent_id}
    told = await ada.tell(**fields, id=known)
    await ada.delete(known)
    one = await ada.http.post(PREFIX, json=fields | {"id": known})
    assert (one.status_code, one.json()["type"]) == (
        409,
        "urn:claude-agi:problem:forgotten",
    )
    (many,) = await ada.tell_all(["told once"], id=known)
    assert many["problem"]["status"] == 409
    totals, (failure, _) = await ada.take_in([told])
    assert totals == {"imported": 0, "skipped": 0, "failed": 1}
    assert failure["problem"]["type"].endswith(":forgotten")
    assert await ada.recall("told once") == []


async def test_what_was_deleted_on_its_way_is_not_stored(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look before the verdict was too early: the one under the lock decides."""
    known = str(new_id())
    await ada.tell("told once", id=known)
    await ada.delete(known)

    async def sees_nothing(_: object, names: object) -> dict[Any, Any]:
        return {}

    monkeypatch.setattr(MemoryWrites, "standing", sees_nothing)
    body = {"content": "told once", "agent_id": ada.agent_id, "id": known}
    answer = await ada.http.post(PREFIX, json=body)
    assert answer.status_code == 409
    assert (await ada.recent())["memories"] == []


async def test_a_person_may_tell_it_anew(ada: Caller) -> None:
    told = await ada.tell("I like pears.")
    await ada.delete(told["id"])
    anew = await ada.tell("I like pears.")
    assert [memory["id"] for memory in await ada.recall("pears")] == [anew["id"]]


async def test_time_is_over(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    kept = await ada.tell("The meeting room is blue.", ttl_seconds=3600)
    gone = await ada.tell("The meeting is in room 5.", ttl_seconds=3600)
    await database.execute(
        "UPDATE memories SET expires_at = now() WHERE agent_id = $1 AND seq = $2",
        ada.agent_id,
        gone["seq"],
    )
    for mode in ("hybrid", "semantic", "keyword"):
        found = await ada.recall("meeting room", mode=mode)
        assert [memory["id"] for memory in found] == [kept["id"]]
    assert (await ada.recent())["memories"] == [kept]
    assert (await ada.get(gone["id"])).status_code == 404
    assert (await ada.stats())["memories"] == 1
    assert [line["id"] for line in await ada.export()] == [kept["id"]]
    await service.context.upkeep.expire_some()
    assert (await rows_of(database, ada.agent_id))["memories"] == 1
    found = await ada.recall("meeting room", mode="semantic")
    assert [memory["id"] for memory in found] == [kept["id"]]
    assert (await ada.stats())["index"]["vectors"] == 1


async def test_expired_memories_go_in_rounds(
    service: Replica,
    ada: Caller,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "MAX_EXPIRED_TOGETHER", 2)
    await ada.tell_all(["a", "b", "c"], ttl_seconds=3600)
    await database.execute(
        "UPDATE memories SET expires_at = now() WHERE agent_id = $1", ada.agent_id
    )
    rounds = [await service.context.upkeep.expire_some() for _ in range(3)]
    assert sum(rounds) <= 3
    assert max(rounds) <= 2
    assert (await rows_of(database, ada.agent_id))["memories"] == 0
