"""Rows ↔ dataclasses."""

from collections.abc import Iterable

import asyncpg
import numpy as np

from memory_service.models import MEMORY_FIELDS, Filters, Memory, Vector

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
