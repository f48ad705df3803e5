"""Cutting out what must not be kept."""

from collections.abc import Iterable

from safety_validator.models import Finding

__all__ = ["redact"]


def redact(content: str, findings: Iterable[Finding]) -> str:
    """The content with each finding's placeholder in its place.

    Where findings overlap, all that they cover goes, and the first one names it.
    """
    pieces: list[str] = []
    done = 0
    for finding in sorted(findings, key=lambda f: (f.span[0], -f.span[1])):
        start, end = finding.span
        if start >= done:
            pieces += (content[done:start], finding.rule.placeholder)
        done = max(done, end)
    return "".join((*pieces, content[done:]))
