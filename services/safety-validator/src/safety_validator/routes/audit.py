"""`GET /api/safety/audit` and `/verify`."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Response

from contracts.base import MAX_PAGE_SIZE, AgentId, Timestamp
from contracts.safety import AuditList, AuditVerification, VerdictName
from safety_validator.models import Link, Record
from safety_validator.routes.dependencies import InContext, Reader
from safety_validator.stores.decisions import Wanted
from servicekit.app import api_router
from servicekit.auth import Caller
from servicekit.errors import Forbidden, InvalidRequest
from servicekit.paging import read_cursor, write_cursor

__all__ = ["router"]

router = api_router("/api/safety", "safety")
_EVERYONE = "*"
_UNCHAINED = dict.fromkeys(("writer_id", "writer_seq", "prev_hash", "hash"))


@router.get("/audit", response_model=AuditList)
async def audit(
    context: InContext,
    caller: Reader,
    agent_id: Annotated[
        AgentId | None,
        Query(description="Whose; all that the key reaches if left out."),
    ] = None,
    verdict: VerdictName | None = None,
    since: Timestamp | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 10,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Decisions, newest first; each names the hash of the one before.

    A page may have fewer than `limit` where the policy keeps long contents.
    """
    wanted = Wanted(_agents(caller, agent_id), verdict, since)
    scope = repr(wanted)
    before = None if cursor is None else _before(scope, cursor)
    listed, more = await context.decisions.listed(wanted, before, limit)
    fields = {
        "records": [_fields(*each) for each in listed],
        "next_cursor": write_cursor(scope, str(listed[-1][0].id)) if more else None,
    }
    written = orjson.dumps(fields, option=orjson.OPT_UTC_Z)
    return Response(written, media_type="application/json")


@router.get("/audit/verify")
async def verify(context: InContext, caller: Reader) -> AuditVerification:
    """Walks the chains of all writers, and says where the first one does not hold.

    For keys that reach every agent; it takes some seconds for a million records.
    """
    if _EVERYONE not in caller.agents:
        raise Forbidden("a chain goes over all agents, this key does not reach them")
    found = await context.audit.verify()
    return AuditVerification(
        records=found.records,
        valid=found.valid,
        first_broken=None if found.first_broken is None else str(found.first_broken),
        reason=found.reason,
        chains=found.chains,
        unchained=found.unchained,
        unsealed=found.unsealed,
    )


def _before(scope: str, cursor: str) -> UUID:
    (text,) = read_cursor(scope, cursor, str)
    try:
        return UUID(str(text))
    except ValueError:
        raise InvalidRequest("the cursor does not belong to this list") from None


def _agents(caller: Caller, agent_id: str | None) -> list[str] | None:
    if agent_id is not None:
        caller.check_agent(agent_id)
        return [agent_id]
    return None if _EVERYONE in caller.agents else sorted(caller.agents)


def _fields(record: Record, link: Link | None) -> dict[str, Any]:
    """The fields of an `AuditRecord`."""
    return {
        **record._asdict(),
        "id": str(record.id),
        "content_digest": record.content_digest.hex(),
        **(_UNCHAINED if link is None else _place(link)),
    }


def _place(link: Link) -> dict[str, Any]:
    return {
        "writer_id": str(link.writer_id),
        "writer_seq": link.writer_seq,
        "prev_hash": link.prev_hash.hex(),
        "hash": link.hash.hex(),
    }
