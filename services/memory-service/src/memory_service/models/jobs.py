"""Consolidation, as work that one process holds at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Seqs, Vector


@dataclass(frozen=True, slots=True)
class Job:
    """Long work on one agent's memories; fields and order are those of the API."""

    id: UUID
    agent_id: str
    kind: str
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    progress: Mapping[str, Any]
    result: Mapping[str, Any] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that this process runs until somebody else holds a higher epoch."""

    job: Job
    epoch: int


@dataclass(frozen=True, slots=True)
class Fence:
    """What must still hold when a job's memories are stored.

    It is held at this epoch, and no source has changed after `seen_seq`.
    """

    agent_id: str
    job_id: UUID
    epoch: int
    seen_seq: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """Memories that may be consolidated, in order; a vector for each number."""

    seqs: Seqs
    users: Sequence[str | None]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Member:
    """One of the memories that a consolidation puts together."""

    id: UUID
    seq: int
    user_id: str | None
    content: str
    importance: float
    timestamp: datetime
    vector: Vector
