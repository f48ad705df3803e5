"""`GET /api/safety/policy`."""

from contracts.safety import Policy, PolicyRule
from safety_validator.models import Rule
from safety_validator.routes.dependencies import InContext, Reader
from servicekit.app import api_router

__all__ = ["router"]

router = api_router("/api/safety", "safety")


@router.get("/policy")
async def policy(context: InContext, caller: Reader) -> Policy:
    """The policy in force; the patterns of its rules are for admins."""
    admin = "admin" in caller.scopes
    return Policy(
        version=context.policy.version,
        layers=["rules"],
        rules=[_rule(rule, admin) for rule in context.policy.rules],
    )


def _rule(rule: Rule, admin: bool) -> PolicyRule:
    return PolicyRule(
        id=rule.id,
        category=rule.category,
        verdict=rule.verdict,
        hard=rule.hard,
        explanation=rule.explanation,
        pattern="\n".join(p.pattern for p in rule.patterns) if admin else None,
    )
