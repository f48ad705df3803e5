"""What was deleted, or whose time is over, does not come back by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica
from tests.support.waiting import until

from contracts.ids import new_id
from embedding import MODEL_NAME
from memory_service.domain import upkeep
from memory_service.stores.revisions import Revisions
from memory_service.stores.writes import MemoryWrites

TABLES = ("memories", "embeddings", "history", "mentions", "sources")


async def rows_of(database: asyncpg.Connection, agent_id: str) -> dict[str, int]:
    return {
        table: await database.fetchval(
            f"SELECT count(*) FROM {table} WHERE agent_id = $1", agent_id
        )
        for table in TABLES
    }


async def everything(
    database: asyncpg.Connection, agent_id: str, text: str
) -> list[tuple[str, str]]:
    """The rows of any table that have a text in them."""
    tables = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'memory'"
    )
    return [
        (table, row["row"])
        for (table,) in tables
        for row in await database.fetch(
            f"SELECT t::text AS row FROM memory.{table} AS t WHERE t::text ILIKE $1",
            f"%{text}%",
        )
        if agent_id in row["row"]
    ]


@asynccontextmanager
async def held(database: asyncpg.Connection, agent_id: str) -> AsyncIterator[None]:
    """No other change of the agent begins meanwhile."""
    async with database.transaction():
        await database.execute(
            "SELECT FROM agents WHERE agent_id = $1 FOR UPDATE", agent_id
        )
        yield


async def waits_for_agents(database: asyncpg.Connection) -> bool:
    """Whether somebody waits for what this connection holds."""
    return bool(
        await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
    )


async def test_a_deletion_leaves_nothing(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("my bank's PIN")
    await ada.change(told["id"], content="my bank's new PIN")
    answer = await ada.delete(told["id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["X-Memory-Seq"] == "5"
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


SECRET = "Nora's surgeon is Doctor Feldmann, room 417 of the Altmark clinic."
CARRYING = "I keep thinking that Doctor Feldmann is Nora's surgeon."
UNRELATED = "The ferry leaves at seven, whatever I think of."


async def derive(ada: Caller, source: str) -> dict[str, str]:
    """Memories made from one, by what they are; their ids."""
    texts: dict[str, tuple[str, str, str]] = {
        "carrying": (CARRYING, "thought", source),
        "unrelated": (UNRELATED, "thought", source),
        "inferred": ("The family often goes to hospital.", "inferred", source),
    }
    ids = {
        name: (await ada.tell(text, evidence=evidence, sources=[cited]))["id"]
        for name, (text, evidence, cited) in texts.items()
    }
    further = {
        "further": ("So Doctor Feldmann is the surgeon of Nora.", ids["carrying"]),
        "aside": ("I think too much about people.", ids["carrying"]),
        "by way of": ("The surgeon of Nora must be Doctor Feldmann.", ids["unrelated"]),
    }
    for name, (text, cited) in further.items():
        told = await ada.tell(text, evidence="thought", sources=[cited])
        ids[name] = told["id"]
    return ids


async def test_what_was_made_from_it_goes_where_it_carries_it(ada: Caller) -> None:
    """What stands aside stays, and so does what only came by way of such a thought."""
    told = await ada.tell(SECRET)
    ids = await derive(ada, told["id"])
    answer = await ada.delete(told["id"])
    left = {name for name, i in ids.items() if (await ada.get(i)).status_code == 200}
    assert left == {"unrelated", "aside", "by way of"}
    # One number for each memory that went.
    assert answer.headers["X-Memory-Seq"] == str(1 + len(ids) + 4)


async def test_past_versions_and_mentions_go_with_it(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("My PIN is 4711 of old.")
    await ada.change(told["id"], content="My PIN is 8055 by now.")
    await ada.tell("My PIN really is 8055 by now.")
    past = await database.fetchval(
        "SELECT id FROM memories WHERE agent_id = $1 AND superseded_by IS NOT NULL",
        ada.agent_id,
    )
    await ada.delete(told["id"])
    assert (await ada.get(str(past))).status_code == 404
    assert await rows_of(database, ada.agent_id) == dict.fromkeys(TABLES, 0)
    for value in ("My PIN is 4711 of old.", "My PIN is 8055 by now."):
        assert await ada.refused(value, evidence="thought") == "forgotten"


async def test_a_past_version_may_go_alone(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("My PIN is 4711 of old.")
    for pin in ("8055", "9012"):
        await ada.change(told["id"], content=f"My PIN is {pin} by now.")
    past = await database.fetchval(
        "SELECT id FROM memories WHERE agent_id = $1 AND content LIKE '%8055%'",
        ada.agent_id,
    )
    assert (await ada.delete(str(past))).status_code == 204
    assert (await ada.get(told["id"])).json()["content"] == "My PIN is 9012 by now."
    assert await everything(database, ada.agent_id, "8055") == []
    assert await everything(database, ada.agent_id, "4711") != []


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        ({"evidence": "thought"}, "I like pears, and no plums."),
        ({"evidence": "inferred"}, "I like pears, and no plums."),
        ({"evidence": "thought"}, "i really LIKE pears and no plums"),
        ({"evidence": "thought"}, "I recall: 'I like pears, and no plums', did I say."),
        ({"evidence": "thought", "metadata": {"of": "I like pears and no plums"}}, "?"),
    ],
)
async def test_what_was_deleted_does_not_come_by_itself(
    ada: Caller, fields: dict[str, Any], again: str
) -> None:
    told = await ada.tell("I like pears, and no plums.")
    await ada.delete(told["id"])
    assert await ada.refused(again, **fields) == "forgotten"
    (batch,) = await ada.tell_all([again], **fields)
    assert batch["problem"]["type"].endswith(":forgotten")
    totals, _ = await ada.take_in([{"content": again} | fields])
    assert totals == {"imported": 0, "skipped": 0, "failed": 1}
    assert (await ada.recent())["memories"] == []


async def test_a_short_value_is_no_phrase(ada: Caller) -> None:
    """Else half of what is thought would be refused."""
    told = await ada.tell("Yes, indeed.")
    await ada.delete(told["id"])
    assert await ada.refused("Yes, indeed!", evidence="thought") == "forgotten"
    await ada.tell("I thought: yes, indeed, so it is.", evidence="thought")


async def test_telling_anew_lets_it_be_thought_again(ada: Caller) -> None:
    told = await ada.tell("I like pears, and no plums.")
    await ada.delete(told["id"])
    anew = await ada.tell("And yes, I like pears, and no plums!", evidence="observed")
    assert (await ada.tombstones())["records"] == []
    await ada.tell("I like pears, and no plums.", evidence="thought")
    assert anew["id"] != told["id"]


async def test_a_change_tells_anew_only_what_a_person_said(ada: Caller) -> None:
    told = await ada.tell("I like pears, and no plums.")
    await ada.delete(told["id"])
    thought = await ada.tell("Something.", evidence="thought")
    fact = await ada.tell("Something.")
    answer = await ada.change(thought["id"], content="I like pears, and no plums.")
    assert answer.status_code == 409
    answer = await ada.change(fact["id"], content="I like pears, and no plums.")
    assert answer.status_code == 200
    assert (await ada.tombstones())["records"] == []


async def test_what_cites_the_deleted_comes_too_late(ada: Caller) -> None:
    """A thought under way while what it recalled is deleted."""
    told = await ada.tell("I like pears.")
    await ada.delete(told["id"])
    late = {"evidence": "thought", "sources": [told["id"]]}
    assert await ada.refused("Fruit is what I think of.", **late) == "forgotten"


async def test_expiry_is_no_wish(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("For a moment I like pears.", ttl_seconds=3600)
    cited = {"sources": [told["id"]]}
    inferred = await ada.tell("Fruit matters.", evidence="inferred", **cited)
    await database.execute(
        "UPDATE memories SET expires_at = now() WHERE id = $1", told["id"]
    )
    await service.context.upkeep.expire_some()
    assert (await rows_of(database, ada.agent_id))["memories"] == 1
    assert (await ada.get(inferred["id"])).status_code == 200
    await ada.tell("For a moment I like pears.", evidence="thought", **cited)
    assert (await ada.tombstones())["records"] == []


async def test_the_turn_after_a_deleted_one_is_read_without_it(ada: Caller) -> None:
    first = await ada.tell("Which fruit do you like best?", session_id="s")
    second = await ada.tell("The yellow ones, by far.", session_id="s")
    alone = await ada.tell("The yellow ones, by far.", user_id="another")

    async def scores(seq: int) -> list[float]:
        found = await ada.recall("fruit", min_seq=seq, mode="semantic")
        by_id = {memory["id"]: memory["scores"]["semantic"] for memory in found}
        return [by_id[second["id"]], by_id[alone["id"]]]

    together, by_itself = await scores(alone["seq"])
    assert together > by_itself + 0.1
    answer = await ada.delete(first["id"])
    together, by_itself = await scores(int(answer.headers["X-Memory-Seq"]))
    assert together == pytest.approx(by_itself, abs=1e-3)


async def test_the_turn_after_a_changed_one_is_read_with_it(ada: Caller) -> None:
    first = await ada.tell("What is the weather like?", session_id="s")
    second = await ada.tell("The yellow ones, by far.", session_id="s")

    async def score(seq: int) -> float:
        found = await ada.recall("favourite fruit", min_seq=seq, mode="semantic")
        scores = {memory["id"]: memory["scores"]["semantic"] for memory in found}
        return float(scores[second["id"]])

    before = await score(second["seq"])
    answer = await ada.change(first["id"], content="Which is your favourite fruit?")
    assert await score(int(answer.headers["X-Memory-Seq"])) > before + 0.1


async def test_time_given_meanwhile_counts(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    """It is over when the memory is chosen, and no more when that is deleted."""
    told = await ada.tell("The meeting is in room 5.", ttl_seconds=3600)
    await database.execute(
        "UPDATE memories SET expires_at = now() WHERE id = $1", told["id"]
    )
    async with held(database, ada.agent_id):
        expiring = asyncio.create_task(service.context.upkeep.expire_some())
        await until(lambda: waits_for_agents(database))
        await database.execute(
            "UPDATE memories SET expires_at = NULL WHERE id = $1", told["id"]
        )
    await expiring
    assert (await ada.get(told["id"])).status_code == 200


async def test_what_is_pinned_meanwhile_stays(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    """It mattered least when it was chosen to make room."""
    told = await ada.tell("The meeting is in room 5.")
    revisions = Revisions(service.context.database, MODEL_NAME)
    async with held(database, ada.agent_id):
        making_room = asyncio.create_task(
            revisions.delete(ada.agent_id, [UUID(told["id"])])
        )
        await until(lambda: waits_for_agents(database))
        await database.execute(
            "UPDATE memories SET pinned = true WHERE id = $1", told["id"]
        )
    assert await making_room is None
    assert (await ada.get(told["id"])).status_code == 200


async def test_what_a_derived_memory_said_before_goes(
    ada: Caller, database: asyncpg.Connection
) -> None:
    """What it says now has nothing of it."""
    told = await ada.tell(SECRET)
    cited = {"sources": [told["id"]], "evidence": "thought"}
    thought = await ada.tell(CARRYING, **cited)
    further = await ada.tell(
        "So Doctor Feldmann is the surgeon of Nora.",
        evidence="thought",
        sources=[thought["id"]],
    )
    await ada.change(thought["id"], content=UNRELATED)
    await ada.delete(told["id"])
    assert (await ada.get(thought["id"])).json()["content"] == UNRELATED
    assert (await ada.get(further["id"])).status_code == 404
    assert await everything(database, ada.agent_id, "Feldmann") == []


async def test_what_was_merged_into_a_past_version_goes_with_it(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("My PIN is 4711 of old.")
    await ada.change(told["id"], content="My PIN is 8055 by now.")
    await ada.tell("My PIN really is 8055 by now.")
    await ada.change(told["id"], content="My PIN is 9012 at last.")
    await ada.tell("My PIN really is 9012 at last.")
    past = await database.fetchval(
        "SELECT id FROM memories WHERE agent_id = $1 AND superseded_by IS NOT NULL "
        "AND content LIKE '%8055%'",
        ada.agent_id,
    )
    await ada.delete(str(past))
    assert await everything(database, ada.agent_id, "8055") == []
    assert await everything(database, ada.agent_id, "really is 9012") != []
    again = "My PIN really is 8055 by now."
    assert await ada.refused(again, evidence="thought") == "forgotten"


async def test_a_thought_had_twice_cites_what_both_did(ada: Caller) -> None:
    """The second one is merged into the first, and goes with its own source."""
    other = await ada.tell("Nora went to hospital.")
    told = await ada.tell(SECRET)
    fields: dict[str, Any] = {"evidence": "thought"}
    first = await ada.tell(CARRYING, sources=[other["id"]], **fields)
    second = await ada.tell(CARRYING, sources=[told["id"]], **fields)
    assert second["merged_into"] == first["id"]
    await ada.delete(told["id"])
    assert (await ada.get(first["id"])).status_code == 404


async def test_other_fields_of_what_says_the_same_may_change(
    ada: Caller, database: asyncpg.Connection
) -> None:
    """Only what a change says anew is told anew."""
    ann = await ada.tell("I like pears, and no plums.", user_id="ann")
    bob = await ada.tell("I like pears, and no plums.", user_id="bob")
    await ada.delete(ann["id"])
    assert (await ada.change(bob["id"], metadata={"a": 1})).status_code == 200
    assert len((await ada.tombstones())["records"]) == 1
    eve = await ada.tell("No plums for me.", user_id="eve")
    dan = await ada.tell("No plums for me.", user_id="dan")
    await ada.forget(filters={"user_id": "eve"})
    assert (await ada.change(dan["id"], metadata={"a": 1})).status_code == 200
    assert (await ada.get(eve["id"])).status_code == 404


async def test_an_export_tells_what_a_memory_was_made_from(
    service: Replica, ada: Caller
) -> None:
    """Elsewhere it goes with its source, too."""
    told = await ada.tell(SECRET)
    thought = await ada.tell(CARRYING, evidence="thought", sources=[told["id"]])
    exported = await ada.export()
    assert [line.get("sources") for line in exported] == [None, [told["id"]]]
    bob = service.caller(f"{ada.agent_id}-elsewhere")
    lines = [line | {"agent_id": bob.agent_id} for line in exported]
    assert (await bob.take_in([*lines]))[0]["imported"] == 2
    await bob.delete(told["id"])
    assert (await bob.get(thought["id"])).status_code == 404
    assert (await ada.get(thought["id"])).status_code == 200
