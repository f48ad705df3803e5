"""`POST /v1/moderations`, in OpenAI's shapes."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from fastapi import Response

from contracts.moderation import (
    MODERATION_MODEL,
    ModerationRequest,
    ModerationResponse,
)
from contracts.safety import CategoryName, VerdictName
from safety_validator.models import Finding, Ruling, Submission
from safety_validator.routes.dependencies import AnyCaller, InContext
from servicekit.app import api_router

__all__ = ["BY_CATEGORY", "BY_RULE", "CATEGORIES", "router"]

router = api_router("/v1", "safety")

# What OpenAI's clients know of ours; the rest goes under our own names alone.
BY_CATEGORY: dict[CategoryName, tuple[str, ...]] = {
    CategoryName.HATE: ("hate",),
    CategoryName.VIOLENCE: ("violence",),
    CategoryName.SELF_HARM: ("self-harm",),
    CategoryName.SEXUAL: ("sexual",),
    CategoryName.ILLEGAL_ACTIVITY: ("illicit",),
    CategoryName.MALWARE: ("illicit",),
    CategoryName.WEAPONS: ("illicit", "illicit/violent"),
}
# The finer categories: only what found them knows that it was one.
BY_RULE = {
    "hate.violence": ("hate/threatening",),
    "violence.threat": ("harassment", "harassment/threatening"),
    "hard.violence.method": ("illicit", "illicit/violent"),
    "self-harm.encouraged": ("self-harm/instructions",),
    "self-harm.expressed": ("self-harm/intent",),
    "hard.sexual.minors": ("sexual/minors",),
    "guard.S4": ("sexual/minors",),
}
# Told of every text, as OpenAI does; no rule here knows of gore.
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
    *(
        each.value
        for each in CategoryName
        if each not in ("hate", "sexual", "violence")
    ),
)
_NOTHING = dict.fromkeys(CATEGORIES, 0.0)
_INPUT_TYPES = {name: ["text"] for name in CATEGORIES}


@router.post("/moderations", response_model=ModerationResponse)
async def moderations(
    request: ModerationRequest, caller: AnyCaller, context: InContext
) -> Response:
    """What each text contains; each verdict is on record as any other."""
    caller.check_agent(request.agent_id)
    rulings = await context.validator.validate(
        [
            Submission(content, "context", request.agent_id, None)
            for content in request.contents
        ]
    )
    fields = _response(request.model or MODERATION_MODEL, rulings)
    return Response(orjson.dumps(fields), media_type="application/json")


def _response(model: str, rulings: Sequence[Ruling]) -> dict[str, Any]:
    return {
        "id": f"modr-{rulings[0].id}",
        "model": model,
        "results": [_moderation(ruling) for ruling in rulings],
    }


def _moderation(ruling: Ruling) -> dict[str, Any]:
    """The fields of a `Moderation`."""
    scores = dict(_NOTHING)
    for finding in ruling.judgement.findings:
        for name in _names(finding):
            scores[name] = max(scores[name], finding.score)
    return {
        "flagged": ruling.judgement.verdict is not VerdictName.ALLOW,
        "categories": {name: score > 0 for name, score in scores.items()},
        "category_scores": scores,
        "category_applied_input_types": _INPUT_TYPES,
        "verdict": ruling.judgement.verdict,
        "decision_id": ruling.id,
    }


def _names(finding: Finding) -> Iterator[str]:
    yield finding.category
    yield from BY_CATEGORY.get(finding.category, ())
    yield from BY_RULE.get(finding.rule, ())
