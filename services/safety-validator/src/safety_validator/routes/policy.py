"""`GET /api/safety/policy`."""

from collections import defaultdict
from typing import get_args

from contracts.safety import (
    CategoryName,
    Kind,
    Policy,
    PolicyRule,
    Thresholds,
    VerdictName,
)
from safety_validator.domain.policy import HEADS
from safety_validator.models import Rule, RuleSet
from safety_validator.routes.dependencies import InContext, Reader
from servicekit.app import api_router

__all__ = ["router"]

# Agents may be judged more strictly; what others see is how most are.
_ANY_AGENT = ""

router = api_router("/api/safety", "safety")


@router.get("/policy")
async def policy(context: InContext, caller: Reader) -> Policy:
    """The policy in force; the patterns of its rules are for admins."""
    admin = "admin" in caller.scopes
    policy, _ = context.policy.current
    return Policy(
        version=policy.version,
        layers=_layers(policy, context.guarded),
        rules=[_rule(rule, admin) for rule in policy.rules],
        thresholds=_thresholds(policy),
        categories=_categories(policy),
        keep_content=policy.keep_content,
    )


def _layers(policy: RuleSet, guarded: bool) -> list[str]:
    classifier = [] if policy.classifier is None else ["classifier"]
    guard = ["guard"] if guarded else []
    return ["rules", *classifier, *guard, "behaviour"]


def _thresholds(policy: RuleSet) -> dict[str, dict[str, Thresholds]]:
    if policy.classifier is None:
        return {}
    return {
        kind: {
            head: Thresholds(**policy.thresholds(head, kind, _ANY_AGENT)._asdict())
            for head in HEADS
        }
        for kind in get_args(Kind)
    }


def _categories(policy: RuleSet) -> dict[CategoryName, dict[str, VerdictName]]:
    said: defaultdict[CategoryName, dict[str, VerdictName]] = defaultdict(dict)
    for (category, kind), verdict in policy.categories.items():
        said[category][kind] = verdict
    return dict(said)


def _rule(rule: Rule, admin: bool) -> PolicyRule:
    return PolicyRule(
        id=rule.id,
        category=rule.category,
        verdict=rule.verdict,
        hard=rule.hard,
        explanation=rule.explanation,
        pattern="\n".join(p.pattern for p in rule.patterns) if admin else None,
        core=rule.core,
    )
