"""A small classifier that finds what a test says: the letter `j`, by its n-grams."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from training.artefact import MANIFEST_FILE, write, write_graph

from safety_validator.domain.ngrams import BUCKETS, NGrams, buckets
from safety_validator.models import ClassifierPolicy, RuleSet, Thresholds
from tests.unit.embedding.small_model import VOCABULARY, make_tensors

HEADS = ("injection", "harm", "goal")
# Letters of the small vocabulary, each a token.
HARMLESS = "a b c d e f g h i"
SUSPECT = "j"
# What the model itself says of every window, before the n-grams.
MODEL_LOGITS = (-2.0, -3.0, -4.0)
TABLE = [(0.5, 0.1), (0.25, 0.2), (0.1, 0.5), (0.01, 0.7), (0.001, 0.9)]
STACK = {"model": 1.0, "ngrams": 1.0, "bias": 0.0}


def write_classifier(folder: Path) -> Path:
    """A folder as training writes it, with which a suspect letter is an injection:
    it adds 80 to the logit of its window, over the root of the number of n-grams."""
    folder.mkdir(parents=True, exist_ok=True)
    heads = {
        "heads.weight": np.zeros((len(HEADS), 384), dtype=np.float32),
        "heads.bias": np.array(MODEL_LOGITS, dtype=np.float32),
    }
    write_graph(folder, make_tensors(seed=1), heads)
    stack, table = dict.fromkeys(HEADS, STACK), dict.fromkeys(HEADS, TABLE)
    write(folder, VOCABULARY, _ngrams(), stack, table)
    return folder


def _ngrams() -> NGrams:
    weights = np.zeros((BUCKETS, len(HEADS)), dtype=np.int8)
    letter = np.array([VOCABULARY.index(SUSPECT)], dtype=np.int32)
    weights[next(buckets(letter))] = 10
    scales = np.array([8, 0, 0], dtype=np.float32)
    return NGrams(weights, scales, np.zeros(len(HEADS), dtype=np.float32))


def change_manifest(folder: Path, **members: Any) -> None:
    """Writes other members into the manifest, whose word the rest is held to."""
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | members))


def with_classifier(policy: RuleSet, flag: float, block: float) -> RuleSet:
    """The policy with these rates for every head."""
    rates = Thresholds(flag, block)
    return replace(policy, classifier=ClassifierPolicy(dict.fromkeys(HEADS, rates), {}))
