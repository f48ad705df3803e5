"""Messages of the API ↔ dataclasses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from fastapi import Response

from contracts.call import request_id
from contracts.ids import new_id
from contracts.memory import Evidence, MemoryPatch, MemoryType, MemoryWrite
from contracts.recall import RecallFilters, RecallRequest
from memory_service.domain.importance import estimate_importance
from memory_service.models.memories import (
    MEMORY_FIELDS,
    Draft,
    Kept,
    Memory,
    Outcome,
    Patch,
    Verdict,
)
from memory_service.models.recall import Filters, Query, Recalled
from servicekit.errors import AppError

SEQ_HEADER = "X-Memory-Seq"


class JsonAnswer(Response):
    """An answer made of our own dataclasses: valid already, so only written out."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """As JSON, times in UTC with a Z; bytes are JSON already."""
        return content if isinstance(content, bytes) else write_json(content)


def write_json(content: Any) -> bytes:
    """JSON of dataclasses and what else the service answers with."""
    # asyncpg has a UUID class of its own: the only thing orjson asks `str` about.
    return orjson.dumps(content, default=str, option=orjson.OPT_UTC_Z)


def to_draft(write: MemoryWrite, now: datetime | None = None) -> Draft:
    """The memory to keep; what the caller left open is filled in."""
    now = now or datetime.now(UTC)
    verdict = write.verdict
    return Draft(
        id=write.id or new_id(),
        brought_id=write.id is not None,
        agent_id=write.agent_id,
        user_id=write.user_id,
        session_id=write.session_id,
        content=write.content,
        memory_type=write.memory_type.value,
        importance=(
            estimate_importance(write.content)
            if write.importance is None
            else write.importance
        ),
        timestamp=write.timestamp or now,
        metadata=write.metadata,
        evidence=write.evidence.value,
        pinned=write.pinned,
        expires_at=(
            now + timedelta(seconds=write.ttl_seconds) if write.ttl_seconds else None
        ),
        verdict=Verdict(**verdict.model_dump()) if verdict else None,
        sources=list(dict.fromkeys(write.sources)),
    )


def to_patch(patch: MemoryPatch) -> Patch:
    """What changes."""
    return Patch(
        content=patch.content,
        memory_type=patch.memory_type.value if patch.memory_type else None,
        importance=patch.importance,
        metadata=patch.metadata,
        pinned=patch.pinned,
    )


def to_query(request: RecallRequest) -> Query:
    """What to remember about."""
    return Query(
        text=request.query,
        agent_id=request.agent_id,
        limit=request.limit,
        mode=request.mode.value,
        filters=to_filters(request.filters),
        min_score=request.min_score,
        include_history=request.include_history,
    )


def to_filters(filters: RecallFilters) -> Filters:
    """Conditions on memories."""
    types = _values(filters.memory_type)
    evidence = _values(filters.evidence)
    return Filters(
        memory_types=types,
        user_id=filters.user_id,
        session_id=filters.session_id,
        since=filters.since,
        until=filters.until,
        min_importance=filters.min_importance,
        metadata=filters.metadata,
        evidence=None if evidence is None else frozenset(evidence),
    )


def _values(
    given: MemoryType | Evidence | list[MemoryType] | list[Evidence] | None,
) -> list[str] | None:
    if given is None:
        return None
    return [v.value for v in given] if isinstance(given, list) else [given.value]


def memory_fields(memory: Memory) -> dict[str, Any]:
    """A memory as the fields of its message."""
    return {name: getattr(memory, name) for name in MEMORY_FIELDS}


def recalled_fields(recalled: Recalled) -> dict[str, Any]:
    """A recalled memory as the fields of its message."""
    return {
        **memory_fields(recalled.memory),
        "score": recalled.score,
        "scores": recalled.scores,
    }


def problem_fields(error: AppError) -> dict[str, Any]:
    """An error within an answer that is none itself."""
    problem = error.problem(request_id.get())
    return problem.model_dump(mode="json", exclude_none=True)


def kept_fields(kept: Kept) -> Memory | dict[str, Any]:
    """A memory as a write left it."""
    if kept.merged_seq is None:
        return kept.memory
    return {**memory_fields(kept.memory), "merged_into": kept.memory.id}


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """One result of a batch."""
    if isinstance(outcome, Kept):
        return {"memory": kept_fields(outcome)}
    return {"problem": problem_fields(outcome)}
