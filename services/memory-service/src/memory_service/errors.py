"""What callers of memory-service may meet.

AppError
├── NotFound        → MemoryUnknown, JobUnknown, TombstoneUnknown
├── InvalidRequest  → BlockedBySafety, VectorUnfit, SeqUnknown
├── Conflict        → MemoryAmbiguous, Forgotten, Superseded, JobLost, SourcesChanged
├── BodyTooLarge    → LineTooLong
├── Overloaded      → QueueFull, TooManyOpening
└── Unavailable     → SafetyUnavailable, NotCaughtUp, VectorsUnavailable, NotReady
"""

from typing import Any

from servicekit.errors import (
    BodyTooLarge,
    Conflict,
    InvalidRequest,
    NotFound,
    Overloaded,
    Unavailable,
)


class MemoryUnknown(NotFound):
    """This agent has no such memory."""

    kind = "memory-unknown"


class MemoryAmbiguous(Conflict):
    """Several agents have a memory of this id."""

    kind = "memory-ambiguous"


class JobUnknown(NotFound):
    """There is no such job."""

    kind = "job-unknown"


class JobLost(Conflict):
    """Another process runs this job by now."""

    kind = "job-lost"


class SourcesChanged(Conflict):
    """What this memory was made from is not what it was."""

    kind = "sources-changed"


class TombstoneUnknown(NotFound):
    """This agent has no such tombstone."""

    kind = "tombstone-unknown"


class BlockedBySafety(InvalidRequest):
    """Safety blocked this memory."""

    kind = "blocked-by-safety"

    def __init__(self, verdict: dict[str, Any]) -> None:
        super().__init__("the content was blocked, nothing is stored", verdict=verdict)


class VectorUnfit(InvalidRequest):
    """The embedding cannot be used."""

    kind = "embedding-unfit"


class Forgotten(Conflict):
    """What was deleted or forgotten does not come back."""

    kind = "forgotten"


class Superseded(Conflict):
    """A past version stays as it was."""

    kind = "superseded"


class LineTooLong(BodyTooLarge):
    """The line is longer than a memory can be."""

    kind = "line-too-long"


class QueueFull(Overloaded):
    """Too many memories are waiting to be stored; try again later."""

    kind = "queue-full"


class TooManyOpening(Overloaded):
    """Too many agents are being loaded; try again later."""

    kind = "too-many-opening"


class SafetyUnavailable(Unavailable):
    """There is no safety verdict, so nothing is stored."""

    kind = "safety-unavailable"

    def __init__(self, detail: str, retry_after_s: float | None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s or type(self).retry_after_s


class SeqUnknown(InvalidRequest):
    """No write of this agent has the number that X-Min-Seq names."""

    kind = "seq-unknown"


class NotCaughtUp(Unavailable):
    """The write named by X-Min-Seq is not visible here yet; try again later."""

    kind = "not-caught-up"


class VectorsUnavailable(Unavailable):
    """The server that keeps the vectors is out; try again later."""

    kind = "vectors-unavailable"


class NotReady(Unavailable):
    """The service is starting; try again later."""

    kind = "not-ready"
