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
    Unit,
)

__all__ = [
    "MAX_BATCH_ITEMS",
    "MAX_CONTENT_CHARS",
    "CategoryHit",
    "CategoryName",
    "Kind",
    "Policy",
    "PolicyRule",
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
    """One rule; `pattern` is shown to admins only."""

    id: str
    category: CategoryName
    verdict: VerdictName
    hard: bool
    explanation: str
    pattern: str | None = None


class Policy(Answer):
    """The policy in force."""

    version: str
    layers: list[str]
    rules: list[PolicyRule]
