"""A turn is read with the one before it in its session, while that one stands."""

from typing import Any

import pytest
from tests.integration.test_memory.replicas import Caller, Fields, Replica

QUESTION = "Where did you spend the summer holidays?"
ANSWER = "In Lisbon, with Ana."
ASKED = "summer holidays"


async def scores_of(caller: Caller, content: str, **fields: Any) -> Fields:
    """What the memory of that content answers to `ASKED`."""
    found = await caller.recall(ASKED, limit=1000, **fields)
    (scores,) = [m["scores"] for m in found if m["content"] == content]
    return {name: scores[name] for name in ("semantic", "keyword")}


async def scores_alone(service: Replica, agent: str) -> Fields:
    """Those of a turn that stands alone."""
    alone = service.caller(f"{agent}-alone")
    await alone.tell(ANSWER, session_id="s")
    await alone.tell("Nothing of that sort.")
    return await scores_of(alone, ANSWER)


async def test_an_answer_is_found_by_its_question(
    service: Replica, ada: Caller, agent: str
) -> None:
    await ada.tell(QUESTION, session_id="s")
    await ada.tell(ANSWER, session_id="s")
    with_question = await scores_of(ada, ANSWER)
    alone = await scores_alone(service, agent)
    assert with_question["semantic"] > alone["semantic"] + 0.1
    assert with_question["keyword"] == pytest.approx(0.6)
    assert alone["keyword"] == 0


async def test_a_question_counts_words_of_its_answer(ada: Caller) -> None:
    await ada.tell("What was it like?", session_id="s")
    await ada.tell("The summer holidays were long.", session_id="s")
    scores = await scores_of(ada, "What was it like?")
    assert scores["keyword"] == pytest.approx(0.4)


async def test_it_does_not_matter_how_turns_came(
    service: Replica, other_service: Replica, agent: str
) -> None:
    turns = [
        {"content": content, "session_id": session}
        for content, session in (
            ("Good morning!", "s"),
            ("It rains in the other room.", "t"),
            (QUESTION, "s"),
            ("Who is there?", "t"),
            (ANSWER, "s"),
        )
    ]
    single, batch, stream = (service.caller(f"{agent}-{n}") for n in range(3))
    for turn in turns:
        await single.tell(**turn)
    common = {"agent_id": batch.agent_id}
    body = {"memories": [turn | common for turn in turns]}
    await batch.http.post("/api/memory/batch", json=body)
    await stream.take_in([turn | {"agent_id": stream.agent_id} for turn in turns])
    expected = await scores_of(single, ANSWER)
    assert expected["keyword"] == pytest.approx(0.6)
    for caller in (batch, stream):
        assert await scores_of(caller, ANSWER) == expected
        # Loaded as a whole, not followed turn by turn.
        seq = (await caller.stats())["index"]["seq"]
        other = other_service.caller(caller.agent_id)
        assert await scores_of(other, ANSWER, min_seq=seq) == expected


STRANGERS: list[Fields] = [
    {"session_id": "another"},
    {"session_id": None},
    {"session_id": "s", "user_id": "somebody else"},
    {"session_id": "s", "evidence": "thought", "memory_type": "thought"},
    {"session_id": "s", "timestamp": "2020-01-01T00:00:00Z"},
]


@pytest.mark.parametrize("fields", STRANGERS)
async def test_what_is_no_turn_before_it(
    service: Replica, ada: Caller, agent: str, fields: Fields
) -> None:
    await ada.tell(QUESTION, **fields)
    await ada.tell(ANSWER, session_id="s")
    assert await scores_of(ada, ANSWER) == await scores_alone(service, agent)


async def test_the_own_vector_is_what_is_exported(
    service: Replica, ada: Caller
) -> None:
    await ada.tell(QUESTION, session_id="s")
    await ada.tell(ANSWER, session_id="s")
    alone = service.caller(f"{ada.agent_id}-alone")
    await alone.tell(ANSWER)
    vectors = [
        line["embedding"]
        for caller in (ada, alone)
        for line in await caller.export(embeddings=True)
        if line["content"] == ANSWER
    ]
    assert vectors[0] == vectors[1]


async def test_a_deleted_turn_leaves_the_next(
    service: Replica, ada: Caller, agent: str
) -> None:
    question = await ada.tell(QUESTION, session_id="s")
    await ada.tell(ANSWER, session_id="s")
    assert (await ada.delete(question["id"])).status_code == 204
    assert await scores_of(ada, ANSWER) == await scores_alone(service, agent)


async def test_a_changed_turn_changes_the_next(ada: Caller) -> None:
    question = await ada.tell("Did it rain?", session_id="s")
    await ada.tell(ANSWER, session_id="s")
    before = await scores_of(ada, ANSWER)
    assert (await ada.change(question["id"], content=QUESTION)).status_code == 200
    after = await scores_of(ada, ANSWER)
    assert after["semantic"] > before["semantic"] + 0.05
    assert (before["keyword"], after["keyword"]) == (0, pytest.approx(0.6))
