"""Memories in and out, one or many at a time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from contracts.base import AgentId
from contracts.memory import (
    KeptMemory,
    Memory,
    MemoryBatchRequest,
    MemoryBatchResponse,
    MemoryHistory,
    MemoryList,
    MemoryLookup,
    MemoryLookupRequest,
    MemoryPatch,
    MemoryStats,
    MemoryType,
    MemoryWrite,
)
from memory_service.models import memories as models
from memory_service.models.memories import Kept, Outcome
from memory_service.models.vectors import MAX_SEQ
from memory_service.routes.conversion import (
    SEQ_HEADER,
    JsonAnswer,
    kept_fields,
    outcome_fields,
    to_draft,
    to_patch,
    write_json,
)
from memory_service.routes.documents import SEQ_DOCUMENTED
from memory_service.routes.parameters import (
    DEFAULT_AGENT,
    AgentQuery,
    MinSeqHeader,
    OwnerQuery,
    PageQuery,
    Reader,
    Writer,
    context_of,
)
from servicekit.app import api_router
from servicekit.auth import Caller
from servicekit.idempotency import IdempotencyHeader, IdempotencyKey
from servicekit.paging import read_cursor, write_cursor

router = api_router("/api/memory", "memory")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.post(
    "",
    status_code=201,
    response_model=KeptMemory,
    responses={
        200: {
            "model": KeptMemory,
            "description": "A memory stands under this id, or says the same.",
            "headers": SEQ_DOCUMENTED,
        },
        201: {"headers": SEQ_DOCUMENTED},
    },
)
async def remember(
    request: Request,
    caller: Writer,
    body: MemoryWrite,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Keeps one memory.

    What says the same as a memory that stands, of the same user, type and evidence, is
    merged into that one and only counts as a mention of it.
    """
    caller.check_agent(body.agent_id)
    key = (
        IdempotencyKey.of(body.agent_id, "memory", idempotency_key, body)
        if idempotency_key
        else None
    )
    (outcome,) = await context_of(request).writing.remember(
        [to_draft(body)], key, told_by=caller.name
    )
    if not isinstance(outcome, Kept):
        raise outcome
    return JsonAnswer(
        kept_fields(outcome), 201 if outcome.fresh else 200, _seq_header([outcome])
    )


@router.post(
    "/batch",
    response_model=MemoryBatchResponse,
    responses={200: {"headers": SEQ_DOCUMENTED}},
)
async def remember_batch(
    request: Request,
    caller: Writer,
    body: MemoryBatchRequest,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Keeps memories, each judged for itself."""
    for agent_id in {write.agent_id for write in body.memories}:
        caller.check_agent(agent_id)
    key = (
        IdempotencyKey.of(
            body.memories[0].agent_id, "memory/batch", idempotency_key, body
        )
        if idempotency_key
        else None
    )
    drafts = [to_draft(write) for write in body.memories]
    outcomes = await context_of(request).writing.remember(
        drafts, key, told_by=caller.name
    )
    return JsonAnswer(
        {"results": list(map(outcome_fields, outcomes))}, headers=_seq_header(outcomes)
    )


@router.get("/recent", response_model=MemoryList)
async def recent(
    request: Request,
    caller: Reader,
    agent_id: AgentQuery = DEFAULT_AGENT,
    memory_type: MemoryType | None = None,
    limit: PageQuery = 10,
    cursor: Annotated[str | None, Query()] = None,
    min_seq: MinSeqHeader = 0,
) -> Response:
    """Memories, newest first."""
    caller.check_agent(agent_id)
    scope = f"recent:{agent_id}:{memory_type or ''}"
    before = None
    if cursor is not None:
        microseconds, seq = map(int, read_cursor(scope, cursor, int, int))
        before = (EPOCH + timedelta(microseconds=microseconds), seq)

    def write(memories: Sequence[models.Memory]) -> bytes:
        page = memories[:limit]
        more = len(memories) > limit
        next_cursor = (
            write_cursor(scope, _microseconds(page[-1].timestamp), page[-1].seq)
            if more
            else None
        )
        return write_json({"memories": page, "next_cursor": next_cursor})

    answers = context_of(request).answers
    return JsonAnswer(
        await answers.recent(agent_id, memory_type, before, limit + 1, min_seq, write)
    )


@router.get("/stats", response_model=MemoryStats)
async def stats(
    request: Request,
    caller: Reader,
    agent_id: AgentQuery = DEFAULT_AGENT,
    min_seq: MinSeqHeader = 0,
) -> dict[str, Any]:
    """How much an agent remembers, and what answers for it."""
    caller.check_agent(agent_id)
    context = context_of(request)
    counts, index, lag_seconds = await context.memories.stats(agent_id, min_seq)
    return {
        "memories": counts.memories,
        "unjudged": counts.unjudged,
        "by_type": counts.by_type,
        "index": {
            "kind": index.kind,
            "vectors": index.vectors,
            "seq": index.seq,
            "lag": max(counts.seq - index.seq, 0),
        },
        "embedding_model": context.embedder.model,
        "cache": {"entries": context.caches.entries, "bytes": context.caches.bytes},
        "replica_lag_seconds": lag_seconds,
    }


@router.post("/lookup", response_model=MemoryLookup)
async def lookup(
    request: Request,
    caller: Reader,
    body: MemoryLookupRequest,
    min_seq: MinSeqHeader = 0,
) -> Response:
    """Memories by their ids; what is not there, or was forgotten, is left out."""
    caller.check_agent(body.agent_id)
    memories = await context_of(request).memories.lookup(
        body.agent_id, body.ids, min_seq
    )
    return JsonAnswer({"memories": memories})


@router.get("/{memory_id}", response_model=Memory)
async def get(
    request: Request,
    caller: Reader,
    memory_id: UUID,
    agent_id: OwnerQuery = None,
    min_seq: MinSeqHeader = 0,
) -> Response:
    """One memory."""
    owner = await _owner(request, caller, memory_id, agent_id)
    return JsonAnswer(await context_of(request).memories.get(owner, memory_id, min_seq))


@router.patch(
    "/{memory_id}", response_model=Memory, responses={200: {"headers": SEQ_DOCUMENTED}}
)
async def change(
    request: Request,
    caller: Writer,
    memory_id: UUID,
    body: MemoryPatch,
    agent_id: OwnerQuery = None,
) -> Response:
    """Changes a memory; what it was goes to its history.

    What it said before is kept as a past version of its own, `superseded_by` this one.
    """
    owner = await _owner(request, caller, memory_id, agent_id)
    memory, seq = await context_of(request).memories.change(
        owner, memory_id, to_patch(body), caller.name
    )
    return JsonAnswer(memory, headers={SEQ_HEADER: str(seq)})


@router.delete(
    "/{memory_id}", status_code=204, responses={204: {"headers": SEQ_DOCUMENTED}}
)
async def delete(
    request: Request,
    caller: Writer,
    memory_id: UUID,
    agent_id: OwnerQuery = None,
) -> Response:
    """Deletes a memory, all that tells of it and what was made from it.

    Its id stays taken, and its value is refused where it comes by itself: in a thought,
    a consolidation, an import. A person may tell it anew.
    """
    owner = await _owner(request, caller, memory_id, agent_id)
    seq = await context_of(request).forgetting.delete(owner, memory_id, caller.name)
    return Response(status_code=204, headers={SEQ_HEADER: str(seq)})


@router.get("/{memory_id}/history", response_model=MemoryHistory)
async def history(
    request: Request,
    caller: Reader,
    memory_id: UUID,
    agent_id: OwnerQuery = None,
    limit: PageQuery = 10,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Every change of a memory, newest first, and what was merged into it."""
    owner = await _owner(request, caller, memory_id, agent_id)
    scope = f"history:{owner}:{memory_id}"
    before = (MAX_SEQ, "")
    if cursor is not None:
        seq, kind = read_cursor(scope, cursor, int, str)
        before = (int(seq), str(kind))
    revisions = await context_of(request).memories.history(
        owner, memory_id, before, limit + 1
    )
    page = revisions[:limit]
    next_cursor = (
        write_cursor(scope, page[-1].seq, page[-1].kind)
        if len(revisions) > limit
        else None
    )
    return JsonAnswer({"records": page, "next_cursor": next_cursor})


async def _owner(
    request: Request, caller: Caller, memory_id: UUID, agent_id: AgentId | None
) -> str:
    if agent_id is not None:
        caller.check_agent(agent_id)
        return agent_id
    return await context_of(request).memories.owner(memory_id, caller.may_reach)


def _seq_header(outcomes: list[Outcome]) -> dict[str, str]:
    """The newest write, where all are of one agent: numbers are an agent's own."""
    kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
    if len({each.memory.agent_id for each in kept}) != 1:
        return {}
    return {SEQ_HEADER: str(max(each.seq for each in kept))}


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)
