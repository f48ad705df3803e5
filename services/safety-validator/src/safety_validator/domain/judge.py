"""The verdict of a policy on a text."""

from collections import Counter
from collections.abc import Iterator

from contracts.safety import VerdictName
from safety_validator.domain.matcher import Matcher
from safety_validator.domain.plain_text import PlainText, plain_text
from safety_validator.domain.redaction import redact
from safety_validator.models import (
    Finding,
    Guard,
    Judgement,
    Rule,
    RuleSet,
    Span,
    graver,
)

__all__ = ["Judge"]

# What is read around a hit to understand it; a longer sentence is no clearer.
NEIGHBOURHOOD_CHARS = 120
# The longest thing a rule's `whole` covers, so that reading it stays short.
MAX_WHOLE_CHARS = 4_096
# A verdict does not become clearer by more places; what is cut out has no such end.
MAX_FINDINGS_A_RULE = 20


class Judge:
    """Applies one policy; safe to use from several threads."""

    def __init__(self, policy: RuleSet) -> None:
        self._rules = policy.rules
        self._matcher = Matcher(policy.rules)

    def judge(self, content: str) -> Judgement:
        """The gravest verdict of all rules that the content meets."""
        findings = tuple(self._findings(plain_text(content)))
        verdict = max(
            (finding.rule.verdict for finding in findings),
            key=graver,
            default=VerdictName.ALLOW,
        )
        redacted = None
        if verdict is VerdictName.REDACT:
            cut = [f for f in findings if f.rule.verdict is VerdictName.REDACT]
            redacted = redact(content, cut)
        return Judgement(verdict, findings, redacted)

    def _findings(self, plain: PlainText) -> Iterator[Finding]:
        counts: Counter[str] = Counter()
        reached: dict[str, int] = {}
        for number, start, end in self._matcher.find(plain.text):
            rule = self._rules[number]
            cut = rule.verdict is VerdictName.REDACT
            enough = counts[rule.id] >= MAX_FINDINGS_A_RULE and not cut
            if enough or start < reached.get(rule.id, 0):
                continue
            span = _understood(rule, plain.text, start, end)
            if span is not None:
                counts[rule.id] += 1
                reached[rule.id] = span[1]
                yield Finding(rule, plain.original(span))


def _understood(rule: Rule, text: str, start: int, end: int) -> Span | None:
    """What the rule really means at this place, or None."""
    if rule.whole is not None:
        match = rule.whole.match(text, start, start + MAX_WHOLE_CHARS)
        if match is None:
            return None
        start, end = match.span("it") if "it" in rule.whole.groupindex else match.span()
    start, end = _trimmed(text, start, end)
    if any(_guarded(guard, text, start, end) for guard in rule.unless):
        return None
    return (start, end) if rule.proof is None else rule.proof(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Span:
    """Without the punctuation and space that only said where a sentence begins."""
    piece = text[start:end]
    head = piece.lstrip(" \t\r\n.,;:!?\"'()*>")
    return (end - len(head), end) if head else (start, end)


def _guarded(guard: Guard, text: str, start: int, end: int) -> bool:
    before = text[max(0, start - NEIGHBOURHOOD_CHARS) : start]
    after = text[end : end + NEIGHBOURHOOD_CHARS]
    return any(
        expression is not None and expression.search(piece) is not None
        for expression, piece in (
            (guard.before, before),
            (guard.within, text[start:end]),
            (guard.after, after),
        )
    )
