"""Vectors, the parts of an index, and the changes that it follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

# A unit vector of `embedding.manifest.DIMENSION` numbers.
Vector = NDArray[np.float32]
# Numbers of memories (`Memory.seq`), each unique within its agent.
Seqs = NDArray[np.int64]
MAX_SEQ = 2**63 - 1
FACTS = frozenset({"told", "observed", "inferred"})
THOUGHTS = frozenset({"thought"})


@dataclass(frozen=True, slots=True)
class IndexState:
    """An agent's index: `seq` is the newest change it holds."""

    kind: str
    vectors: int
    seq: int


class Part(StrEnum):
    """What is searched apart, so that neither crowds out the other."""

    FACTS = "facts"
    THOUGHTS = "thoughts"
    # Superseded versions of either.
    PAST = "past"


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the change feed; without a vector the memory leaves the index."""

    memory_seq: int
    part: Part
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in their order, complete up to and including `upto`."""

    changes: Sequence[Change]
    upto: int
    last: bool


@dataclass(frozen=True, slots=True)
class Position:
    """The newest change of an agent, and the history in which it is that."""

    seq: int
    timeline: str


@dataclass(frozen=True, slots=True)
class Noted:
    """How far the vectors that replicas share go, and how many there are."""

    position: Position
    vectors: int


@dataclass(frozen=True, slots=True)
class VectorPage:
    """Vectors of memories, in the order of these, up to and including `upto`.

    They are as they were at the change `seq` or after it; `source` is the server's
    role, replica or primary.
    """

    changes: Sequence[Change]
    upto: int
    seq: int
    last: bool
    source: str
