"""Writes a model folder: beside its place first, then moved there whole."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from embedding.build.encoder import Encoder, Tensors
from embedding.build.graph import Graph
from embedding.manifest import (
    DIMENSION,
    GRAPH_FILE,
    MODEL_NAME,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    write_manifest,
)


def write_folder(folder: Path, tensors: Tensors, vocabulary: Sequence[str]) -> None:
    """Put the model into `folder`, in place of what stood there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as beside:
        new = Path(beside) / "new"
        new.mkdir()
        _fill(new, tensors, vocabulary)
        if folder.exists():
            folder.rename(Path(beside) / "old")
        new.rename(folder)


def _fill(folder: Path, tensors: Tensors, vocabulary: Sequence[str]) -> None:
    graph = Graph(WEIGHTS_FILE)
    vector = Encoder(graph, tensors).add()
    model = graph.serialise(MODEL_NAME, vector, DIMENSION)
    (folder / GRAPH_FILE).write_bytes(model)
    (folder / WEIGHTS_FILE).write_bytes(graph.constants())
    (folder / VOCABULARY_FILE).write_text("\n".join(vocabulary), encoding="utf-8")
    write_manifest(folder)
