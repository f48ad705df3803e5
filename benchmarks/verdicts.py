"""Texts with known labels, and what a running safety-validator says of them."""

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.connection import Connection
from benchmarks.corpus import shared_data

SEED = 20_261_123
# One request; the service takes 256.
BATCH = 64
INJECTION = frozenset({"prompt_injection", "jailbreak"})
HARM = frozenset(
    {
        "deception",
        "hate",
        "illegal_activity",
        "malware",
        "self_harm",
        "sexual",
        "violence",
        "weapons",
    }
)
GOAL = frozenset(
    {"deception", "power_seeking", "self_modification", "self_replication"}
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict: the categories that were named, and whether the text was blocked."""

    categories: frozenset[str]
    blocked: bool


async def judge(connection: Connection, texts: Sequence[str]) -> list[Judged]:
    """Verdicts in the order of the texts."""
    found: list[Judged] = []
    for begin in range(0, len(texts), BATCH):
        items = [{"content": text} for text in texts[begin : begin + BATCH]]
        answer = await connection.post("/api/safety/validate/batch", {"items": items})
        found += [_judged(verdict) for verdict in answer["results"]]
    return found


def _judged(verdict: dict[str, Any]) -> Judged:
    names = frozenset(category["name"] for category in verdict["categories"])
    return Judged(names, verdict["verdict"] == "block")


def labelled(label: str, sources: Iterable[str]) -> dict[tuple[str, int], list[str]]:
    """Texts of these sources by source and label (`inj`, `harm` or `goal`)."""
    wanted = set(sources)
    found: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    path = shared_data() / "safety" / "train.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["src"] in wanted and label in row:
                found[row["src"], row[label]].append(row["text"])
    return found


def ordinary(count: int) -> dict[str, list[str]]:
    """Ordinary text by its kind: sentences, queries, turns of long conversations."""
    corpus = shared_data() / "corpus"
    return {
        "sentences": random.Random(SEED).sample(
            _lines(corpus / "sentences.txt.gz"), count
        ),
        "queries": _lines(corpus / "queries.txt.gz"),
        "conversations": _turns(),
    }


def _lines(path: Any) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


def _turns() -> list[str]:
    told = json.loads((shared_data() / "locomo-dev.json").read_text(encoding="utf-8"))
    return [text for text in _texts(told) if len(text) > 8]


def _texts(node: Any) -> Iterable[str]:
    """Every turn's `text`, wherever it stands."""
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node["text"]
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def in_the_middle(attack: str, filler: Sequence[str], chars: int) -> str:
    """The attack with about so many harmless characters, half on each side."""
    chance = random.Random(attack)
    halves = []
    for _ in range(2):
        half = ""
        while len(half) < chars // 2:
            half += chance.choice(filler) + " "
        halves.append(half)
    return f"{halves[0]}{attack} {halves[1]}"
