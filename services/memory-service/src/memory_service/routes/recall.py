"""Recall."""

import time

from fastapi import Request, Response

from contracts.recall import RecallRequest, RecallResponse
from memory_service.models.recall import Recollection
from memory_service.routes.conversion import (
    JsonAnswer,
    recalled_fields,
    to_query,
    write_json,
)
from memory_service.routes.parameters import MinSeqHeader, Reader, context_of
from servicekit.app import api_router

router = api_router("/api/memory", "memory")


@router.post("/recall", response_model=RecallResponse)
async def recall(
    request: Request,
    caller: Reader,
    body: RecallRequest,
    min_seq: MinSeqHeader = 0,
) -> Response:
    """The memories that answer best, by meaning, by words or by both."""
    started_s = time.perf_counter()
    caller.check_agent(body.agent_id)
    found = await context_of(request).answers.recall(to_query(body), min_seq, _write)
    took_ms = (time.perf_counter() - started_s) * 1000
    return JsonAnswer(found[:-1] + b',"took_ms":%.3f}' % took_ms)


def _write(found: Recollection) -> bytes:
    """All of the answer but the time, which a cached one has of its own."""
    return write_json(
        {
            "memories": list(map(recalled_fields, found.memories)),
            "confidence": found.confidence,
            "index": found.index,
        }
    )
