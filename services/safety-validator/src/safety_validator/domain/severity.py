"""How grave the policy holds a finding, for a kind of text and for an agent."""

from collections.abc import Iterable

from contracts.safety import VerdictName
from safety_validator.domain.judge import LAYER as RULES
from safety_validator.models import Finding, RuleSet, Submission, gravity

__all__ = ["weighed"]


def weighed(
    policy: RuleSet, submission: Submission, findings: Iterable[Finding]
) -> list[Finding]:
    """The findings under the policy's verdicts, without those that it allows.

    Its `categories` replace the verdicts of rules, and are the gravest that another
    layer may give. What an agent is blocked for is blocked, whatever else is said; a
    hard rule is not touched.
    """
    if not policy.categories and submission.agent_id not in policy.agents:
        return list(findings)
    blocked = policy.agent(submission.agent_id).block
    heavy: list[Finding] = []
    for finding in findings:
        verdict = _verdict(policy, submission.kind, finding)
        if finding.category in blocked:
            verdict = VerdictName.BLOCK
        if verdict is not VerdictName.ALLOW:
            heavy.append(_under(finding, verdict))
    return heavy


def _verdict(policy: RuleSet, kind: str, finding: Finding) -> VerdictName:
    said = policy.categories.get((finding.category, kind))
    if said is None or finding.rule in policy.hard_rules:
        return finding.verdict
    if finding.layer != RULES and gravity(finding.verdict) < gravity(said):
        return finding.verdict
    return said


def _under(finding: Finding, verdict: VerdictName) -> Finding:
    placeholder = finding.placeholder or f"[{finding.category}]"
    return finding._replace(verdict=verdict, placeholder=placeholder)
