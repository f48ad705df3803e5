"""LoCoMo's development conversations: which turns recall finds for a question."""

import json
import re
from typing import Any

from tests.integration.mind.test_locomo import turns

from benchmarks.connection import Connection
from benchmarks.corpus import shared_data
from benchmarks.figures import Figure
from benchmarks.loading import lines_of, take_in

TARGETS = {10: 0.75, 25: 0.84}
# Evidence is written "D8:6; D9:17" or "D8:6, D9:17" at times.
TURN = re.compile(r"D\d+:\d+")


async def measure(address: str, connection: Connection) -> list[Figure]:
    """Each conversation is the memory of an agent of its own. Figures are means over
    the questions that have evidence of the share of their evidence turns found."""
    found: dict[int, list[float]] = {limit: [] for limit in TARGETS}
    talks = json.loads((shared_data() / "locomo-dev.json").read_text())
    for number, talk in enumerate(talks):
        agent = f"locomo-{number}"
        imported = await take_in(address, agent, lines_of(turns(talk, agent)))
        assert not imported.counts["failed"], imported
        for question in talk["qa"]:
            evidence = set(TURN.findall(" ".join(question.get("evidence") or [])))
            if evidence:
                places = await _recall(connection, agent, question["question"])
                for limit, shares in found.items():
                    hits = evidence.intersection(places[:limit])
                    shares.append(len(hits) / len(evidence))
    return [
        Figure(
            f"LoCoMo turns found, R@{limit}",
            "",
            target,
            sum(found[limit]) / len(found[limit]),
            at_least=True,
            note=f"mean of {len(found[limit])} questions",
        )
        for limit, target in TARGETS.items()
    ]


async def _recall(connection: Connection, agent: str, query: str) -> list[Any]:
    body = {"query": query, "agent_id": agent, "limit": max(TARGETS)}
    answer = await connection.post("/api/memory/recall", body)
    return [memory["metadata"]["dia_id"] for memory in answer["memories"]]
