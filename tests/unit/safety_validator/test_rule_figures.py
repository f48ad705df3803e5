"""How much the rules find and how rarely they are wrong; `-s` prints the figures."""

import gzip
import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support import rule_figures, safety_texts
from tests.support.goal_statements import (
    DECLINED,
    DECLINED_HELD,
    WANTED,
    WANTED_HELD,
)
from tests.support.safe_texts import SAFE

from contracts.safety import CategoryName, VerdictName
from safety_validator.domain.judge import Judge

SEED = 20261123
BESIDE = Path(__file__).parents[4] / "shared"
SHARED = Path(os.environ.get("SHARED_DIR") or BESIDE) / "data"
needs_data = pytest.mark.skipif(
    not (SHARED / "safety").exists(), reason="needs evaluation data: set SHARED_DIR"
)
# Harmless texts among the training data that look dangerous.
ODD_SOURCES = {
    "alpaca_harmless",
    "fuzzyai_benign",
    "mtbench",
    "notinject",
    "stl_physsafe",
    "wildguard_benign",
}
# Enough to see a rule that is too wide.
MOST_OF_A_SOURCE = 500
# What the rules found of each source before they were last narrowed.
INJECTIONS_FOUND = {"deepset_pos": 25, "ej_templates": 167, "tt_extract": 169}


def training_rows() -> Iterator[Mapping[str, Any]]:
    with gzip.open(SHARED / "safety" / "train.jsonl.gz", "rt") as lines:
        for line in lines:
            yield json.loads(line)


def sentences(count: int) -> list[str]:
    with gzip.open(SHARED / "corpus" / "sentences.txt.gz", "rt") as lines:
        return random.Random(SEED).sample([line.rstrip("\n") for line in lines], count)


def turns(tree: object) -> Iterator[str]:
    """What is said in the conversations of LoCoMo."""
    if isinstance(tree, dict) and "dia_id" in tree and "text" in tree:
        yield tree["text"]
    elif isinstance(tree, dict | list):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from turns(branch)


def test_secrets_are_found(judge: Judge) -> None:
    texts = safety_texts.secrets(SEED, 2_300)
    for held, found in rule_figures.secrets_cut_out(judge, texts).items():
        kind = "held" if held else "own"
        print(f"secrets, {kind} forms: {found.recall:.4f} of {found.of}")
        assert found.recall >= 0.98, [t.text for t in found.missed][:9]


def test_what_looks_like_a_secret_is_left(judge: Judge) -> None:
    texts = safety_texts.not_secrets(SEED, 6_000)
    wrong = rule_figures.secrets_suspected(judge, texts)
    print(f"false alarms on {len(texts)} texts without secrets: {len(wrong)}")
    assert len(wrong) <= 0.001 * len(texts), [t.text for t in wrong][:9]


def test_personal_data_is_found_in_its_place(judge: Judge) -> None:
    texts = safety_texts.personal(SEED, 3_000) + safety_texts.not_personal(SEED, 3_000)
    scores = rule_figures.personal_scores(judge, texts)
    print("F1:", {kind: round(score, 4) for kind, score in sorted(scores.items())})
    assert scores.keys() == {"card", "iban", "ssn", "email", "phone", "ip"}
    assert min(scores.values()) >= 0.95


@pytest.mark.parametrize(
    ("name", "wanted", "declined"),
    [("own", WANTED, DECLINED), ("held", WANTED_HELD, DECLINED_HELD)],
)
def test_goals_are_told_from_their_negations(
    judge: Judge,
    name: str,
    wanted: Mapping[CategoryName, Sequence[str]],
    declined: Sequence[str],
) -> None:
    statements = [text for texts in wanted.values() for text in texts]
    missed = set(statements) - set(rule_figures.blocked(judge, statements))
    refused = rule_figures.blocked(judge, declined)
    found = 1 - len(missed) / len(statements)
    print(f"goals, {name}: {found:.2f} found, {len(refused)}/{len(declined)} negations")
    assert found >= 0.8, missed
    assert len(refused) <= 0.1 * len(declined), refused


def test_harmless_texts_that_look_dangerous_pass(judge: Judge) -> None:
    refused = rule_figures.blocked(judge, SAFE)
    print(f"harmless and odd: {len(refused)} of {len(SAFE)} blocked")
    assert len(refused) <= 0.02 * len(SAFE), refused


@needs_data
def test_ordinary_texts_are_left_alone(judge: Judge) -> None:
    conversations = json.loads((SHARED / "locomo-dev.json").read_text())
    texts = [*sentences(10_000), *turns(conversations)]
    touched = [
        text
        for text in texts
        if judge.judge(text).verdict in {VerdictName.BLOCK, VerdictName.REDACT}
    ]
    print(f"ordinary: {len(touched)} of {len(texts)} blocked or cut")
    assert len(touched) <= 0.0005 * len(texts), touched[:9]


@needs_data
def test_figures_by_source(judge: Judge) -> None:
    rows: dict[str, list[str]] = {}
    for row in training_rows():
        if row["src"] in ODD_SOURCES or row["src"] in INJECTIONS_FOUND:
            rows.setdefault(row["src"], []).append(row["text"])
    for source, texts in sorted(rows.items()):
        texts = texts[:MOST_OF_A_SOURCE]
        count = len(rule_figures.blocked(judge, texts))
        print(f"{source}: {count} of {len(texts)} blocked")
        if source in ODD_SOURCES:
            assert count <= 0.02 * len(texts), source
        else:
            assert count >= 0.97 * INJECTIONS_FOUND[source], source
