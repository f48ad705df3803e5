"""Consolidation, and how far it is."""

from uuid import UUID

from fastapi import Request, Response

from contracts.memory import ConsolidateRequest, Job
from memory_service.routes.conversion import JsonAnswer
from memory_service.routes.parameters import Reader, Writer, context_of
from servicekit.app import api_router
from servicekit.idempotency import IdempotencyHeader, IdempotencyKey

router = api_router("/api/memory", "memory")


@router.post("/consolidate", status_code=202, response_model=Job)
async def consolidate(
    request: Request,
    caller: Writer,
    body: ConsolidateRequest,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Begins to consolidate an agent's memories; the job under way, if there is one."""
    caller.check_agent(body.agent_id)
    key = (
        IdempotencyKey.of(body.agent_id, "memory/consolidate", idempotency_key, body)
        if idempotency_key
        else None
    )
    job = await context_of(request).jobs.consolidate(body.agent_id, key=key)
    return JsonAnswer(job, 202)


@router.get("/jobs/{job_id}", response_model=Job)
async def job(request: Request, caller: Reader, job_id: UUID) -> Response:
    """A job."""
    return JsonAnswer(await context_of(request).jobs.get(job_id, caller.may_reach))
