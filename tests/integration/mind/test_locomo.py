"""Real conversations: what is recalled for a question, and how the streams' thoughts
differ from one another."""

import asyncio
import json
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx2
import numpy as np
import pytest_asyncio

from embedding import default_folder
from embedding.model import Embedder

QUESTIONS = 200
FOUND_SHARE = 0.40
THOUGHTS = 1000
NEAR_DUPLICATE = 0.97


def turns(conversation: dict[str, Any], agent: str) -> Iterator[dict[str, Any]]:
    """Each turn as a memory: who said it, when, and its id in the set."""
    talk = conversation["conversation"]
    number = 1
    while f"session_{number}" in talk:
        said_at = datetime.strptime(
            f"{talk[f'session_{number}_date_time']} +0000", "%I:%M %p on %d %B, %Y %z"
        )
        for turn in talk[f"session_{number}"]:
            yield {
                "content": f"{turn['speaker']}: {turn['text']}",
                "agent_id": agent,
                "session_id": f"session-{number}",
                "timestamp": said_at.isoformat(),
                "metadata": {"dia_id": turn["dia_id"]},
            }
        number += 1


async def import_all(
    api: httpx2.AsyncClient, memories: list[dict[str, Any]]
) -> dict[str, int]:
    body = "\n".join(json.dumps(memory) for memory in memories)
    answer = await api.post(
        "/api/memory/import",
        content=body,
        headers={"Content-Type": "application/x-ndjson"},
        timeout=300,
    )
    assert answer.status_code == 200
    last: dict[str, int] = json.loads(answer.text.splitlines()[-1])
    return last


@pytest_asyncio.fixture(scope="module")
async def conversations(
    api: httpx2.AsyncClient, talks: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The conversations, each in the memory of an agent of its own."""
    by_agent = {}
    for number, conversation in enumerate(talks):
        agent = f"locomo-{number}"
        put = await api.put(f"/api/thought/agents/{agent}", json={})
        assert put.status_code == 201
        memories = list(turns(conversation, agent))
        counts = await import_all(api, memories)
        assert counts["imported"] + counts["failed"] == len(memories)
        # Safety may refuse a turn, not ordinary talk.
        assert counts["failed"] <= len(memories) * 0.001
        by_agent[agent] = conversation
    return by_agent


async def test_a_thought_about_a_question_recalls_its_evidence(
    api: httpx2.AsyncClient, conversations: dict[str, dict[str, Any]]
) -> None:
    asked = [
        (agent, question)
        for agent, conversation in conversations.items()
        for question in conversation["qa"]
        if question.get("evidence")
    ]
    chosen = random.Random(7).sample(asked, min(QUESTIONS, len(asked)))
    gate = asyncio.Semaphore(8)
    # What safety blocks of ordinary talk is found by nobody, and is rare.
    blocked: list[str] = []

    async def found(agent: str, question: dict[str, Any]) -> bool:
        async with gate:
            answer = await api.post(
                "/api/thought/generate",
                json={"agent_id": agent, "context": question["question"]},
            )
        if answer.status_code == 422 and answer.json()["part"] == "thought":
            blocked.append(answer.text)
            return False
        assert answer.status_code == 200, answer.text
        evidence = set(question["evidence"])
        for memory in answer.json()["recalled"]:
            url = f"/api/memory/{memory['memory_id']}?agent_id={agent}"
            stored = (await api.get(url)).json()
            if stored["metadata"].get("dia_id") in evidence:
                return True
        return False

    hits = await asyncio.gather(*(found(*each) for each in chosen))
    assert len(blocked) <= len(chosen) * 0.01, blocked
    assert sum(hits) / len(hits) >= FOUND_SHARE


async def test_a_thousand_offline_thoughts_are_all_different(
    thinking: httpx2.AsyncClient, talks: list[dict[str, Any]]
) -> None:
    """As the streams think them by themselves, one after the other."""
    agent = "wanderer"
    streams = {
        name: {"interval_seconds": 0.1}
        for name in (
            "primary",
            "subconscious",
            "emotional",
            "creative",
            "metacognitive",
        )
    }
    await thinking.put(f"/api/thought/agents/{agent}", json={"streams": {}})
    await import_all(thinking, list(turns(talks[0], agent)))
    await thinking.put(f"/api/thought/agents/{agent}", json={"streams": streams})

    thoughts: list[dict[str, Any]] = []
    async with asyncio.timeout(200):
        while len(thoughts) < THOUGHTS:
            await asyncio.sleep(1.0)
            page = await thinking.get(
                f"/api/thought/recent?agent_id={agent}&limit=1000"
            )
            thoughts = page.json()["thoughts"]
    await thinking.delete(f"/api/thought/agents/{agent}")

    embedder = Embedder(default_folder())
    for stream in streams:
        contents = [t["content"] for t in thoughts if t["stream"] == stream]
        assert len(contents) > THOUGHTS / 10
        vectors = embedder.embed(contents)
        cosines = vectors @ vectors.T - 2 * np.eye(len(contents), dtype=np.float32)
        one, other = np.unravel_index(np.argmax(cosines), cosines.shape)
        assert cosines.max() < NEAR_DUPLICATE, (contents[one], contents[other])
    for thought in thoughts:
        assert thought["recalled"], thought
        assert thought["engine"] == "offline"
