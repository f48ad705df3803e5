"""What recall finds: by meaning, by words, by both, within filters, and never more."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tests.integration.mind.test_locomo import turns
from tests.integration.test_memory.replicas import Caller, Fields, Replica

from embedding.model import Embedder
from memory_service.domain import agent_index, recall
from memory_service.models.recall import FoundWords
from memory_service.stores.search import MemorySearch

MODES = ("hybrid", "semantic", "keyword")
TYPES = ("episodic", "semantic", "working", "procedural", "thought")
EVIDENCES = ("told", "observed", "inferred", "thought")
START = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = ("the sea", "tax law", "old trains", "sourdough bread", "chess openings")


async def test_meaning_finds_what_words_do_not(ada: Caller) -> None:
    await ada.tell_all(["The physician prescribed rest.", "The train was late."])
    semantic = await ada.recall("What did the doctor advise?", mode="semantic")
    assert semantic[0]["content"] == "The physician prescribed rest."
    assert semantic[0]["scores"]["keyword"] is None
    assert await ada.recall("What did the doctor advise?", mode="keyword") == []


async def test_words_find_what_meaning_does_not(ada: Caller) -> None:
    noise = [f"Part {n} of the engine was replaced last week." for n in range(60)]
    await ada.tell_all([*noise, "Zq7x lies in the third drawer."])
    for mode in ("keyword", "hybrid"):
        found = await ada.recall("where is zq7x", mode=mode, limit=3)
        assert found[0]["content"] == "Zq7x lies in the third drawer."
        assert found[0]["scores"]["keyword"] > 0.5


async def test_rare_words_weigh_more(ada: Caller) -> None:
    await ada.tell_all([f"The harbour in winter, day {n}." for n in range(30)])
    await ada.tell("A heron stood there.")
    found = await ada.recall_texts("heron in the harbour", mode="keyword", limit=1)
    assert found == ["A heron stood there."]


async def test_words_are_stemmed(ada: Caller) -> None:
    await ada.tell("She was running two bakeries.")
    assert await ada.recall("bakery run", mode="keyword")


async def test_a_word_more_common_than_is_visited(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rare word's memory also holds the common one, which counts for it."""
    monkeypatch.setattr(recall, "KEYWORD_VISITS", 20)
    texts = [f"The harbour at dawn, day {n}" for n in range(200)]
    await ada.tell_all([*texts, "A heron at the harbour", "A heron at the lake"])
    found = await ada.recall("heron harbour", mode="keyword", limit=3)
    assert [memory["content"] for memory in found[:2]] == [
        "A heron at the harbour",
        "A heron at the lake",
    ]
    assert found[0]["score"] > found[1]["score"] > found[2]["score"]


ODD_QUERIES = (
    "'",
    "\\",
    "a & b | !c:*",
    "<->",
    "'; DROP TABLE memories; --",
    "the of and",
    "😀",
    "http://a.b/c\\d?e='f'",
    "x" * 8192,
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ODD_QUERIES)
async def test_any_text_is_a_query(service: Replica, query: str, mode: str) -> None:
    caller = service.caller("queries")
    await caller.tell("There is 'something' at http://a.b/c\\d?e='f'.")
    assert isinstance(await caller.recall(query, mode=mode), list)


@pytest.mark.parametrize("mode", MODES)
async def test_best_first_and_no_more_than_asked(ada: Caller, mode: str) -> None:
    await ada.tell_all([f"Stone {n} lies by the river." for n in range(30)])
    found = await ada.recall("stones by the river", mode=mode, limit=7)
    scores = [memory["score"] for memory in found]
    assert len(found) == 7
    assert scores == sorted(scores, reverse=True)
    for memory in found:
        assert set(memory["scores"]) == {
            "semantic",
            "keyword",
            "recency",
            "importance",
        }


@pytest.mark.parametrize("mode", MODES)
async def test_nothing_below_the_minimum(ada: Caller, mode: str) -> None:
    await ada.tell_all(["The bridge is closed.", "Owls hunt at night."])
    found = await ada.recall("closed bridge", mode=mode, min_score=0.5)
    assert [memory["content"] for memory in found] == ["The bridge is closed."]
    assert await ada.recall("closed bridge", mode=mode, min_score=1.5) == []


async def test_no_memories_at_all(ada: Caller) -> None:
    for mode in MODES:
        assert await ada.recall("anything", mode=mode) == []


async def test_equal_matches_go_by_recency_then_importance(ada: Caller) -> None:
    when = [START - timedelta(days=days) for days in (300, 0, 100)]
    same = {"content": "The same words.", "agent_id": ada.agent_id, "importance": 0.5}
    # An import merges nothing.
    await ada.take_in([same | {"timestamp": time.isoformat()} for time in when])
    found = await ada.recall("the same words")
    assert [m["timestamp"] for m in found] == [
        time.isoformat().replace("+00:00", "Z") for time in sorted(when, reverse=True)
    ]


async def remember_grid(ada: Caller) -> list[Fields]:
    """Memories that differ in everything a filter can ask for."""
    body = []
    for number, (memory_type, evidence, topic) in enumerate(
        itertools.product(TYPES, EVIDENCES, TOPICS)
    ):
        body.append(
            {
                "content": f"Note {number} on {topic}.",
                "agent_id": ada.agent_id,
                "memory_type": memory_type,
                "evidence": evidence,
                "user_id": f"user-{number % 3}",
                "session_id": f"session-{number % 7}",
                "timestamp": (START + timedelta(hours=number)).isoformat(),
                "importance": number % 10 / 10,
                "metadata": {"topic": topic, "n": {"mod": number % 4}},
            }
        )
    answer = await ada.http.post("/api/memory/batch", json={"memories": body})
    return [result["memory"] for result in answer.json()["results"]]


MIDDLE = (START + timedelta(hours=50)).isoformat().replace("+00:00", "Z")
FILTERS: list[tuple[Fields, Any]] = [
    ({}, lambda m: True),
    ({"memory_type": "working"}, lambda m: m["memory_type"] == "working"),
    (
        {"memory_type": ["thought", "semantic"]},
        lambda m: m["memory_type"] in ("thought", "semantic"),
    ),
    ({"user_id": "user-1"}, lambda m: m["user_id"] == "user-1"),
    ({"session_id": "session-6"}, lambda m: m["session_id"] == "session-6"),
    ({"since": MIDDLE}, lambda m: m["timestamp"] >= MIDDLE),
    ({"until": MIDDLE}, lambda m: m["timestamp"] <= MIDDLE),
    ({"min_importance": 0.8}, lambda m: m["importance"] >= 0.8),
    ({"metadata": {"n": {"mod": 2}}}, lambda m: m["metadata"]["n"]["mod"] == 2),
    ({"evidence": "told"}, lambda m: m["evidence"] == "told"),
    ({"evidence": "thought"}, lambda m: m["evidence"] == "thought"),
    (
        {"evidence": ["inferred", "told", "observed"]},
        lambda m: m["evidence"] != "thought",
    ),
    (
        {"evidence": ["told", "thought"]},
        lambda m: m["evidence"] in ("told", "thought"),
    ),
    (
        {"user_id": "user-2", "until": MIDDLE, "metadata": {"topic": "tax law"}},
        lambda m: (
            m["user_id"] == "user-2"
            and m["timestamp"] <= MIDDLE
            and m["metadata"]["topic"] == "tax law"
        ),
    ),
    ({"user_id": "nobody"}, lambda m: False),
    ({"memory_type": []}, lambda m: False),
]


async def test_filters_are_exact(ada: Caller) -> None:
    """As many as match come back, in the order they have among all."""
    memories = await remember_grid(ada)
    for mode in MODES:
        query = "notes on old trains"
        everything = await ada.recall(query, mode=mode, limit=1000)
        for filters, meets in FILTERS:
            expected = [memory["id"] for memory in everything if meets(memory)]
            if mode != "keyword":
                assert len(expected) == sum(map(meets, memories))
            for limit in (5, 1000):
                found = await ada.recall(query, mode=mode, limit=limit, filters=filters)
                ids = [memory["id"] for memory in found]
                if mode == "semantic":
                    assert ids == expected[:limit], filters
                assert len(ids) == min(limit, len(expected)), filters
                assert all(map(meets, found)), filters


async def test_thoughts_do_not_crowd_out_facts(ada: Caller) -> None:
    await ada.tell_all(
        [f"I wonder about the lighthouse, again, {n}." for n in range(300)],
        evidence="thought",
        memory_type="thought",
    )
    fact = await ada.tell("A lighthouse keeper was seen in June.")
    facts = {"evidence": ["told", "observed", "inferred"]}
    for mode in MODES:
        found = await ada.recall("lighthouse", mode=mode, limit=5, filters=facts)
        assert [memory["id"] for memory in found] == [fact["id"]]


async def test_agents_never_meet(service: Replica, agent: str) -> None:
    ada, bob = service.caller(f"{agent}-a"), service.caller(f"{agent}-b")
    hers = await ada.tell("The password is swordfish.", user_id="u")
    his = await bob.tell("The password is marlin.", user_id="u")
    for mode in MODES:
        found = await ada.recall("password swordfish marlin", mode=mode)
        assert [memory["id"] for memory in found] == [hers["id"]]
    scopes: list[Fields] = [{"user_id": "u"}, {"metadata": {}}]
    for filters in scopes:
        found = await ada.recall("password", filters=filters)
        assert [memory["id"] for memory in found] == [hers["id"]]
    assert (await ada.get(his["id"])).status_code == 404
    assert (await ada.change(his["id"], importance=1)).status_code == 404
    assert (await ada.delete(his["id"])).status_code == 404
    assert [memory["id"] for memory in (await ada.recent())["memories"]] == [hers["id"]]
    assert [line["id"] for line in await ada.export()] == [hers["id"]]
    assert (await ada.stats())["memories"] == 1
    assert (await bob.get(his["id"])).json() == his


async def test_a_large_index_is_searched_beside_the_loop(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_index, "INLINE_VECTORS", 3)
    await ada.tell_all([f"Fact {n} about whales" for n in range(10)])
    assert len(await ada.recall("whales", limit=10)) == 10


@pytest.mark.parametrize("slow", ["words", "vector"])
@pytest.mark.parametrize("limit", [3, 30])
async def test_a_large_index_finds_what_a_small_one_does(
    service: Replica,
    ada: Caller,
    monkeypatch: pytest.MonkeyPatch,
    slow: str,
    limit: int,
) -> None:
    """Whichever of its two arms comes first."""
    found = {}
    await ada.tell_all([f"Whale {n} swam past buoy {n % 7}" for n in range(60)])
    for query in ("whale at buoy 3", "Whale 17", "swimming"):
        found[query] = await ada.recall(query, limit=limit)
    await service.context.caches.drop(ada.agent_id)
    monkeypatch.setattr(agent_index, "INLINE_VECTORS", 3)
    embed, words = Embedder.embed, MemorySearch.words

    async def find_words(search: MemorySearch, *args: Any) -> FoundWords:
        if slow == "words":
            await asyncio.sleep(0.1)
        return await words(search, *args)

    def embed_texts(embedder: Embedder, texts: Sequence[str]) -> Any:
        time.sleep(0.1 if slow == "vector" else 0)
        return embed(embedder, texts)

    monkeypatch.setattr(MemorySearch, "words", find_words)
    monkeypatch.setattr(Embedder, "embed", embed_texts)
    for query, expected in found.items():
        again = await ada.recall(query, limit=limit)
        assert [m["id"] for m in again] == [m["id"] for m in expected]
        for one, other in zip(expected, again, strict=True):
            assert other["scores"]["semantic"] == pytest.approx(
                one["scores"]["semantic"], abs=1e-6
            )


async def test_statistics_tell_which_words_are_common(
    service: Replica,
    ada: Caller,
    other_service: Replica,
    monkeypatch: pytest.MonkeyPatch,
    database: Any,
) -> None:
    texts = [f"The harbour at dawn, day {n}" for n in range(400)]
    await ada.tell_all([*texts, "A heron at the harbour", "A heron at the lake"])
    found = await ada.recall("heron harbour", limit=5)
    await database.execute("ANALYZE memories")
    search = MemorySearch(service.context.reads)
    common = await search.common_words(ada.agent_id, 402, 300)
    # What other tests wrote may hide some of them, but shows none that are not.
    assert common
    assert common.keys() <= {"harbour", "dawn", "day"}
    assert all(0.7 < share < 1.3 for share in common.values())
    monkeypatch.setattr(recall, "MIN_STATISTICS", 100)
    monkeypatch.setattr(recall, "KEYWORD_VISITS", 20)
    again = await Caller(other_service.http, ada.agent_id).recall(
        "heron harbour", limit=5
    )
    assert [m["content"] for m in again[:2]] == [m["content"] for m in found[:2]]


async def test_what_expired_unnoticed_makes_room_for_the_next(
    ada: Caller, monkeypatch: pytest.MonkeyPatch, database: Any
) -> None:
    monkeypatch.setattr(recall, "MIN_CANDIDATES", 1)
    monkeypatch.setattr(recall, "SPARE_MEMORIES", 1)
    await ada.tell_all([f"The rose garden, bed {n}." for n in range(20)])
    best = await ada.recall("rose garden bed", limit=1000)
    # Behind the service's back, so that its index still has them.
    await database.execute(
        "DELETE FROM memories WHERE agent_id = $1 AND seq = ANY($2::bigint[])",
        ada.agent_id,
        [memory["seq"] for memory in best[:15]],
    )
    for mode in ("hybrid", "semantic"):
        found = await ada.recall("rose garden bed", mode=mode, limit=3)
        assert len(found) == 3
        assert {m["id"] for m in found} <= {m["id"] for m in best[15:]}


async def test_accesses_are_counted_beside_the_call(
    service: Replica, ada: Caller
) -> None:
    told = await ada.tell("counted")
    before = (await ada.stats())["index"]["seq"]
    for _ in range(3):
        await ada.recall("counted")
    await service.context.accesses.flush()
    read = (await ada.get(told["id"])).json()
    assert read["access_count"] == 3
    assert read["last_accessed_at"] > told["created_at"]
    assert read["updated_at"] == told["updated_at"]
    assert (await ada.stats())["index"]["seq"] == before


async def test_the_answer_tells_of_the_index(ada: Caller) -> None:
    await ada.tell_all(["one", "two"])
    body = {"query": "one", "agent_id": ada.agent_id}
    answer = (await ada.http.post("/api/memory/recall", json=body)).json()
    assert answer["index"] == {"kind": "faiss-flat-fp16", "vectors": 2, "seq": 2}
    assert answer["took_ms"] > 0


async def test_common_words_count_in_what_rare_ones_find(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once known they are not looked up any more, and the answer stays the same."""
    monkeypatch.setattr(recall, "KEYWORD_VISITS", 20)
    texts = [f"The harbour at dawn, day {n}" for n in range(200)]
    await ada.tell_all([*texts, "A heron at the harbour", "A heron at the lake"])
    first = await ada.recall("heron harbour", limit=5)
    again = await ada.recall("heron  harbour", limit=5)
    assert [m["content"] for m in first[:2]] == [
        "A heron at the harbour",
        "A heron at the lake",
    ]
    assert first[0]["scores"]["keyword"] == pytest.approx(1)
    assert 0.3 < first[1]["scores"]["keyword"] < 1
    assert [m["id"] for m in again] == [m["id"] for m in first]
    for one, other in zip(first, again, strict=True):
        assert other["scores"]["keyword"] == pytest.approx(one["scores"]["keyword"])


async def test_a_text_of_stop_words_alone_is_found_by_them(ada: Caller) -> None:
    await ada.tell_all(["To be, or not to be?", "A question of taste."])
    found = await ada.recall_texts("to be or not to be", mode="keyword")
    assert found == ["To be, or not to be?"]


@pytest.mark.parametrize("mode", MODES)
async def test_past_versions_are_found_on_request(ada: Caller, mode: str) -> None:
    told = await ada.tell("The keys hang in the hall.")
    await ada.tell("The hall was painted green.")
    await ada.change(told["id"], content="The keys lie in the drawer.")
    now = await ada.recall_texts("keys hall", mode=mode)
    assert "The keys hang in the hall." not in now
    found = await ada.recall("keys hall", mode=mode, include_history=True)
    assert found[0]["content"] == "The keys hang in the hall."
    assert found[0]["superseded_by"] == told["id"]
    facts = {"evidence": "thought"}
    assert not await ada.recall("keys", filters=facts, include_history=True)
    for memory in await ada.recall("keys hall", mode=mode, limit=100):
        assert memory["superseded_by"] is None


@pytest.mark.parametrize("mode", MODES)
async def test_it_says_when_nothing_is_relevant(ada: Caller, mode: str) -> None:
    await ada.tell_all(
        [
            "Melanie ran a charity race for mental health last Saturday.",
            "Caroline joined a support group in May.",
            "The pottery class starts at nine.",
        ]
    )

    async def confidence(query: str, **fields: Any) -> float:
        body = {"query": query, "agent_id": ada.agent_id, "mode": mode} | fields
        answer = await ada.http.post("/api/memory/recall", json=body)
        found: float = answer.json()["confidence"]
        return found

    assert await confidence("When did Melanie run a charity race?") > 0.9
    assert await confidence("Which compiler flags does the kernel need?") < 0.1
    few = {"user_id": "nobody"}
    assert await confidence("Melanie's charity race", filters=few) == 0


@pytest.mark.parametrize("mode", MODES)
async def test_other_scripts(ada: Caller, mode: str) -> None:
    texts = [
        "Анна приехала в Москву вчера",
        "会议 在 上海 举行",
        "η Μαρία ζει στην Αθήνα",
        "Der Zug nach Köln hatte Verspätung",
    ]
    await ada.tell_all(texts)
    for query, expected in (("МОСКВУ", 0), ("上海", 1), ("Αθήνα", 2), ("köln", 3)):
        found = await ada.recall_texts(query, mode=mode)
        assert texts[expected] in found
        if mode == "keyword":
            assert found == [texts[expected]]


async def test_a_conversation_answers_questions_about_it(
    service: Replica, agent: str, talks: list[dict[str, Any]]
) -> None:
    """The share of the turns that answer a question, among the 10 and 25 found."""
    caller = service.caller(agent)
    talk = talks[0]
    await caller.take_in(list(turns(talk, agent)))
    shares: dict[int, list[float]] = {10: [], 25: []}
    for question in talk["qa"]:
        evidence = question.get("evidence")
        for limit in shares if evidence else ():
            found = await caller.recall(question["question"], limit=limit)
            ids = {memory["metadata"]["dia_id"] for memory in found}
            shares[limit].append(sum(e in ids for e in evidence) / len(evidence))
    assert np.mean(shares[10]) >= 0.75
    assert np.mean(shares[25]) >= 0.84
