"""What says the same as a memory that stands goes into it."""

import asyncio
from typing import Any

import asyncpg
import pytest
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica

SAME = [
    ("I like pears.", "I like pears."),
    ("I like pears.", "  i LIKE pears!"),
    ("I like pears.", "I really like pears."),
    ("User prefers dark mode.", "The user prefers the dark mode."),
    ("The meeting is on Monday at 10.", "The meeting's on Monday at 10."),
    ("You are late.", "You're late."),
    ("Is the door open?", "Is the door open??"),
]
OTHER = [
    ("The meeting is at 10.", "The meeting is at 11."),
    ("It was -5 degrees.", "It was 5 degrees."),
    ("Version 3.5 is out.", "Version 3-5 is out."),
    ("The flight from A to B is late.", "The flight from B to A is late."),
    ("Bob told Anna a secret.", "Anna told Bob a secret."),
    ("Anna lives in Rome.", "Anna lives in Milan."),
    ("I like pears.", "I don't like pears."),
    ("He always locks the door.", "He never locks the door."),
    ("I can come.", "I can't come."),
    ("Turn left at the church.", "Turn right at the church."),
    ("She arrives before lunch.", "She arrives after lunch."),
    ("I was at the station yesterday.", "I was at the station today."),
    ("The patient takes it with food.", "The patient takes it without food."),
    ("I want to go home.", "I wanted to go home."),
    ("Is the door open?", "The door is open."),
    ("Is Anna late", "Anna is late"),
    ("Vitamin A helps.", "A vitamin helps."),
    ("The light is on.", "The light is off."),
]  # fmt: skip


async def test_only_what_says_the_same_is_merged(service: Replica, agent: str) -> None:
    """Each pair is of a user of its own."""
    pairs = [*SAME, *OTHER]
    writes = [
        {"content": text, "agent_id": agent, "user_id": f"user-{number}"}
        for number, pair in enumerate(pairs)
        for text in pair
    ]
    answer = await service.http.post(f"{PREFIX}/batch", json={"memories": writes})
    memories = [result["memory"] for result in answer.json()["results"]]
    merged = {
        pair
        for pair, first, second in zip(
            pairs, memories[::2], memories[1::2], strict=True
        )
        if second.get("merged_into") == first["id"]
    }
    assert merged == set(SAME)


async def test_a_merge_is_a_mention(ada: Caller, database: asyncpg.Connection) -> None:
    first = await ada.tell("The key is under the mat.", importance=0.3)
    body = {
        "content": "The key really is under the mat!",
        "agent_id": ada.agent_id,
        "importance": 0.8,
        "session_id": "later",
        "metadata": {"source": "mail"},
    }
    answer = await ada.http.post(PREFIX, json=body)
    merged = answer.json()
    assert answer.status_code == 200
    assert answer.headers["X-Memory-Seq"] == "2"
    assert merged["merged_into"] == merged["id"] == first["id"]
    assert (merged["content"], merged["importance"], merged["access_count"]) == (
        "The key is under the mat.",
        0.8,
        1,
    )
    stands = (await ada.get(first["id"])).json()
    assert merged == stands | {"merged_into": first["id"]}
    assert (await ada.recent(min_seq=2))["memories"] == [stands]
    (mention,) = (await ada.history(first["id"]))["records"]
    assert (mention["kind"], mention["changed_by"]) == ("merged", "loopback")
    assert mention["after"]["content"] == "The key really is under the mat!"
    assert mention["after"]["metadata"] == {"source": "mail"}
    assert await database.fetchval(
        "SELECT count(*) FROM mentions WHERE agent_id = $1", ada.agent_id
    ) == 1  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": "another"},
        {"memory_type": "semantic"},
        {"evidence": "thought"},
        {"evidence": "inferred"},
        {"id": "01890a5d-ac96-774b-bcce-b302099a8057"},
        {"content": "A thing of another agent.", "agent_id": "agent-of-nobody-else"},
    ],
    ids=lambda fields: next(iter(fields)) + str(list(fields.values())[-1]),
)
async def test_another_scope_is_another_memory(
    ada: Caller, fields: dict[str, Any]
) -> None:
    """Above all, what was thought never turns into a fact."""
    await ada.tell("A thing of mine.", user_id="me")
    other = await ada.tell(**{"content": "A thing of mine.", "user_id": "me"} | fields)
    assert "merged_into" not in other


async def test_a_deleted_memory_takes_nothing_in(ada: Caller) -> None:
    first = await ada.tell("I like pears.")
    await ada.delete(first["id"])
    anew = await ada.tell("I like pears.")
    assert "merged_into" not in anew
    assert anew["id"] != first["id"]


async def test_a_changed_memory_no_longer_says_it(ada: Caller) -> None:
    first = await ada.tell("I live in Rome.")
    await ada.change(first["id"], content="I live in Milan.")
    assert "merged_into" not in await ada.tell("I live in Rome.")
    assert (await ada.tell("I live in Milan."))["merged_into"] == first["id"]


async def test_what_stays_does_not_go_with_what_expires(ada: Caller) -> None:
    await ada.tell("The code is 4711.", ttl_seconds=60)
    merged = await ada.tell("The code is 4711.", pinned=True)
    assert (merged["expires_at"], merged["pinned"]) == (None, True)
    again = await ada.tell("The code is 4711.", ttl_seconds=60)
    assert (again["expires_at"], again["pinned"]) == (None, True)


async def test_an_import_merges_nothing(ada: Caller) -> None:
    totals, _ = await ada.take_in([{"content": "Twice."}] * 2)
    assert totals["imported"] == 2
    assert (await ada.stats())["memories"] == 2


async def test_a_key_repeats_the_answer_of_a_merge(ada: Caller) -> None:
    await ada.tell("Told before.")
    body = {"content": "Told before.", "agent_id": ada.agent_id}
    headers = {"Idempotency-Key": "k1"}
    answers = [
        await ada.http.post(PREFIX, json=body, headers=headers) for _ in range(2)
    ]
    first, again = answers
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.headers["X-Memory-Seq"] == again.headers["X-Memory-Seq"]
    assert "merged_into" in first.json()
    assert len((await ada.history(first.json()["id"]))["records"]) == 1


async def test_the_same_at_once_from_many(
    service: Replica, other_service: Replica, ada: Caller, agent: str
) -> None:
    body = {"content": "All say it.", "agent_id": agent}
    answers = await asyncio.gather(
        *(one.http.post(PREFIX, json=body) for one in (service, other_service) * 10)
    )
    assert sorted(a.status_code for a in answers) == [200] * 19 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    seqs = [int(answer.headers["X-Memory-Seq"]) for answer in answers]
    assert sorted(seqs) == list(range(1, 21))
    assert (await ada.stats())["memories"] == 1
