"""The verdict of a policy on a text."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from contracts.safety import CategoryName, VerdictName
from safety_validator.domain.matcher import Matcher
from safety_validator.domain.plain_text import PlainText, Reading
from safety_validator.domain.redaction import redact
from safety_validator.domain.views import views
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

# What counts only as it stands there: letters turned about look like a key soon.
_AS_WRITTEN = frozenset({CategoryName.SECRETS, CategoryName.PRIVACY})
_HARMLESS = Judgement(VerdictName.ALLOW, (), None)


class Judge:
    """Applies one policy; may be used by several threads."""

    def __init__(self, policy: RuleSet) -> None:
        self._rules = policy.rules
        self._hard = policy.hard_rules
        self._matcher = Matcher(policy.rules)

    def judge(self, content: str) -> Judgement:
        """The gravest verdict of all rules that the content meets."""
        return judgement(content, self.findings(views(content)))

    def findings(self, views: Sequence[PlainText]) -> list[Finding]:
        """What the rules find in the views of one text, in no order.

        A hard constraint that is met ends the work after its view.
        """
        found: list[Finding] = []
        places = _Places()
        for view in views:
            fresh = list(self._findings(view, places))
            found += fresh
            if any(finding.rule in self._hard for finding in fresh):
                break
            places.close_view()
        return found

    def _findings(self, view: PlainText, places: "_Places") -> Iterator[Finding]:
        for number, anchors in self._matcher.places(view.text).items():
            rule = self._rules[number]
            if view.reading is Reading.GUESSED and rule.category in _AS_WRITTEN:
                continue
            whole = rule.verdict is VerdictName.REDACT
            spans = map(view.original, _outermost(_spans(rule, view.text, anchors)))
            fresh = (span for span in spans if places.take(rule.id, span))
            limit = None if whole else places.left(rule.id)
            for span in islice(fresh, limit):
                yield _finding(rule, span)


class _Places:
    """Where rules were met in the views so far: one place is one finding."""

    def __init__(self) -> None:
        self._earlier: defaultdict[str, list[Span]] = defaultdict(list)
        self._fresh: defaultdict[str, set[Span]] = defaultdict(set)

    def left(self, rule: str) -> int:
        """How many more places of a rule are named."""
        return max(0, MAX_FINDINGS_A_RULE - len(self._earlier[rule]))

    def take(self, rule: str, span: Span) -> bool:
        """Whether the rule is new there, which it is not a second time."""
        if span in self._fresh[rule] or _overlaps(self._earlier[rule], span):
            return False
        self._fresh[rule].add(span)
        return True

    def close_view(self) -> None:
        """The next places are those of another view."""
        for rule, spans in self._fresh.items():
            for span in spans:
                insort(self._earlier[rule], span)
        self._fresh.clear()


def _overlaps(spans: Sequence[Span], span: Span) -> bool:
    """Whether one of the spans, in order, shares a character with this one."""
    at = bisect_left(spans, span)
    return any(
        start < span[1] and span[0] < end
        for start, end in spans[max(0, at - 1) : at + 1]
    )


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
    # What two regions share is read twice: that is less than either.
    longest = max(MAX_REGION_CHARS, 2 * reach)
    for place in places:
        if place - last > 2 * reach or place - first > longest:
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
