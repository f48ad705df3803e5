"""Rows ↔ dataclasses."""

from collections.abc import Iterable, Sequence

import asyncpg
import numpy as np
from numpy.typing import NDArray

from memory_service.models.memories import MEMORY_FIELDS, Memory
from memory_service.models.recall import Filters
from memory_service.models.vectors import Vector

# What the turn before adds to a turn's vector. On LoCoMo's five development
# conversations the sum finds more (R@10 0.53 by meaning alone) than the own vector
# (0.47) or that of both turns as one text (0.51), and 0.35 to 0.7 do about as well.
PREVIOUS_SHARE = 0.5

# Every statement that reads memories names the fields in the order of the dataclass.
_WIDTH = len(MEMORY_FIELDS)


def read_memory(row: asyncpg.Record) -> Memory:
    """The memory in the last columns of a row."""
    return Memory(*row[-_WIDTH:])


def read_memories(rows: Iterable[asyncpg.Record]) -> list[Memory]:
    """The memories of rows; a row that only tells of the agent has none."""
    return [read_memory(row) for row in rows if row["id"] is not None]


def pack_vector(vector: Vector) -> bytes:
    """A vector as it is stored: little-endian float16."""
    return vector.astype("<f2").tobytes()


def unpack_vector(stored: bytes) -> Vector:
    """A vector from its stored form."""
    return np.frombuffer(stored, dtype="<f2").astype(np.float32)


def in_context(vector: bytes | None, previous: bytes | None) -> bytes | None:
    """A memory's vector as an index has it: with that of the turn before, if any."""
    if vector is None or previous is None:
        return vector
    own, before = (
        np.frombuffer(v, "<f2").astype(np.float32) for v in (vector, previous)
    )
    both = own + PREVIOUS_SHARE * before
    return pack_vector(both / np.linalg.norm(both))


def in_contexts(
    vectors: Sequence[bytes], previous: Sequence[bytes | None]
) -> list[bytes]:
    """The same of many."""
    found = list(vectors)
    places = [place for place, before in enumerate(previous) if before is not None]
    if places:
        own = _stack([vectors[place] for place in places])
        both = own + PREVIOUS_SHARE * _stack([v for v in previous if v is not None])
        both /= np.linalg.norm(both, axis=1, keepdims=True)
        for place, vector in zip(places, both.astype("<f2"), strict=True):
            found[place] = vector.tobytes()
    return found


def _stack(vectors: Sequence[bytes]) -> NDArray[np.float32]:
    flat = np.frombuffer(b"".join(vectors), dtype="<f2").astype(np.float32)
    return flat.reshape(len(vectors), -1)


def filter_arguments(filters: Filters) -> tuple[object, ...]:
    """The conditions in the order in which every statement takes them."""
    return (
        filters.memory_types,
        filters.user_id,
        filters.session_id,
        filters.since,
        filters.until,
        filters.min_importance,
        filters.metadata,
        None if filters.evidence is None else sorted(filters.evidence),
    )


def unpack_seqs(packed: bytes | None) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Numbers of memories from big-endian bigints."""
    return np.frombuffer(packed or b"", dtype=">i8").astype(np.int64)
