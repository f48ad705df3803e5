"""safety-validator's messages."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.base import (
    DEFAULT_AGENT_ID,
    AgentId,
    Answer,
    Contract,
    StreamName,
    Text,
    Timestamp,
    Unit,
)

__all__ = [
    "MAX_BATCH_ITEMS",
    "MAX_CONTENT_CHARS",
    "AuditCategory",
    "AuditList",
    "AuditRecord",
    "AuditVerification",
    "CategoryHit",
    "CategoryName",
    "Depth",
    "Kind",
    "Policy",
    "PolicyRule",
    "Thresholds",
    "ValidateBatchRequest",
    "ValidateBatchResponse",
    "ValidateRequest",
    "Verdict",
    "VerdictName",
]

MAX_BATCH_ITEMS = 256
# The longest text one verdict covers.
MAX_CONTENT_CHARS = 1_048_576

Kind = Literal["thought", "memory", "context"]
Depth = Literal["full", "patterns"]


class VerdictName(StrEnum):
    """From harmless to refused."""

    ALLOW = "allow"
    FLAG = "flag"
    REDACT = "redact"
    BLOCK = "block"


class CategoryName(StrEnum):
    """What a text may be found to contain."""

    PROMPT_INJECTION = "prompt_injection"
    JAILBREAK = "jailbreak"
    VIOLENCE = "violence"
    SELF_HARM = "self_harm"
    HATE = "hate"
    SEXUAL = "sexual"
    ILLEGAL_ACTIVITY = "illegal_activity"
    WEAPONS = "weapons"
    MALWARE = "malware"
    DECEPTION = "deception"
    PRIVACY = "privacy"
    SECRETS = "secrets"
    SELF_MODIFICATION = "self_modification"
    SELF_REPLICATION = "self_replication"
    POWER_SEEKING = "power_seeking"
    LOOPING = "looping"


class ValidateRequest(Contract):
    """A text that wants a verdict."""

    content: Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)]
    kind: Kind = "thought"
    agent_id: AgentId = DEFAULT_AGENT_ID
    stream: StreamName | None = None
    # `patterns` leaves out what takes milliseconds, for a bulk import whose rest is
    # judged behind it; such a verdict is not signed, and an admin's to ask for.
    depth: Depth = "full"


class CategoryHit(Answer):
    """One finding; `span` is [start, end) in characters of the content."""

    name: CategoryName
    score: Unit
    layer: str
    rule: str
    span: tuple[int, int] | None = None


class Verdict(Answer):
    """The decision; `signature` lets another service trust it without asking again."""

    verdict: VerdictName
    categories: list[CategoryHit]
    redacted_content: str | None
    policy_version: str
    took_ms: float
    id: str
    signature: str | None = None


class ValidateBatchRequest(Contract):
    """Texts that want a verdict each."""

    items: Annotated[
        list[ValidateRequest], Field(min_length=1, max_length=MAX_BATCH_ITEMS)
    ]


class ValidateBatchResponse(Answer):
    """Verdicts in the order of the items."""

    results: list[Verdict]


class PolicyRule(Answer):
    """One rule; `pattern` is shown to admins only, a `core` rule is in every policy."""

    id: str
    category: CategoryName
    verdict: VerdictName
    hard: bool
    explanation: str
    pattern: str | None = None
    core: bool = False


class Thresholds(Answer):
    """False-alarm rates: what so few harmless texts reach is flagged, or blocked."""

    flag: float
    block: float


class Policy(Answer):
    """The policy in force.

    `thresholds` are by kind of text and by what the classifier looks for, and empty
    without a classifier. `categories` has, by kind, the verdicts that replace those of
    rules that are not hard. `keep_content` says that the audit keeps the texts.
    """

    version: str
    layers: list[str]
    rules: list[PolicyRule]
    thresholds: dict[str, dict[str, Thresholds]] = Field(default_factory=dict)
    categories: dict[CategoryName, dict[str, VerdictName]] = Field(default_factory=dict)
    keep_content: bool = False


class AuditCategory(Answer):
    """What a record keeps of the findings of one rule."""

    name: CategoryName
    score: Unit
    rule: str
    layer: str | None = None


class AuditRecord(Answer):
    """A decision on record, and its place in the chain of the process that wrote it.

    `content_digest` is keyed, in hexadecimal; `content` is there only where the policy
    keeps it. Records from before there were chains have no `writer_id` and no hashes.
    """

    id: str
    agent_id: str
    kind: Kind
    stream: str | None
    verdict: VerdictName
    categories: list[AuditCategory]
    content_digest: str
    content: str | None
    policy_version: str
    created_at: Timestamp
    writer_id: str | None
    writer_seq: int | None
    prev_hash: str | None
    hash: str | None


class AuditList(Answer):
    """A page of records, newest first."""

    records: list[AuditRecord]
    next_cursor: str | None


class AuditVerification(Answer):
    """Whether all records are as they were written.

    `first_broken` is the id of the first record that is not, or of the last one before
    a gap at the end of a chain, or of a writer that has no record left. `unchained`
    records are from before there were chains; `unsealed` chains bear no seal of this
    service key: of both nothing is proved against who may write to the tables.
    """

    records: int
    valid: bool
    first_broken: str | None
    reason: str | None
    chains: int
    unchained: int
    unsealed: int
