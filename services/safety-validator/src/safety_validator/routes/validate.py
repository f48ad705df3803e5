"""`POST /api/safety/validate` and `/batch`."""

from typing import Any

import orjson
from fastapi import Response

from contracts.safety import (
    ValidateBatchRequest,
    ValidateBatchResponse,
    ValidateRequest,
    Verdict,
)
from safety_validator.models import Ruling, Submission
from safety_validator.routes.dependencies import AnyCaller, InContext
from servicekit.app import api_router
from servicekit.auth import Caller

__all__ = ["router"]

router = api_router("/api/safety", "safety")
# A verdict names this many places at most, the gravest rules first.
MAX_CATEGORIES_SHOWN = 100


@router.post("/validate", response_model=Verdict)
async def validate(
    request: ValidateRequest, caller: AnyCaller, context: InContext
) -> Response:
    """The verdict on one text."""
    (ruling,) = await context.validator.validate([_submission(request, caller)])
    return _answer(_verdict(ruling))


@router.post("/validate/batch", response_model=ValidateBatchResponse)
async def validate_batch(
    request: ValidateBatchRequest, caller: AnyCaller, context: InContext
) -> Response:
    """Verdicts in the order of the items."""
    submissions = [_submission(item, caller) for item in request.items]
    rulings = await context.validator.validate(submissions)
    return _answer({"results": [_verdict(ruling) for ruling in rulings]})


def _submission(request: ValidateRequest, caller: Caller) -> Submission:
    caller.check_agent(request.agent_id)
    if request.depth != "full":
        caller.check_scope("admin")
    return Submission(
        request.content,
        request.kind,
        request.agent_id,
        request.stream,
        request.depth,
    )


def _verdict(ruling: Ruling) -> dict[str, Any]:
    """The fields of a `Verdict`, whose model takes twice as long to make and write."""
    judgement = ruling.judgement
    return {
        "verdict": judgement.verdict,
        "categories": [
            {
                "name": finding.category,
                "score": finding.score,
                "layer": finding.layer,
                "rule": finding.rule,
                "span": finding.span,
            }
            for finding in judgement.findings[:MAX_CATEGORIES_SHOWN]
        ],
        "redacted_content": judgement.redacted,
        "policy_version": ruling.policy_version,
        "took_ms": ruling.took_ms,
        "id": ruling.id,
        "signature": ruling.signature,
    }


def _answer(fields: dict[str, Any]) -> Response:
    return Response(orjson.dumps(fields), media_type="application/json")
