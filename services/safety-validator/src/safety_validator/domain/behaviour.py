"""What only shows over a stream: the same thought again and again, rising severity.

A stream is known by its agent and name, to this process alone: it is one train of
thought, and its thinker's connection stays with one replica. Behind several replicas
that share a stream's texts, the counts are reached that much later.
"""

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from contracts.safety import CategoryName, VerdictName
from safety_validator.metrics import BEHAVIOUR
from safety_validator.models import Finding, Habits, Submission

__all__ = ["LAYER", "Behaviour"]

LAYER = "behaviour"
LOOPING = "behaviour.looping"
RISING = "behaviour.rising"
# Of each some 2 kB; the one that was silent longest is forgotten.
MAX_STREAMS = 4_096
# Of a longer text its beginning and its length say whether it is the same.
MAX_COMPARED_CHARS = 8_192
_DIGEST_BYTES = 8
# What a text may well be about, or that is a finding about the stream itself.
_NO_SEVERITY = frozenset(
    {CategoryName.PRIVACY, CategoryName.SECRETS, CategoryName.LOOPING}
)

_Seen = TypeVar("_Seen")


@dataclass(slots=True)
class _Stream:
    """Digests of its last thoughts, and of its last texts each with whether it was
    flagged."""

    thoughts: deque[bytes] = field(default_factory=deque)
    texts: deque[tuple[bytes, bool]] = field(default_factory=deque)


class Behaviour:
    """Counts over the last texts of each stream; without one a text is let be."""

    def __init__(self) -> None:
        self._streams: OrderedDict[tuple[str, str], _Stream] = OrderedDict()

    def observe(
        self, habits: Habits, submission: Submission, found: Sequence[Finding]
    ) -> list[Finding]:
        """Takes the text in; what its stream's behaviour adds to its findings."""
        if submission.stream is None:
            return []
        stream = self._stream(submission.agent_id, submission.stream)
        digest = _digest(submission.content)
        added = []
        if submission.kind == "thought":
            added += _looping(habits, stream, digest)
        return added + _rising(habits, stream, digest, found)

    def _stream(self, agent_id: str, name: str) -> _Stream:
        stream = self._streams.setdefault((agent_id, name), _Stream())
        self._streams.move_to_end((agent_id, name))
        if len(self._streams) > MAX_STREAMS:
            self._streams.popitem(last=False)
        return stream


def _digest(content: str) -> bytes:
    words = " ".join(content[:MAX_COMPARED_CHARS].casefold().split())
    named = f"{max(0, len(content) - MAX_COMPARED_CHARS)}:{words}"
    return hashlib.blake2b(named.encode(), digest_size=_DIGEST_BYTES).digest()


def _looping(habits: Habits, stream: _Stream, digest: bytes) -> list[Finding]:
    """Only thoughts can loop: contexts and memories repeat of themselves."""
    _push(stream.thoughts, digest, habits.looping_of)
    times = stream.thoughts.count(digest)
    if times < habits.looping_flag:
        return []
    blocked = times >= habits.looping_block
    verdict = VerdictName.BLOCK if blocked else VerdictName.FLAG
    score = min(1.0, times / habits.looping_block)
    return [_finding(CategoryName.LOOPING, verdict, score, LOOPING)]


def _rising(
    habits: Habits, stream: _Stream, digest: bytes, found: Iterable[Finding]
) -> list[Finding]:
    """Blocks what is flagged once too many of the different texts before it were."""
    severe = [
        finding
        for finding in found
        # Without a score nothing was found: a guard did not answer.
        if finding.score > 0 and finding.category not in _NO_SEVERITY
    ]
    if all(digest != seen for seen, _ in stream.texts):
        _push(stream.texts, (digest, bool(severe)), habits.rising_of)
    flagged = sum(severely for _, severely in stream.texts)
    if not severe or flagged < habits.rising_block:
        return []
    gravest = max(severe, key=lambda finding: finding.score)
    score = flagged / habits.rising_of
    return [_finding(gravest.category, VerdictName.BLOCK, score, RISING)]


def _push(seen: deque[_Seen], new: _Seen, size: int) -> None:
    seen.append(new)
    while len(seen) > size:
        seen.popleft()


def _finding(
    category: CategoryName, verdict: VerdictName, score: float, rule: str
) -> Finding:
    BEHAVIOUR.labels(rule.removeprefix(f"{LAYER}."), verdict.value).inc()
    return Finding(category, verdict, score, LAYER, rule, None)
