"""Writes the folder that the service ships: graph, weights, n-grams, manifest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embedding.build.encoder import Encoder
from embedding.build.graph import Graph
from embedding.build.safetensors import Tensor
from safety_validator.domain.ngrams import ORDERS, NGrams
from safety_validator.domain.windows import SINGLE_TOKENS
from training.data import HEADS, HELD_OUT

__all__ = ["write"]

FORMAT = 1
NAME = "claude-agi-safety"
# Coarser and shorter than the embedder's: the folder is to stay below 25 MB.
BLOCK_SIZE = 128
MAX_TOKENS = SINGLE_TOKENS + 2
GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "model.bin"
NGRAMS_FILE = "ngrams.bin"
VOCABULARY_FILE = "vocab.txt"
MANIFEST_FILE = "manifest.json"
FILES = (GRAPH_FILE, WEIGHTS_FILE, NGRAMS_FILE, VOCABULARY_FILE)


def write_graph(
    folder: Path, tensors: Mapping[str, Tensor], trained: Mapping[str, Tensor]
) -> None:
    """The encoder with its trained layers, and the heads: token ids to logits."""
    graph = Graph(WEIGHTS_FILE)
    model = Encoder(graph, {**tensors, **trained}, MAX_TOKENS, BLOCK_SIZE)
    mean = model.add_mean()
    weights = graph.constant(np.array(trained["heads.weight"]).T)
    product = graph.add("MatMul", mean, weights)
    logits = graph.add("Add", product, graph.constant(np.array(trained["heads.bias"])))
    (folder / GRAPH_FILE).write_bytes(graph.serialise(NAME, logits, len(HEADS)))
    (folder / WEIGHTS_FILE).write_bytes(graph.constants())


def write(
    folder: Path,
    vocabulary: Sequence[str],
    ngrams: NGrams,
    stack: Mapping[str, Any],
    calibration: Mapping[str, Sequence[tuple[float, float]]],
) -> None:
    """What stands beside the graph; the manifest vouches for all of it."""
    (folder / VOCABULARY_FILE).write_text("\n".join(vocabulary), encoding="utf-8")
    (folder / NGRAMS_FILE).write_bytes(ngrams.weights.tobytes())
    digests = {name: _sha256(folder / name) for name in FILES}
    manifest = {
        "format": FORMAT,
        "name": NAME,
        "version": hashlib.sha256(repr(digests).encode()).hexdigest()[:12],
        "heads": list(HEADS),
        "ngrams": {
            "buckets": len(ngrams.weights),
            "orders": list(ORDERS),
            "scales": ngrams.scales.tolist(),
            "biases": ngrams.biases.tolist(),
        },
        "held_out": sorted(HELD_OUT),
        "stack": stack,
        "calibration": calibration,
        "sha256": digests,
    }
    text = json.dumps(manifest, indent=1, sort_keys=True)
    (folder / MANIFEST_FILE).write_text(f"{text}\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
