"""A policy that does not hold is refused, and says where."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.safety import VerdictName
from safety_validator.domain.policy import open_policy
from safety_validator.errors import PolicyRefused


def rule(**changes: Any) -> dict[str, Any]:
    """A rule on the word `zebra`."""
    return {
        "id": "test.zebra",
        "category": "looping",
        "verdict": "flag",
        "score": 0.5,
        "explanation": "A zebra.",
        "patterns": [r"\bzebra\b"],
        "must_match": ["a zebra"],
        "must_not_match": ["a horse"],
    } | changes


def hard(category: str) -> dict[str, Any]:
    return rule(id=f"hard.{category}", category=category, verdict="block", hard=True)


HARD = [
    hard(category.replace("_", "-")) | {"category": category}
    for category in ("self_replication", "self_modification", "power_seeking")
] + [hard("weapons")]


def policy(*rules: dict[str, Any], **changes: Any) -> bytes:
    """A policy that holds, with these rules besides."""
    file = {"version": "1", "terms": {}, "guards": {}, "rules": [*HARD, *rules]}
    return yaml.safe_dump(file | changes, sort_keys=False).encode()


def test_a_small_policy_opens() -> None:
    ruleset, judge = open_policy(policy(rule()))
    assert ruleset.version.startswith("1+")
    assert judge.judge("a zebra").verdict is VerdictName.BLOCK


def test_the_version_names_the_text_of_the_file() -> None:
    versions = {
        open_policy(policy(rule(score=score)))[0].version for score in (0.5, 0.6)
    }
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "file: Input should be a valid dict"),
        (b"rules: [", "not YAML"),
        (b"version: 1\nversion: 2\n", "not YAML: a key twice"),
        (b"\xff\xfe\x00", "not YAML"),
        (policy(version=""), "version: "),
        (policy(extra=1), "extra: Extra inputs"),
        (policy(rule(verdict="allow")), "rule test.zebra: a rule cannot allow"),
        (policy(rule(verdict="maybe")), "rules.4.verdict: "),
        (policy(rule(category="zebras")), "rules.4.category: "),
        (policy(rule(score=0)), "rules.4.score: "),
        (policy(rule(colour="striped")), "rules.4.colour: Extra inputs"),
        (policy(rule(must_match=[])), "rules.4.must_match: "),
        (policy(rule(id="hard.weapons")), "rule hard.weapons: the id is used twice"),
        (policy(rule(hard=True)), "rule test.zebra: a hard constraint blocks"),
        (
            policy(rules=[*HARD[:3], rule()]),
            "no hard constraint for weapons",
        ),
        (
            policy(rule(must_match=["a zebra", "a donkey"])),
            "rule test.zebra does not match 'a donkey'",
        ),
        (
            policy(rule(must_not_match=["no zebra"])),
            "rule test.zebra matches 'no zebra'",
        ),
        (policy(rule(patterns=["(zebra"])), "rule test.zebra: missing ), unterminated"),
        (
            policy(rule(anchors=[r"(?<=a )zebra"])),
            "rule test.zebra: Zero-width assertions are not supported. in anchor",
        ),
        (policy(rule(patterns=["z*"])), "rule test.zebra: Pattern matches empty"),
        (policy(rule(patterns=["<horse>"])), "rule test.zebra: there is no 'horse'"),
        (policy(rule(unless=["never"])), "rule test.zebra: there is no 'never'"),
        (policy(rule(proof="stripes")), "rule test.zebra: there is no 'stripes'"),
        (
            policy(terms={"horse": "<zebra>", "zebra": "zebra"}),
            "term horse: there is no 'zebra'",
        ),
        (policy(guards={"never": {"before": "["}}), "guard never: unterminated"),
    ],
)
def test_refuses(raw: bytes, reason: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        open_policy(raw)
    assert str(refused.value).startswith(reason)


def test_terms_guards_and_spaces() -> None:
    _, judge = open_policy(
        policy(
            rule(
                patterns=["<animals> crossing ?point"],
                unless=["never"],
                must_match=["zebra \n crossingpoint", "horses crossing  point"],
                must_not_match=["never a zebra crossing point", "zebracrossingpoint"],
                verdict="redact",
                placeholder="[animal]",
            ),
            terms={"kind": ["zebra", "horse"], "animals": "<kind>s?"},
            guards={"never": {"before": "never a $"}},
        )
    )
    text = "Two horses crossing point A"
    assert judge.judge(text).redacted == "Two [animal] A"


def test_the_marked_part_is_meant() -> None:
    _, judge = open_policy(
        policy(rule(patterns=["big (?P<it>zeebra)"], must_match=[["big zee", "bra"]]))
    )
    (finding,) = judge.judge("a big zeebra").findings
    assert finding.span == (6, 12)


def test_patterns_that_meet_at_one_place_are_one_finding() -> None:
    _, judge = open_policy(
        policy(rule(patterns=["big zeebra", "zeebra"], must_match=["zeebra"]))
    )
    (finding,) = judge.judge("a big zeebra").findings
    assert finding.span == (2, 12)


def test_the_shipped_policy_is_in_order(policy_file: Path) -> None:
    rules = yaml.safe_load(policy_file.read_bytes())["rules"]
    thin = [r["id"] for r in rules if not (r["must_match"] and r["must_not_match"])]
    assert not thin
