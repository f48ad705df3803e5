"""What a memory said before: past versions, and the history of every change."""

import asyncio
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica
from tests.support.waiting import until

from contracts.ids import new_id
from devstack.database import DATABASE
from devstack.postgres import Postgres
from memory_service.models.vectors import Change, Part


async def versions_of(database: asyncpg.Connection, agent_id: str) -> list[Any]:
    return [
        tuple(row)
        for row in await database.fetch(
            "SELECT content, timestamp, valid_until FROM memories "
            "WHERE agent_id = $1 AND superseded_by IS NOT NULL ORDER BY seq",
            agent_id,
        )
    ]


async def test_a_change_keeps_the_id_and_what_was(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("Ada lives in Rome.", timestamp="2025-01-01T00:00:00Z")
    answer = await ada.change(told["id"], content="Ada lives in Milan.")
    changed = answer.json()
    assert (changed["id"], changed["seq"]) == (told["id"], told["seq"])
    assert changed["content"] == "Ada lives in Milan."
    assert changed["superseded_by"] is None
    await ada.change(told["id"], content="Ada lives in Turin.")
    first, second = await versions_of(database, ada.agent_id)
    assert (first[0], second[0]) == ("Ada lives in Rome.", "Ada lives in Milan.")
    # Valid one after the other, without a gap.
    assert first[1].isoformat() == "2025-01-01T00:00:00+00:00"
    assert first[2] == second[1]
    assert second[1] < second[2]


async def test_past_versions_are_not_shown(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("Ada lives in Rome.")
    answer = await ada.change(told["id"], content="Ada lives in Milan.")
    seq = int(answer.headers["X-Memory-Seq"])
    for mode in ("hybrid", "semantic", "keyword"):
        found = await ada.recall("Ada lives in Rome", min_seq=seq, mode=mode)
        assert [m["content"] for m in found] == ["Ada lives in Milan."]
    assert len((await ada.recent(min_seq=seq))["memories"]) == 1
    assert (await ada.stats())["memories"] == 1
    assert [line["content"] for line in await ada.export()] == ["Ada lives in Milan."]
    past = await database.fetchval(
        "SELECT id FROM memories WHERE agent_id = $1 AND superseded_by = $2",
        ada.agent_id,
        told["id"],
    )
    version = (await ada.get(str(past))).json()
    assert version["content"] == "Ada lives in Rome."
    assert version["superseded_by"] == told["id"]
    refused = await ada.change(str(past), content="It was otherwise.")
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:claude-agi:problem:superseded",
    )


async def test_only_new_content_makes_a_version(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell("Fixed.")
    for fields in ({"pinned": True}, {"importance": 0.9}, {"metadata": {"a": 1}}):
        assert (await ada.change(told["id"], **fields)).status_code == 200
    assert await versions_of(database, ada.agent_id) == []
    assert len((await ada.history(told["id"]))["records"]) == 3


async def test_history_tells_who_when_before_and_after(ada: Caller) -> None:
    told = await ada.tell("Ada lives in Rome.", importance=0.2)
    await ada.change(told["id"], content="Ada lives in Milan.", importance=0.4)
    await ada.change(told["id"], pinned=True)
    page = await ada.history(told["id"])
    assert page["next_cursor"] is None
    newest, oldest = page["records"]
    assert (newest["before"], newest["after"]) == ({"pinned": False}, {"pinned": True})
    assert oldest["before"] == {"content": "Ada lives in Rome.", "importance": 0.2}
    assert oldest["after"] == {"content": "Ada lives in Milan.", "importance": 0.4}
    assert (oldest["kind"], oldest["changed_by"]) == ("changed", "loopback")
    assert told["created_at"] < oldest["changed_at"] < newest["changed_at"]


async def test_history_by_pages(service: Replica, ada: Caller) -> None:
    told = await ada.tell("Changed often.")
    for step in range(1, 6):
        await ada.change(told["id"], importance=step / 10)
    await ada.tell("Changed often.")
    seqs: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = await ada.history(told["id"], limit=2, **cursor)
        seqs += [record["seq"] for record in page["records"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seqs == [7, 6, 5, 4, 3, 2]
    other = await service.caller(ada.agent_id).tell("Another.")
    foreign = await ada.http.get(
        f"{PREFIX}/{other['id']}/history",
        params={"agent_id": ada.agent_id} | (cursor or {}),
    )
    assert foreign.status_code == 422


async def test_no_history_of_what_is_not_there(ada: Caller) -> None:
    told = await ada.tell("Gone soon.")
    await ada.delete(told["id"])
    answer = await ada.http.get(
        f"{PREFIX}/{told['id']}/history", params={"agent_id": ada.agent_id}
    )
    assert answer.status_code == 404


async def test_changes_at_once_are_all_kept(
    service: Replica,
    other_service: Replica,
    ada: Caller,
    database: asyncpg.Connection,
) -> None:
    told = await ada.tell("Version 0.")
    callers = [one.caller(ada.agent_id) for one in (service, other_service)] * 5
    answers = await asyncio.gather(
        *(
            caller.change(told["id"], content=f"Version {number}.")
            for number, caller in enumerate(callers, 1)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    kept = [content for content, *_ in await versions_of(database, ada.agent_id)]
    now = (await ada.get(told["id"])).json()["content"]
    assert sorted([*kept, now]) == sorted(f"Version {n}." for n in range(11))
    records = (await ada.history(told["id"], limit=20))["records"]
    assert records[0]["after"]["content"] == now
    for newer, older in pairwise(records):
        assert newer["before"]["content"] == older["after"]["content"]


async def test_what_was_inferred_from_it_goes(ada: Caller) -> None:
    told = await ada.tell("Ada lives in Rome.")
    cited = {"sources": [told["id"]]}
    inferred = await ada.tell("Ada is a Roman.", evidence="inferred", **cited)
    thought = await ada.tell("I thought of Rome.", evidence="thought", **cited)
    await ada.change(told["id"], importance=0.9)
    assert (await ada.get(inferred["id"])).status_code == 200
    await ada.change(told["id"], content="Ada lives in Milan.")
    assert (await ada.get(inferred["id"])).status_code == 404
    assert (await ada.get(thought["id"])).status_code == 200


OLD_KEY = "Ada keeps the spare key to the boathouse under the lantern."
NEW_KEY = "Ada keeps the spare key to the boathouse under the anvil."


async def test_thoughts_that_say_what_was_corrected_go(ada: Caller) -> None:
    """And those that come too late; another one, or one about the rest, stays."""
    told = await ada.tell(OLD_KEY)
    made = {"evidence": "thought", "sources": [told["id"]]}
    early = await ada.tell(f"{OLD_KEY} And so it was in winter.", **made)
    neighbour = await ada.tell(
        "Bruno keeps the spare key to the chapel under the lantern.", **made
    )
    rest = await ada.tell("Ada has a key to the boathouse.", **made)
    other = await ada.tell(f"{OLD_KEY} Or so I dreamt.", evidence="thought")
    await ada.change(told["id"], content=NEW_KEY)
    assert (await ada.get(early["id"])).status_code == 404
    for stays in (neighbour, rest, other):
        assert (await ada.get(stays["id"])).status_code == 200
    late = f"So {OLD_KEY} It waits."
    assert await ada.refused(late, **made) == "sources-changed"
    await ada.tell(f"So {NEW_KEY} It waits.", **made)
    # A person may say so all the same, and then it may be thought again.
    await ada.tell(f"No, {OLD_KEY}")
    await ada.change(told["id"], content=OLD_KEY)
    await ada.tell(late, **made)
    assert await ada.refused(f"So {NEW_KEY} Truly.", **made) == "sources-changed"


@pytest.mark.parametrize("fields", [{"importance": 2}, {"id": "x"}, {"content": " "}])
async def test_a_bad_patch_changes_nothing(ada: Caller, fields: dict[str, Any]) -> None:
    told = await ada.tell("Fixed.")
    assert (await ada.change(told["id"], **fields)).status_code == 422
    assert (await ada.history(told["id"]))["records"] == []


async def test_what_was_inferred_from_what_was_inferred_goes(ada: Caller) -> None:
    told = await ada.tell("Ada lives in Rome.")
    cited = {"evidence": "inferred", "sources": [told["id"]]}
    one = await ada.tell("Ada is a Roman.", **cited)
    other = await ada.tell(
        "Ada knows the Forum.", evidence="inferred", sources=[one["id"]]
    )
    await ada.change(told["id"], content="Ada lives in Milan.")
    assert (await ada.get(other["id"])).status_code == 404


async def test_what_cites_itself_may_change(ada: Caller) -> None:
    known = str(new_id())
    own = {"id": known, "evidence": "inferred", "sources": [known]}
    await ada.tell("Ada is a Roman.", **own)
    answer = await ada.change(known, content="Ada is a Milanese.")
    assert (answer.status_code, answer.json()["content"]) == (200, "Ada is a Milanese.")


async def test_a_change_depends_on_no_replica(
    ada: Caller, other_service: Replica, memory_standby: Postgres
) -> None:
    """One that reads from a server that is behind."""
    told = await ada.tell("Ada lives in Rome.")
    other = other_service.caller(ada.agent_id)
    await other.recent(min_seq=told["seq"])
    standby = await memory_standby.connect(DATABASE)

    async def seen() -> bool:
        return bool(
            await standby.fetchval(
                "SELECT count(*) FROM memory.memories WHERE id = $1", told["id"]
            )
        )

    await until(seen)
    await standby.execute("SELECT pg_wal_replay_pause()")
    try:
        await ada.change(told["id"], content="Ada lives in Milan.")
        answer = await other.change(told["id"], content="Ada lives in Rome.")
        assert answer.json()["content"] == "Ada lives in Rome."
        new = await ada.tell("Ada plays chess.")
        answer = await other.change(new["id"], pinned=True)
        assert answer.status_code == 200
    finally:
        await standby.execute("SELECT pg_wal_replay_resume()")
        await standby.close()


@pytest.mark.parametrize("talks", [False, True], ids=["alone", "talks"])
async def test_rows_tell_what_is_past(
    service: Replica, ada: Caller, database: asyncpg.Connection, talks: bool
) -> None:
    """Where an index takes a past version for what stands."""
    if talks:
        # With turns that follow one another the search is another one.
        await ada.tell_all(["Hello.", "Good morning."], session_id="s")
    told = await ada.tell("Ada lives in Rome.")
    answer = await ada.change(told["id"], content="Ada lives in Milan.")
    await ada.recall("Rome", min_seq=int(answer.headers["X-Memory-Seq"]))
    past = await database.fetchrow(
        "SELECT seq, vector FROM memories JOIN embeddings USING (agent_id, seq) "
        "WHERE agent_id = $1 AND superseded_by IS NOT NULL",
        ada.agent_id,
    )
    index = await service.context.indexes.get(ada.agent_id)
    index.vectors.apply([Change(past["seq"], Part.FACTS, past["vector"])])
    for mode in ("hybrid", "semantic"):
        found = await ada.recall_texts("Who lives in Rome?", mode=mode, limit=9)
        assert "Ada lives in Milan." in found
        assert "Ada lives in Rome." not in found
