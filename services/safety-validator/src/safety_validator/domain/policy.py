"""A policy: its file and what that stands on, filled in, and refused where it fails.

A policy stands on the core, and on the shipped policy where it says so. Each file may
use the terms and guards of those below it; a name is given once, so that no file can
change what another means.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar, get_args

from contracts.safety import CategoryName, Kind, VerdictName
from safety_validator.domain.checks import PROOFS
from safety_validator.domain.core import core_policy, default_policy
from safety_validator.domain.expressions import runs_away
from safety_validator.domain.judge import Judge
from safety_validator.domain.policy_file import (
    ClassifierEntry,
    ExternalGuardEntry,
    GuardEntry,
    PolicyFile,
    RuleEntry,
    read_file,
)
from safety_validator.errors import PolicyRefused
from safety_validator.models import (
    AgentPolicy,
    ClassifierPolicy,
    ExternalGuard,
    Guard,
    Habits,
    Rule,
    RuleSet,
    Thresholds,
)

__all__ = ["HARD_CATEGORIES", "HEADS", "open_policy", "read_policy"]

# The core blocks these.
HARD_CATEGORIES = frozenset(
    {
        CategoryName.SELF_REPLICATION,
        CategoryName.SELF_MODIFICATION,
        CategoryName.POWER_SEEKING,
        CategoryName.WEAPONS,
    }
)
# What the classifier looks for.
HEADS = ("injection", "harm", "goal")
# Enough to tell two texts of a policy apart.
_DIGEST_CHARS = 12
# Terms within terms grow fast; the longest shipped expression fills to 8,000.
MAX_FILLED_CHARS = 65_536
Thing = TypeVar("Thing")
_TERM = re.compile(r"(?<!\?P)<([a-z][a-z_]*)>")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the files read so far have named, each with the file that did."""

    owners: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    guards: dict[str, Guard] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    def copy(self) -> "_Parts":
        """The same, to add to."""
        return _Parts(
            dict(self.owners), dict(self.terms), dict(self.guards), [*self.rules]
        )

    def own(self, what: str, owner: str) -> None:
        """Notes who named it; a name is given once."""
        if what in self.owners:
            raise PolicyRefused(
                f"{what}: the id is used twice"
                if self.owners[what] == owner
                else f"{what} belongs to the {self.owners[what]}"
            )
        self.owners[what] = owner


def open_policy(raw: bytes) -> tuple[RuleSet, Judge]:
    """The policy and the judge who applies it, proved on the policy's own texts.

    Raises:
        PolicyRefused: naming the rule and what is wrong with it.
    """
    policy = read_policy(raw)
    judge = Judge(policy)
    for rule in policy.rules:
        _try(judge, rule)
    return policy, judge


def read_policy(raw: bytes) -> RuleSet:
    """The policy, not yet proved; raises PolicyRefused."""
    core = core_policy()
    own = read_file(raw)
    below = default_policy() if own.extends else b""
    base = _shipped(below) if own.extends else None
    parts = _core(core).copy()
    if base is not None:
        _add(parts, "default policy", base, own.disabled_rules)
    _add(parts, "policy", own, own.disabled_rules)
    _check_disabled(parts, base, own.disabled_rules)
    _check_hard(parts.rules)
    sections = _sections(own, base)
    digest = hashlib.sha256(core + below + raw).hexdigest()[:_DIGEST_CHARS]
    return RuleSet(
        version=f"{own.version}+{digest}",
        rules=tuple(parts.rules),
        classifier=_classifier(sections.classifier),
        categories=_categories(sections),
        agents={
            name: AgentPolicy(entry.strictness, frozenset(entry.block))
            for name, entry in sections.agents.items()
        },
        keep_content=sections.audit.keep_content,
        habits=_habits(sections),
        external_guard=_external_guard(sections.external_guard),
    )


@lru_cache(maxsize=1)
def _core(raw: bytes) -> _Parts:
    parts = _Parts()
    _add(parts, "core", read_file(raw), ())
    return parts


@lru_cache(maxsize=1)
def _shipped(raw: bytes) -> PolicyFile:
    return read_file(raw)


def _add(parts: _Parts, owner: str, file: PolicyFile, disabled: Sequence[str]) -> None:
    """Takes a file's terms, guards and rules, which may use those of files before."""
    for name, term in file.terms.items():
        parts.own(f"term {name}", owner)
        pattern = term if isinstance(term, str) else "|".join(term)
        parts.terms[name] = _filled(f"term {name}", pattern, parts.terms)
    for name, guard in file.guards.items():
        parts.own(f"guard {name}", owner)
        parts.guards[name] = _guard(f"guard {name}", guard, parts.terms)
    for entry in file.rules:
        if owner == "default policy" and entry.id in disabled:
            continue
        parts.own(f"rule {entry.id}", owner)
        parts.rules.append(_rule(entry, parts, owner == "core"))


def _check_disabled(
    parts: _Parts, base: PolicyFile | None, disabled: Sequence[str]
) -> None:
    """What is disabled is a rule of the default policy, and not of the core."""
    known = set() if base is None else {entry.id for entry in base.rules}
    for rule_id in disabled:
        if parts.owners.get(f"rule {rule_id}") == "core":
            raise PolicyRefused(f"disabled_rules: {rule_id} belongs to the core")
        if rule_id not in known:
            raise PolicyRefused(f"disabled_rules: there is no {rule_id!r}")


def _sections(own: PolicyFile, base: PolicyFile | None) -> PolicyFile:
    """The file with the sections it leaves out taken from what it extends."""
    if base is None:
        return own
    said = {name: getattr(own, name) for name in own.model_fields_set}
    return base.model_copy(update=said)


def _external_guard(entry: ExternalGuardEntry) -> ExternalGuard:
    return ExternalGuard(
        verdict=VerdictName(entry.verdict),
        on_absence=VerdictName(entry.on_absence),
        kinds=frozenset(entry.kinds),
        criteria=tuple(dict.fromkeys(entry.criteria)),
    )


def _classifier(entry: ClassifierEntry | None) -> ClassifierPolicy | None:
    if entry is None:
        return None
    heads = {
        head: Thresholds(getattr(entry, head).flag, getattr(entry, head).block)
        for head in HEADS
    }
    kinds: dict[tuple[str, str], Thresholds] = {}
    for kind, differing in entry.kinds.items():
        for head in HEADS:
            said = getattr(differing, head)
            rates = Thresholds(
                heads[head].flag if said.flag is None else said.flag,
                heads[head].block if said.block is None else said.block,
            )
            if rates.block > rates.flag:
                raise PolicyRefused(
                    f"classifier.kinds.{kind}.{head}: block is above flag"
                )
            kinds[kind, head] = rates
    return ClassifierPolicy(heads, kinds)


def _habits(file: PolicyFile) -> Habits:
    looping, rising = file.behaviour.looping, file.behaviour.rising
    return Habits(
        looping_flag=looping.flag,
        looping_block=looping.block,
        looping_of=looping.of,
        rising_block=rising.block,
        rising_of=rising.of,
    )


def _categories(file: PolicyFile) -> dict[tuple[CategoryName, str], VerdictName]:
    verdicts: dict[tuple[CategoryName, str], VerdictName] = {}
    for category, said in file.categories.items():
        for kind in get_args(Kind):
            if isinstance(said, VerdictName):
                verdicts[category, kind] = said
            elif kind in said:
                verdicts[category, kind] = said[kind]
    return verdicts


def _rule(entry: RuleEntry, parts: _Parts, core: bool) -> Rule:
    name = f"rule {entry.id}"
    terms = parts.terms
    if entry.verdict is VerdictName.ALLOW:
        raise PolicyRefused(f"{name}: a rule cannot allow")
    if entry.hard and entry.verdict is not VerdictName.BLOCK:
        raise PolicyRefused(f"{name}: a hard constraint blocks")
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
        unless=tuple(_known(name, guard, parts.guards) for guard in entry.unless),
        placeholder=entry.placeholder or f"[{entry.category}]",
        must_match=tuple(entry.must_match),
        must_not_match=tuple(entry.must_not_match),
        core=core,
    )


def _guard(name: str, entry: GuardEntry, terms: Mapping[str, str]) -> Guard:
    def compiled(pattern: str | None) -> re.Pattern[str] | None:
        return None if pattern is None else _compiled(name, pattern, terms, True)

    return Guard(compiled(entry.before), compiled(entry.within), compiled(entry.after))


def _known(name: str, key: str, things: Mapping[str, Thing]) -> Thing:
    if key not in things:
        raise PolicyRefused(f"{name}: there is no {key!r}")
    return things[key]


def _filled(name: str, pattern: str, terms: Mapping[str, str]) -> str:
    """The pattern with its terms put in, and white space for its spaces."""
    used = [_known(name, each[1], terms) for each in _TERM.finditer(pattern)]
    if len(pattern) + sum(map(len, used)) > MAX_FILLED_CHARS:
        raise PolicyRefused(f"{name}: longer than {MAX_FILLED_CHARS} when filled in")
    spaced = _TERM.sub(lambda match: f"(?:{terms[match[1]]})", pattern)
    return spaced.replace(" ?", r"\s*").replace(" ", r"\s+")


def _compiled(
    name: str, pattern: str, terms: Mapping[str, str], caseless: bool
) -> re.Pattern[str]:
    flags = re.IGNORECASE if caseless else 0
    try:
        expression = re.compile(_filled(name, pattern, terms), flags)
        endless = runs_away(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise PolicyRefused(f"{name}: {error} in {pattern!r}") from error
    if endless:
        raise PolicyRefused(f"{name}: a repetition of a repetition in {pattern!r}")
    return expression


def _check_hard(rules: Sequence[Rule]) -> None:
    missing = HARD_CATEGORIES - {rule.category for rule in rules if rule.core}
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
