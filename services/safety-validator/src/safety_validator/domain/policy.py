"""A policy file: read, filled in, and refused where it does not hold."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contracts.safety import CategoryName, VerdictName
from safety_validator.domain.checks import PROOFS
from safety_validator.domain.judge import Judge
from safety_validator.errors import PolicyRefused
from safety_validator.models import Guard, Rule, RuleSet

__all__ = ["HARD_CATEGORIES", "open_policy"]

# Every policy blocks these, whatever else it says.
HARD_CATEGORIES = frozenset(
    {
        CategoryName.SELF_REPLICATION,
        CategoryName.SELF_MODIFICATION,
        CategoryName.POWER_SEEKING,
        CategoryName.WEAPONS,
    }
)
# A finding lies this near to its anchor, unless the rule says otherwise.
REACH_CHARS = 300
# The longest key there is; a rule that looks further reads the text twice.
MAX_REACH_CHARS = 8_192
# Enough to tell two texts of a policy apart.
_DIGEST_CHARS = 12
Thing = TypeVar("Thing")
_TERM = re.compile(r"(?<!\?P)<([a-z][a-z_]*)>")


def _joined(text: object) -> object:
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        return "".join(text)
    return text


# A text may be written in parts, so that no scanner takes an example for a leak.
_Sample = Annotated[str, BeforeValidator(_joined), Field(min_length=1)]


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


class _GuardEntry(_Entry):
    before: str | None = None
    within: str | None = None
    after: str | None = None


class _RuleEntry(_Entry):
    id: Annotated[str, Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$")]
    category: CategoryName
    verdict: VerdictName
    score: Annotated[float, Field(gt=0, le=1)]
    explanation: Annotated[str, Field(min_length=1)]
    anchors: Annotated[list[str], Field(min_length=1)] | None = None
    patterns: Annotated[list[str], Field(min_length=1)]
    must_match: Annotated[list[_Sample], Field(min_length=1)]
    must_not_match: Annotated[list[_Sample], Field(min_length=1)]
    hard: bool = False
    caseless: bool = True
    reach: Annotated[int, Field(ge=1, le=MAX_REACH_CHARS)] = REACH_CHARS
    proof: str | None = None
    unless: list[str] = []
    placeholder: str | None = None


class _File(_Entry):
    version: Annotated[str, Field(min_length=1, max_length=32)]
    terms: dict[str, str | list[str]]
    guards: dict[str, _GuardEntry]
    rules: Annotated[list[_RuleEntry], Field(min_length=1)]


def open_policy(raw: bytes) -> tuple[RuleSet, Judge]:
    """The policy and the judge who applies it, proved on the policy's own texts.

    Raises:
        PolicyRefused: naming the rule and what is wrong with it.
    """
    policy = _read(raw)
    _check_rules(policy.rules)
    judge = Judge(policy)
    for rule in policy.rules:
        _try(judge, rule)
    return policy, judge


def _read(raw: bytes) -> RuleSet:
    try:
        file = _File.model_validate(_Loader(raw).get_single_data())
    except yaml.YAMLError as error:
        raise PolicyRefused(f"not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise PolicyRefused(f"{place or 'file'}: {first['msg']}") from error
    digest = hashlib.sha256(raw).hexdigest()[:_DIGEST_CHARS]
    terms = _filled_terms(file.terms)
    guards = {
        name: _guard(f"guard {name}", entry, terms)
        for name, entry in file.guards.items()
    }
    rules = tuple(_rule(entry, terms, guards) for entry in file.rules)
    return RuleSet(f"{file.version}+{digest}", rules)


def _rule(
    entry: _RuleEntry, terms: Mapping[str, str], guards: Mapping[str, Guard]
) -> Rule:
    name = f"rule {entry.id}"
    if entry.verdict is VerdictName.ALLOW:
        raise PolicyRefused(f"{name}: a rule cannot allow")
    return Rule(
        id=entry.id,
        category=entry.category,
        verdict=entry.verdict,
        hard=entry.hard,
        score=entry.score,
        explanation=entry.explanation,
        anchors=tuple(
            _filled(name, anchor, terms) for anchor in entry.anchors or entry.patterns
        ),
        patterns=tuple(
            _compiled(name, p, terms, entry.caseless) for p in entry.patterns
        ),
        reach=entry.reach,
        caseless=entry.caseless,
        proof=None if entry.proof is None else _known(name, entry.proof, PROOFS),
        unless=tuple(_known(name, guard, guards) for guard in entry.unless),
        placeholder=entry.placeholder or f"[{entry.category}]",
        must_match=tuple(entry.must_match),
        must_not_match=tuple(entry.must_not_match),
    )


def _guard(name: str, entry: _GuardEntry, terms: Mapping[str, str]) -> Guard:
    def compiled(pattern: str | None) -> re.Pattern[str] | None:
        return None if pattern is None else _compiled(name, pattern, terms, True)

    return Guard(compiled(entry.before), compiled(entry.within), compiled(entry.after))


def _known(name: str, key: str, things: Mapping[str, Thing]) -> Thing:
    if key not in things:
        raise PolicyRefused(f"{name}: there is no {key!r}")
    return things[key]


def _filled(name: str, pattern: str, terms: Mapping[str, str]) -> str:
    """The pattern with its terms put in, and white space for its spaces."""

    def term(match: re.Match[str]) -> str:
        return f"(?:{_known(name, match[1], terms)})"

    spaced = _TERM.sub(term, pattern)
    return spaced.replace(" ?", r"\s*").replace(" ", r"\s+")


def _filled_terms(terms: Mapping[str, str | list[str]]) -> dict[str, str]:
    """The terms; each may use those above it, and may be a list of alternatives."""
    filled: dict[str, str] = {}
    for name, entry in terms.items():
        pattern = entry if isinstance(entry, str) else "|".join(entry)
        filled[name] = _filled(f"term {name}", pattern, filled)
    return filled


def _compiled(
    name: str, pattern: str, terms: Mapping[str, str], caseless: bool
) -> re.Pattern[str]:
    flags = re.IGNORECASE if caseless else 0
    try:
        return re.compile(_filled(name, pattern, terms), flags)
    except re.error as error:
        raise PolicyRefused(f"{name}: {error} in {pattern!r}") from error


def _check_rules(rules: tuple[Rule, ...]) -> None:
    ids = [rule.id for rule in rules]
    for rule in rules:
        if ids.count(rule.id) > 1:
            raise PolicyRefused(f"rule {rule.id}: the id is used twice")
        if rule.hard and rule.verdict is not VerdictName.BLOCK:
            raise PolicyRefused(f"rule {rule.id}: a hard constraint blocks")
    missing = HARD_CATEGORIES - {rule.category for rule in rules if rule.hard}
    if missing:
        names = ", ".join(sorted(missing))
        raise PolicyRefused(f"no hard constraint for {names}")


def _try(judge: Judge, rule: Rule) -> None:
    """Proves the rule on the texts that came with it."""
    for wanted, samples in ((True, rule.must_match), (False, rule.must_not_match)):
        for sample in samples:
            met = any(f.rule == rule.id for f in judge.judge(sample).findings)
            if met is not wanted:
                verb = "does not match" if wanted else "matches"
                raise PolicyRefused(f"rule {rule.id} {verb} {sample!r}")
