"""The form of a policy file: what may stand in it, and its JSON Schema."""

import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from contracts.base import AgentId
from contracts.safety import CategoryName, Kind, VerdictName
from safety_validator.errors import PolicyRefused

__all__ = [
    "GuardEntry",
    "PolicyFile",
    "RuleEntry",
    "json_schema",
    "read_file",
]

# A finding lies this near to its anchor, unless the rule says otherwise.
REACH_CHARS = 300
# The longest key there is; a rule that looks further reads the text twice.
MAX_REACH_CHARS = 8_192
# What a ConfigMap can hold.
MAX_FILE_BYTES = 1_048_576
# The longest shipped expression has some 1,000 characters.
MAX_PATTERN_CHARS = 16_384
# Ten times what ships.
MAX_RULES = 1_000
# Deeper nesting exhausts the reader's stack; a policy has seven levels.
MAX_DEPTH = 20


def _joined(text: object) -> object:
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        return "".join(text)
    return text


# A text may be written in parts, so that no scanner takes an example for a leak.
_Sample = Annotated[
    str,
    BeforeValidator(_joined, json_schema_input_type=str | list[str]),
    Field(min_length=1),
]
_RuleId = Annotated[str, Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", max_length=64)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z_]*$", max_length=64)]
# What Granite Guardian knows by name.
_Criterion = Literal[
    "harm",
    "violence",
    "social_bias",
    "profanity",
    "sexual_content",
    "unethical_behavior",
    "jailbreak",
]
_Pattern = Annotated[str, Field(max_length=MAX_PATTERN_CHARS)]
# A share of harmless operational texts that a threshold finds: its false-alarm rate.
_Rate = Annotated[float, Field(gt=0, le=0.5)]
# Texts of a stream that are looked back on; each is some bytes of memory.
_Count = Annotated[int, Field(ge=2, le=256)]


class _Loader(yaml.CSafeLoader):
    """Of two equal keys YAML would silently drop one; here that is an error."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Any, Any]:
        """The mapping; a key that stands there twice is an error."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.MarkedYAMLError(
                problem="a key twice", problem_mark=node.start_mark
            )
        return mapping


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GuardEntry(_Entry):
    """What around a finding takes its meaning away: Python expressions."""

    before: _Pattern | None = None
    within: _Pattern | None = None
    after: _Pattern | None = None


class RuleEntry(_Entry):
    """What is looked for, the verdict where it is found, and texts that prove it."""

    id: _RuleId
    category: CategoryName
    verdict: VerdictName
    score: Annotated[float, Field(gt=0, le=1)]
    explanation: Annotated[str, Field(min_length=1)]
    anchors: Annotated[list[_Pattern], Field(min_length=1)] | None = None
    patterns: Annotated[list[_Pattern], Field(min_length=1)]
    must_match: Annotated[list[_Sample], Field(min_length=1)]
    must_not_match: Annotated[list[_Sample], Field(min_length=1)]
    hard: bool = False
    caseless: bool = True
    reach: Annotated[int, Field(ge=1, le=MAX_REACH_CHARS)] = REACH_CHARS
    proof: str | None = None
    unless: list[str] = []
    placeholder: str | None = None


class _Rates(_Entry):
    """False-alarm rates: what so few harmless texts reach is flagged, or blocked."""

    flag: _Rate = 0.01
    block: _Rate = 0.001

    @model_validator(mode="after")
    def _in_order(self) -> "_Rates":
        if self.block > self.flag:
            raise ValueError("block is above flag")
        return self


class _SomeRates(_Entry):
    """Those rates of a kind of text that differ."""

    flag: _Rate | None = None
    block: _Rate | None = None


class _SomeHeads(_Entry):
    injection: _SomeRates = _SomeRates()
    harm: _SomeRates = _SomeRates()
    goal: _SomeRates = _SomeRates()


class ClassifierEntry(_Entry):
    """How sure the classifier has to be, by what it looks for."""

    injection: _Rates = _Rates()
    harm: _Rates = _Rates()
    goal: _Rates = _Rates()
    kinds: dict[Kind, _SomeHeads] = {}


class _AgentEntry(_Entry):
    """An agent may be judged more strictly than others, never less."""

    strictness: Annotated[int, Field(ge=1, le=3)] = 1
    block: list[CategoryName] = []


class _LoopingEntry(_Entry):
    """A thought that comes this often among the last `of` is flagged, or blocked."""

    flag: _Count = 4
    block: _Count = 16
    of: _Count = 32


class _RisingEntry(_Entry):
    """What is flagged is blocked where so many of the last `of` texts were flagged."""

    block: _Count = 8
    of: _Count = 16


class _BehaviourEntry(_Entry):
    """When what a stream does over time counts against its texts."""

    looping: _LoopingEntry = _LoopingEntry()
    rising: _RisingEntry = _RisingEntry()


class _AuditEntry(_Entry):
    """What is kept of each text beside a keyed digest."""

    keep_content: bool = False


class ExternalGuardEntry(_Entry):
    """What the word of an external guard counts for, and its silence.

    Where it is and which model it serves, the process is told: see GUARD_URL.
    """

    verdict: Literal["flag", "block"] = "block"
    on_absence: Literal["allow", "flag", "block"] = "flag"
    kinds: list[Kind] = ["thought", "memory", "context"]
    criteria: Annotated[list[_Criterion], Field(min_length=1, max_length=7)] = ["harm"]


class PolicyFile(_Entry):
    """A policy of safety-validator; it stands on the core, which it cannot weaken."""

    version: Annotated[str, Field(min_length=1, max_length=32)]
    extends: Literal["default"] | None = None
    disabled_rules: list[_RuleId] = []
    terms: dict[_Name, _Pattern | list[_Pattern]] = {}
    guards: dict[_Name, GuardEntry] = {}
    rules: Annotated[list[RuleEntry], Field(max_length=MAX_RULES)] = []
    classifier: ClassifierEntry | None = None
    categories: dict[CategoryName, VerdictName | dict[Kind, VerdictName]] = {}
    agents: dict[AgentId, _AgentEntry] = {}
    behaviour: _BehaviourEntry = _BehaviourEntry()
    audit: _AuditEntry = _AuditEntry()
    external_guard: ExternalGuardEntry = ExternalGuardEntry()


def read_file(raw: bytes) -> PolicyFile:
    """The file in its form; raises PolicyRefused, which names the place."""
    if len(raw) > MAX_FILE_BYTES:
        raise PolicyRefused(f"longer than {MAX_FILE_BYTES} bytes")
    try:
        _check_depth(raw)
        return PolicyFile.model_validate(_Loader(raw).get_single_data())
    # A date such as 2024-13-45 is a ValueError of the reader's own.
    except (yaml.YAMLError, ValueError, TypeError) as error:
        if isinstance(error, ValidationError):
            raise PolicyRefused(_first(error)) from error
        raise PolicyRefused(f"not YAML: {' '.join(str(error).split())}") from error


def json_schema() -> str:
    """The JSON Schema of a policy file, for editors and reviews."""
    schema = PolicyFile.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2) + "\n"


def _check_depth(raw: bytes) -> None:
    """Refuses what would exhaust the stack, and aliases, by which a file can grow."""
    depth = 0
    for event in yaml.parse(raw, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise PolicyRefused("not YAML: aliases are not read")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise PolicyRefused("not YAML: nested too deeply")


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place or 'file'}: {first['msg']}"
