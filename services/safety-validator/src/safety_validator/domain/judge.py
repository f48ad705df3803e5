"""The verdict of a policy on a text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from contracts.safety import VerdictName
from safety_validator.domain.matcher import Matcher
from safety_validator.domain.plain_text import PlainText, views
from safety_validator.domain.redaction import redact
from safety_validator.models import (
    Finding,
    Guard,
    Judgement,
    Rule,
    RuleSet,
    Span,
    gravity,
)

__all__ = ["LAYER", "Judge", "judgement"]

LAYER = "rules"
# What is read around a finding to understand it; a longer sentence is no clearer.
NEIGHBOURHOOD_CHARS = 120
# A search holds the interpreter, and so the event loop, for as long as it runs.
MAX_REGION_CHARS = 4_096
# A verdict does not become clearer by more places; what is cut out has no such end.
MAX_FINDINGS_A_RULE = 20

_HARMLESS = Judgement(VerdictName.ALLOW, (), None)


class Judge:
    """Applies one policy; may be used by several threads."""

    def __init__(self, policy: RuleSet) -> None:
        self._rules = policy.rules
        self._matcher = Matcher(policy.rules)

    def judge(self, content: str) -> Judgement:
        """The gravest verdict of all rules that the content meets."""
        return judgement(content, self.findings(views(content)))

    def findings(self, views: Sequence[PlainText]) -> list[Finding]:
        """What the rules find in the views of one text, in no order."""
        return [
            finding
            for view in views
            for finding in self._findings(view, self._matcher.places(view.text))
        ]

    def _findings(
        self, plain: PlainText, anchors: Mapping[int, Sequence[int]]
    ) -> Iterator[Finding]:
        for number, places in anchors.items():
            rule = self._rules[number]
            whole = rule.verdict is VerdictName.REDACT
            spans = _outermost(_spans(rule, plain.text, places))
            for span in islice(spans, None if whole else MAX_FINDINGS_A_RULE):
                yield _finding(rule, plain.original(span))


def judgement(content: str, found: Iterable[Finding]) -> Judgement:
    """The gravest verdict of all findings, and what may be kept of the content."""
    findings = tuple(sorted(found, key=_order))
    if not findings:
        return _HARMLESS
    verdict = findings[0].verdict
    redacted = None
    if verdict is VerdictName.REDACT:
        cut = (f for f in findings if f.verdict is VerdictName.REDACT)
        redacted = redact(content, cut)
    return Judgement(verdict, findings, redacted)


def _finding(rule: Rule, span: Span) -> Finding:
    return Finding(
        rule.category,
        rule.verdict,
        rule.score,
        LAYER,
        rule.id,
        span,
        rule.placeholder,
    )


def _order(finding: Finding) -> tuple[int, Span]:
    """The gravest first, then by place."""
    return -gravity(finding.verdict), finding.span or (0, 0)


def _spans(rule: Rule, text: str, places: Sequence[int]) -> Iterator[Span]:
    """Where the rule holds near its anchors, region by region."""
    for start, end in _regions(places, rule.reach):
        matches = (
            match.span("it") if "it" in pattern.groupindex else match.span()
            for pattern in rule.patterns
            for match in pattern.finditer(text, start, end)
        )
        understood = (_understood(rule, text, *span) for span in sorted(matches))
        yield from (span for span in understood if span is not None)


def _regions(places: Sequence[int], reach: int) -> Iterator[Span]:
    """The neighbourhoods of the places; those that touch become one, up to a size."""
    first = last = places[0]
    for place in places:
        if place - last > 2 * reach or place - first > MAX_REGION_CHARS:
            yield max(0, first - reach), last + reach
            first = place
        last = place
    yield max(0, first - reach), last + reach


def _outermost(spans: Iterable[Span]) -> Iterator[Span]:
    """Those that reach beyond all before them."""
    reached = 0
    for start, end in spans:
        if end > reached:
            yield start, end
            reached = end


def _understood(rule: Rule, text: str, start: int, end: int) -> Span | None:
    """What the rule really means at this place, or None."""
    start, end = _trimmed(text, start, end)
    if any(_guarded(guard, text, start, end) for guard in rule.unless):
        return None
    return (start, end) if rule.proof is None else rule.proof(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Span:
    """Without the punctuation and space that only said where a sentence begins."""
    piece = text[start:end]
    head = piece.lstrip(' \t\r\n.,;:!?">')
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
