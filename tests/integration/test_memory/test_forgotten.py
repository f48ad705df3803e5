"""What is to be forgotten goes, and whoever writes it again is refused."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica

from contracts.ids import new_id
from memory_service.stores.forgetting import ForgettingStore


async def left(ada: Caller) -> set[str]:
    return {memory["content"] for memory in (await ada.recent(limit=1000))["memories"]}


async def test_a_value_goes_wherever_it_is(ada: Caller) -> None:
    await ada.tell_all(
        [
            "Carla Rossi called at noon.",
            "I owe carla  ROSSI a letter",
            "Carla called.",
            "Rossi, Carla: a name in a list.",
            "Ｃａｒｌａ Ｒｏｓｓｉ!",
        ]
    )
    await ada.tell("A card came.", metadata={"from": {"name": "Carla Rossi"}})
    forgot = await ada.forget(value="Carla Rossi.")
    assert forgot == {"memories": 4, "versions": 0, "derived": 0, "tombstones": 1}
    assert await left(ada) == {"Carla called.", "Rossi, Carla: a name in a list."}
    assert await ada.recall_texts("Who is Carla Rossi?") != []
    again = await ada.forget(value="Carla Rossi.")
    assert again["memories"] == 0
    assert len((await ada.tombstones())["records"]) == 1


WRITES: list[tuple[str, dict[str, Any]]] = [
    ("carla rossi", {}),
    ("Yesterday Carla Rossi was here.", {}),
    ("She said: 'Carla Rossi'!", {"evidence": "observed"}),
    ("Who is Carla Rossi?", {"evidence": "thought"}),
    ("Carla Rossi matters.", {"evidence": "inferred"}),
    ("Carla Rossi by the outbox.", {"evidence": "thought", "id": str(new_id())}),
    ("A card came.", {"metadata": {"from": ["Carla Rossi"]}}),
]


async def test_nobody_writes_it_again(ada: Caller) -> None:
    """Nothing need be stored for it."""
    forgot = await ada.forget(value="Carla Rossi")
    assert forgot == {"memories": 0, "versions": 0, "derived": 0, "tombstones": 1}
    stands = await ada.tell("A card came from somebody.")
    for text, fields in WRITES:
        assert await ada.refused(text, **fields) == "forgotten"
        (result,) = await ada.tell_all([text], **fields)
        assert result["problem"]["status"] == 409
        totals, (failure, _) = await ada.take_in([{"content": text} | fields])
        assert totals["failed"] == 1
        assert failure["problem"]["type"].endswith(":forgotten")
    for fields in ({"content": "It was Carla Rossi."}, {"metadata": WRITES[-1][1]}):
        answer = await ada.change(stands["id"], **fields)
        assert answer.status_code == 409
    assert await left(ada) == {"A card came from somebody."}
    await ada.tell("Carla and Ms Rossi are two.")


async def test_only_the_agents_own(service: Replica, ada: Caller, agent: str) -> None:
    await ada.forget(value="Carla Rossi")
    other = service.caller(f"{agent}-other")
    await other.tell("Carla Rossi called.")
    assert (await other.tombstones())["records"] == []


async def test_filters_find_what_is_to_go(ada: Caller) -> None:
    await ada.tell_all(["My PIN is 4711.", "Yes."], user_id="ann")
    await ada.tell_all(["Yes.", "The sun shines."], user_id="bob")
    forgot = await ada.forget(filters={"user_id": "ann"})
    assert forgot == {"memories": 2, "versions": 0, "derived": 0, "tombstones": 2}
    assert await left(ada) == {"Yes.", "The sun shines."}
    assert await ada.refused("My PIN is 4711.") == "forgotten"
    assert await ada.refused("As I said, my PIN is 4711!") == "forgotten"
    assert await ada.refused("yes") == "forgotten"
    await ada.tell("Yes, the sun shines.")


async def test_filters_reach_all_pages(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory_service.domain.forgetting.MAX_TOGETHER", 3)
    await ada.tell_all([f"Entry number {n} of ann." for n in range(10)], user_id="ann")
    await ada.tell("An entry of bob.", user_id="bob")
    forgot = await ada.forget(filters={"user_id": "ann"})
    assert forgot["memories"] == forgot["tombstones"] == 10
    assert await left(ada) == {"An entry of bob."}


async def test_a_value_is_found_in_all_pages(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory_service.domain.forgetting.SCAN_SEQS", 4)
    monkeypatch.setattr("memory_service.domain.forgetting.MAX_TOGETHER", 2)
    await ada.tell_all([f"Carla Rossi's entry {n}." for n in range(10)])
    assert (await ada.forget(value="Carla Rossi"))["memories"] == 10
    assert await left(ada) == set()


async def test_past_versions_notes_and_what_was_derived(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("Nora's surgeon is Carla Rossi of the clinic.")
    cited = {"sources": [told["id"]]}
    await ada.tell("Carla? Nora's surgeon!", evidence="thought", **cited)
    await ada.tell("I think of ships.", evidence="thought", **cited)
    await ada.change(told["id"], content="Nora's surgeon is somebody else now.")
    forgot = await ada.forget(value="Carla Rossi")
    assert forgot == {"memories": 0, "versions": 1, "derived": 1, "tombstones": 1}
    assert await left(ada) == {
        "Nora's surgeon is somebody else now.",
        "I think of ships.",
    }
    assert (await ada.history(told["id"]))["records"] == []
    for table in ("memories", "history", "mentions"):
        assert not await database.fetchval(
            f"SELECT count(*) FROM {table} WHERE {table}::text ILIKE '%carla%'"
            " AND agent_id = $1",
            ada.agent_id,
        )


async def test_what_only_notes_tell(ada: Caller, database: asyncpg.Connection) -> None:
    named = {"from": "Carla Rossi"}
    told = await ada.tell("A card came.")
    await ada.change(told["id"], metadata=named)
    await ada.change(told["id"], metadata={"from": "somebody"})
    await ada.change(told["id"], pinned=True)
    await ada.tell("A card came!", metadata=named)
    assert (await ada.forget(value="Carla Rossi"))["memories"] == 0
    (record,) = (await ada.history(told["id"]))["records"]
    assert record["after"] == {"pinned": True}
    assert await left(ada) == {"A card came."}
    for table in ("history", "mentions"):
        assert not await database.fetchval(
            f"SELECT count(*) FROM {table} WHERE {table}::text ILIKE '%carla%'"
            " AND agent_id = $1",
            ada.agent_id,
        )


async def test_a_number_in_scripts_without_spaces(ada: Caller) -> None:
    await ada.tell("我的银行密码是4711吗")
    await ada.tell("我的银行在哪里")
    assert (await ada.forget(value="银行密码是4711"))["memories"] == 1
    assert await ada.refused("你的银行密码是4711") == "forgotten"
    assert await left(ada) == {"我的银行在哪里"}


async def test_an_admin_lifts_it(ada: Caller) -> None:
    await ada.forget(value="Carla Rossi")
    await ada.forget(value="Doctor Feldmann of the Altmark clinic")
    page = await ada.tombstones(limit=1)
    rest = await ada.tombstones(limit=1, cursor=page["next_cursor"])
    assert rest["next_cursor"] is None
    (newer,), (older,) = page["records"], rest["records"]
    assert (newer["kind"], newer["created_by"]) == ("forgotten", "loopback")
    assert set(newer) == {"id", "agent_id", "kind", "created_at", "created_by"}
    path, scope = f"{PREFIX}/tombstones/{older['id']}", {"agent_id": ada.agent_id}
    assert (await ada.http.delete(path, params=scope)).status_code == 204
    again = await ada.http.delete(path, params=scope)
    assert (again.status_code, again.json()["type"]) == (
        404,
        "urn:claude-agi:problem:tombstone-unknown",
    )
    await ada.tell("Carla Rossi called.")
    assert await ada.refused("Doctor Feldmann of the Altmark clinic") == "forgotten"


async def test_deleting_does_not_weaken_forgetting(ada: Caller) -> None:
    told = await ada.tell("My PIN is 4711.")
    await ada.forget(value="My PIN is 4711.")
    assert await ada.refused("My PIN is 4711.") == "forgotten"
    other = await ada.tell("Something else.")
    await ada.delete(other["id"])
    kinds = [stone["kind"] for stone in (await ada.tombstones())["records"]]
    assert kinds == ["deleted", "forgotten"]
    assert (await ada.get(told["id"])).status_code == 404
    await ada.forget(value="Something else.")
    assert await ada.refused("Something else.") == "forgotten"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"value": ""},
        {"value": "x", "filters": {"user_id": "u"}},
        {"filters": {}},
        {"filters": {"colour": "red"}},
        {"value": "nul \x00"},
        {"value": "x" * 40_000},
        {"value": "x", "all": True},
    ],
)
async def test_what_to_forget_must_be_said(ada: Caller, fields: dict[str, Any]) -> None:
    await ada.tell("Stays.")
    body = {"agent_id": ada.agent_id} | fields
    answer = await ada.http.post(f"{PREFIX}/forget", json=body)
    assert answer.status_code == 422
    assert await left(ada) == {"Stays."}


async def test_a_cursor_of_another_agent(service: Replica, ada: Caller) -> None:
    await ada.forget(value="one")
    await ada.forget(value="two")
    cursor = (await ada.tombstones(limit=1))["next_cursor"]
    answer = await ada.http.get(
        f"{PREFIX}/tombstones", params={"agent_id": "other", "cursor": cursor}
    )
    assert answer.status_code == 422


async def test_what_is_changed_while_it_is_looked_for_goes_too(
    ada: Caller, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The past version is younger than the newest memory was when that began."""
    told = await ada.tell("Carla Rossi called at noon.")
    texts = ForgettingStore.texts

    async def change_first(*args: Any) -> AsyncIterator[Any]:
        monkeypatch.setattr(ForgettingStore, "texts", texts)
        await ada.change(told["id"], content="Somebody called at noon.")
        async for page in texts(*args):
            yield page

    monkeypatch.setattr("memory_service.domain.forgetting.SCAN_SEQS", 1)
    monkeypatch.setattr(ForgettingStore, "texts", change_first)
    forgot = await ada.forget(value="Carla Rossi")
    assert (forgot["memories"], forgot["versions"]) == (0, 1)
    assert await left(ada) == {"Somebody called at noon."}
    for table in ("memories", "history", "mentions"):
        assert not await database.fetchval(
            f"SELECT count(*) FROM {table} WHERE {table}::text ILIKE '%carla%'"
            " AND agent_id = $1",
            ada.agent_id,
        )


async def test_much_is_looked_through_by_pages(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory_service.stores.forgetting.MAX_TEXTS", 2)
    stays = await ada.tell("A card came.")
    for number in range(5):
        await ada.change(stays["id"], metadata={"from": "Carla Rossi", "n": number})
    await ada.change(stays["id"], metadata={"from": "somebody"})
    await ada.tell_all([f"Entry {n} of Carla Rossi." for n in range(7)])
    assert (await ada.forget(value="Carla Rossi"))["memories"] == 7
    assert await left(ada) == {"A card came."}
    assert (await ada.history(stays["id"]))["records"] == []


@pytest.mark.parametrize("sign", ["\\", "%", "_", "*"])
async def test_a_sign_alone_is_a_value(ada: Caller, sign: str) -> None:
    await ada.tell_all([sign, "Something else."])
    assert (await ada.forget(value=sign))["memories"] == 1
    assert await left(ada) == {"Something else."}
