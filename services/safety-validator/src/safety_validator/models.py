"""What the parts of this service hand to each other.

What each text has of its own is a named tuple: that takes a fifth of the time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.safety import CategoryName, VerdictName

__all__ = [
    "Decision",
    "Finding",
    "Guard",
    "Judgement",
    "Proof",
    "Rule",
    "RuleSet",
    "Ruling",
    "Span",
    "Submission",
    "gravity",
]

# [start, end) in characters.
Span = tuple[int, int]

# Looks at a place in a text; returns what is really meant there, or None.
Proof = Callable[[str, int, int], Span | None]

_GRAVITY = {name: place for place, name in enumerate(VerdictName)}


def gravity(verdict: VerdictName) -> int:
    """Where a verdict stands between harmless and refused."""
    return _GRAVITY[verdict]


@dataclass(frozen=True, slots=True)
class Guard:
    """What around a hit takes its meaning away, such as a negation before it."""

    before: re.Pattern[str] | None
    within: re.Pattern[str] | None
    after: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the policy, its terms filled in, its expressions compiled."""

    id: str
    category: CategoryName
    verdict: VerdictName
    hard: bool
    score: float
    explanation: str
    anchors: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    reach: int
    caseless: bool
    proof: Proof | None
    unless: tuple[Guard, ...]
    placeholder: str
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A policy; `version` names exactly this text of it."""

    version: str
    rules: tuple[Rule, ...]


class Finding(NamedTuple):
    """What a layer found in a text, and where; `rule` says what found it.

    `score` is from 0 to 1; `placeholder` stands for what is cut out, and only a
    finding whose verdict is `redact` needs one.
    """

    category: CategoryName
    verdict: VerdictName
    score: float
    layer: str
    rule: str
    span: Span | None
    placeholder: str = ""


class Judgement(NamedTuple):
    """The verdict on a text; `redacted` is set when that is what may be kept."""

    verdict: VerdictName
    findings: tuple[Finding, ...]
    redacted: str | None


class Submission(NamedTuple):
    """A text that wants a verdict, and whose it is."""

    content: str
    kind: str
    agent_id: str
    stream: str | None


class Decision(NamedTuple):
    """What the log keeps of a verdict; never the content."""

    id: UUID
    agent_id: str
    kind: str
    stream: str | None
    verdict: VerdictName
    findings: tuple[Finding, ...]
    content_digest: bytes
    policy_version: str
    created_at: datetime


class Ruling(NamedTuple):
    """A judgement under its id, with the time it took."""

    id: UUID
    judgement: Judgement
    policy_version: str
    signature: str | None
    took_ms: float
