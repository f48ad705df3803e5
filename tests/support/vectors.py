"""Vectors like those of sentences, and an agent's index filled with them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Change, Part
from memory_service.providers.vectors.agent import AgentVectors, Restored
from memory_service.providers.vectors.rows import DIMENSION

Matrix = NDArray[np.float32]

AGENT, MODEL = "ada", "all-MiniLM-L6-v2"

# Of the space in which the vectors lie, as found for sentences.
INTRINSIC = 15


def normalise(vectors: Matrix) -> Matrix:
    """Rows of length 1."""
    lengths: Matrix = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / lengths


def make_vectors(count: int, seed: int = 0) -> Matrix:
    """Clustered unit vectors that float16 holds exactly: `normalise(x + u(a - b))`."""
    dice = np.random.default_rng(seed)
    # The space is the same for all seeds: queries come from where the stored do.
    spread = np.random.default_rng(99).standard_normal((INTRINSIC, DIMENSION))
    centres = dice.standard_normal((max(count // 2, 2), INTRINSIC)) @ spread
    centres += 0.5 * dice.standard_normal(centres.shape)
    real = normalise(centres.astype(np.float32))
    x, a, b = dice.integers(0, len(real), (3, count))
    lengths = dice.uniform(0.5, 1.0, (count, 1)).astype(np.float32)
    made = normalise(real[x] + lengths * (real[a] - real[b]) / 2)
    return made.astype("<f2").astype(np.float32)


def pack(vector: Matrix) -> bytes:
    """As PostgreSQL has it."""
    return vector.astype("<f2").tobytes()


def add(
    index: AgentVectors, vectors: Matrix, first: int = 1, part: Part = Part.FACTS
) -> None:
    """Adds vectors under numbers in a row."""
    index.apply([Change(first + n, part, pack(v)) for n, v in enumerate(vectors)])


def remove(index: AgentVectors, seqs: Iterable[int]) -> None:
    """Removes memories."""
    index.apply([Change(int(seq), Part.FACTS, None) for seq in seqs])


def nearest(stored: Mapping[int, Matrix], query: Matrix, limit: int) -> list[int]:
    """By plain computation, best first."""
    seqs = list(stored)
    if not seqs:
        return []
    cosines = np.stack(list(stored.values())) @ query
    return [seqs[place] for place in np.argsort(-cosines, kind="stable")[:limit]]


def build(index: AgentVectors) -> str | None:
    """Does what is due; the reason, if anything was."""
    due = index.due()
    if due is None:
        return None
    due.run()
    index.finish(due)
    return due.reason


def save(index: AgentVectors, seq: int = 1, timeline: str = "1") -> None:
    """Writes a snapshot."""
    index.capture(seq, timeline).write()


def restore(folder: Path) -> Restored | None:
    """What a process that starts would find there."""
    return AgentVectors.restore(AGENT, MODEL, folder)
