"""What the parts of this service hand to each other.

What each text has of its own is a named tuple: that takes a fifth of the time.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, get_args
from uuid import UUID

from contracts.safety import CategoryName, Depth, Kind, VerdictName

__all__ = [
    "MAX_RATE",
    "STRICTNESS_FACTORS",
    "AgentPolicy",
    "ChainEnd",
    "ClassifierPolicy",
    "Decision",
    "ExternalGuard",
    "Finding",
    "Guard",
    "Habits",
    "Judgement",
    "Link",
    "Proof",
    "Record",
    "Rule",
    "RuleSet",
    "Ruling",
    "Span",
    "Submission",
    "Thresholds",
    "Writer",
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
    core: bool = False


class Thresholds(NamedTuple):
    """False-alarm rates: what so few operational texts reach is flagged, or blocked."""

    flag: float
    block: float


@dataclass(frozen=True, slots=True)
class ClassifierPolicy:
    """Thresholds by head; `kinds` has those of (kind, head) that differ."""

    heads: Mapping[str, Thresholds]
    kinds: Mapping[tuple[str, str], Thresholds]


@dataclass(frozen=True, slots=True)
class AgentPolicy:
    """How much more strictly an agent is judged; `block` are categories."""

    strictness: int = 1
    block: frozenset[CategoryName] = frozenset()


@dataclass(frozen=True, slots=True)
class ExternalGuard:
    """What the word of an external guard counts for, and its silence.

    `verdict` is that of what it finds, but for lesser hazards, which are flagged;
    `criteria` are what Granite Guardian is asked about.
    """

    verdict: VerdictName = VerdictName.BLOCK
    on_absence: VerdictName = VerdictName.FLAG
    kinds: frozenset[str] = frozenset(get_args(Kind))
    criteria: tuple[str, ...] = ("harm",)


# An agent of this strictness is judged by as many times the rates of the policy.
STRICTNESS_FACTORS = {1: 1.0, 2: 2.0, 3: 5.0}
# Above it a threshold would find most of what is harmless.
MAX_RATE = 0.5
_ANY_AGENT = AgentPolicy()


@dataclass(frozen=True, slots=True)
class Habits:
    """When the behaviour of a stream counts against its texts.

    A thought that is the same as others of the last `looping_of` is flagged as the
    `looping_flag`th of them and blocked as the `looping_block`th. A text that is
    flagged is blocked where `rising_block` of the last `rising_of` were.
    """

    looping_flag: int = 4
    looping_block: int = 16
    looping_of: int = 32
    rising_block: int = 8
    rising_of: int = 16


_USUAL_HABITS = Habits()


@dataclass(frozen=True)
class RuleSet:
    """A policy; `version` names exactly this text of it, and of the core.

    Without `classifier` only the rules judge. `categories` has the verdict of a
    (category, kind) that replaces that of the rules.
    """

    version: str
    rules: tuple[Rule, ...]
    classifier: ClassifierPolicy | None = None
    categories: Mapping[tuple[CategoryName, str], VerdictName] = field(
        default_factory=dict
    )
    agents: Mapping[str, AgentPolicy] = field(default_factory=dict)
    keep_content: bool = False
    external_guard: ExternalGuard = ExternalGuard()
    habits: Habits = _USUAL_HABITS

    @cached_property
    def hard_rules(self) -> frozenset[str]:
        """The ids of rules that block whatever else the policy says."""
        return frozenset(rule.id for rule in self.rules if rule.hard)

    def agent(self, agent_id: str) -> AgentPolicy:
        """How this agent is judged."""
        return self.agents.get(agent_id, _ANY_AGENT)

    def thresholds(self, head: str, kind: str, agent_id: str) -> Thresholds:
        """The classifier's, as rates from 0 to 0.5; without a classifier none."""
        if self.classifier is None:
            return Thresholds(0.0, 0.0)
        rates = self.classifier.kinds.get((kind, head), self.classifier.heads[head])
        factor = STRICTNESS_FACTORS[self.agent(agent_id).strictness]
        return Thresholds(*(min(MAX_RATE, rate * factor) for rate in rates))


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
    """A text that wants a verdict, and whose it is.

    Of `depth` "patterns" the rules alone read it, and the verdict is not signed.
    """

    content: str
    kind: str
    agent_id: str
    stream: str | None
    depth: Depth = "full"


class Decision(NamedTuple):
    """What the log keeps of a verdict; the content only where the policy says so."""

    id: UUID
    agent_id: str
    kind: str
    stream: str | None
    verdict: VerdictName
    findings: tuple[Finding, ...]
    content_digest: bytes
    policy_version: str
    created_at: datetime
    content: str | None = None


class Record(NamedTuple):
    """A decision as it stands in the log; `categories` as JSON has them."""

    id: UUID
    agent_id: str
    kind: str
    stream: str | None
    verdict: str
    categories: list[dict[str, Any]]
    content_digest: bytes
    policy_version: str
    created_at: datetime
    content: str | None = None


class Link(NamedTuple):
    """A record's place in the chain of its writer, counted from 1."""

    writer_id: UUID
    writer_seq: int
    prev_hash: bytes
    hash: bytes


class ChainEnd(NamedTuple):
    """One end of a writer's chain: the hash of the record of that number."""

    seq: int
    hash: bytes


class Writer(NamedTuple):
    """A writer's row: both ends of its chain, each with its seal.

    The anchor stands before the first record that is kept, the head is the last.
    """

    anchor: ChainEnd
    anchor_seal: bytes | None
    head: ChainEnd
    head_seal: bytes | None


class Ruling(NamedTuple):
    """A judgement under its id, with the time it took."""

    id: UUID
    judgement: Judgement
    policy_version: str
    signature: str | None
    took_ms: float
