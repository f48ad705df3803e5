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
    placed = [(*f.span, f.placeholder) for f in findings if f.span is not None]
    for start, end, placeholder in sorted(placed, key=lambda p: (p[0], -p[1])):
        if start >= done:
            pieces += (content[done:start], placeholder)
        done = max(done, end)
    return "".join((*pieces, content[done:]))
