"""Import and export, a memory a line."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from memory_service.domain.transfer import BatchReport, Totals
from memory_service.models.memories import Exported, Scrutiny
from memory_service.routes.conversion import problem_fields, write_json
from memory_service.routes.documents import NDJSON, ndjson_answer
from memory_service.routes.exchange import Exchange
from memory_service.routes.lines import gather_batches, write_exported
from memory_service.routes.parameters import (
    DEFAULT_AGENT,
    AgentQuery,
    Reader,
    Writer,
    context_of,
)
from servicekit.app import api_router

router = api_router("/api/memory", "memory")

# Only a line has a limit of its own: what is read is stored before more is read.
MAX_IMPORT_BYTES = 2**53

IMPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One memory a line, as an export writes them.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/import",
    response_class=Response,
    responses=ndjson_answer("Bad lines by number, progress, and the totals last."),
    openapi_extra=IMPORT_BODY,
    max_body_size=MAX_IMPORT_BYTES,
)
async def take_in(
    request: Request,
    caller: Writer,
    agent_id: AgentQuery = DEFAULT_AGENT,
    safety: Literal["full", "patterns"] = "full",
) -> Response:
    """Stores one memory a line, and tells what became of them while it does so."""
    scrutiny = Scrutiny.LATER
    if safety == "patterns":
        caller.check_scope("admin")
        scrutiny = Scrutiny.PATTERNS
    caller.check_agent(agent_id)
    transfer = context_of(request).transfer

    async def work(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        totals = Totals()
        batches = gather_batches(body, agent_id, caller)
        try:
            async for report in transfer.take_in(batches, scrutiny):
                totals = report.totals
                yield _write_report(report)
        finally:
            transfer.end()
        yield _write_line(_counts(totals))

    transfer.begin()
    return Exchange(work)


@router.get(
    "/export",
    response_class=Response,
    responses=ndjson_answer("The memories in the order in which they were made."),
)
async def export(
    request: Request,
    caller: Reader,
    agent_id: AgentQuery = DEFAULT_AGENT,
    embeddings: bool = False,
) -> Response:
    """All memories of an agent, as an import takes them."""
    caller.check_agent(agent_id)
    pages = context_of(request).transfer.export(agent_id, embeddings)
    # The first page is read before the answer begins, so that an error is an error.
    first: list[Exported] = await anext(pages, [])

    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(map(write_exported, first))
        async for page in pages:
            yield b"".join(map(write_exported, page))

    return StreamingResponse(lines(), media_type=NDJSON)


def _write_report(report: BatchReport) -> bytes:
    failures: list[dict[str, Any]] = [
        {"line": failed.line, "problem": problem_fields(failed.error)}
        for failed in report.failures
    ]
    progress = {"line": report.totals.line, **_counts(report.totals)}
    return b"".join(_write_line(fields) for fields in (*failures, progress))


def _counts(totals: Totals) -> dict[str, int]:
    return {
        "imported": totals.imported,
        "skipped": totals.skipped,
        "failed": totals.failed,
    }


def _write_line(fields: dict[str, Any]) -> bytes:
    return write_json(fields) + b"\n"
