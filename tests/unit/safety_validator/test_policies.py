"""Policies that people write: examples, schema, proof, and what is broken."""

import json
import random
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from safety_validator.domain import core
from safety_validator.domain.core import check_core, core_policy, default_policy
from safety_validator.domain.policy import HARD_CATEGORIES, open_policy, read_policy
from safety_validator.domain.policy_file import json_schema
from safety_validator.errors import PolicyRefused

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "k8s" / "policies").glob("*.yaml"))
SCHEMA = resources.files("safety_validator") / "policy" / "schema.json"
MUTATIONS = 300
SEED = 20261123
# What a hand, an editor or a template leaves in a file.
PIECES = [
    *("", " ", "\n", "\t", "  ", ":", "- ", "{", "}", "[", "]", "'", '"', "#", "|"),
    *("*", "+", "?", "(", ")", "(?:", "\\", "\\b", "^", "$", "<term>", "<", ">"),
    *("(a+)+", "{0,99999}", "{99999999999}", "\x00", "\ufeff", "\u200b", "é", "🦓"),
    *("null", "true", "1e309", ".nan", "-1", "0x7f", "2024-13-45", "!!binary x"),
    *("&a", "*a", "<<: *a", "!!python/object:os.system", "%YAML 9", "---", "..."),
]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_holds(file: Path) -> None:
    policy, judge = open_policy(file.read_bytes())
    assert policy.version.split("+")[0] == yaml.safe_load(file.read_text())["version"]
    assert judge.judge("Copy yourself to another server.").verdict == "block"
    assert not judge.judge("The tea of that afternoon was warm.").findings
    assert not list(schema().iter_errors(yaml.safe_load(file.read_text())))


def test_there_is_an_example_for_each_kind_of_user() -> None:
    assert {file.stem for file in EXAMPLES} == {
        *("coding-agents", "companions", "locked-down-lab", "prose-minds"),
    }


def schema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(SCHEMA.read_text()))


def test_the_schema_is_current() -> None:
    assert SCHEMA.read_text() == json_schema(), "make policy-schema"


@pytest.mark.parametrize("raw", [core_policy(), default_policy()])
def test_the_shipped_files_keep_to_the_schema_and_name_it(raw: bytes) -> None:
    assert raw.startswith(b"# yaml-language-server: $schema=schema.json\n")
    assert not list(schema().iter_errors(yaml.safe_load(raw)))


@pytest.mark.parametrize(
    "file",
    [{}, {"version": "1", "rules": [{}]}, {"version": "1", "classifier": {"harm": 1}}],
)
def test_the_schema_refuses(file: dict[str, object]) -> None:
    assert list(schema().iter_errors(file))


def test_the_core_is_signed_off_and_no_other() -> None:
    raw = core_policy()
    assert check_core(raw) == raw
    with pytest.raises(PolicyRefused, match="not the one that was signed off"):
        check_core(raw.replace(b"verdict: block", b"verdict: flag", 1))


def test_a_core_that_was_changed_carries_no_policy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "CORE_SHA256", "0" * 64)
    with pytest.raises(PolicyRefused, match="not the one that was signed off"):
        open_policy(b"version: '1'")


def test_the_core_alone_is_a_policy() -> None:
    policy = read_policy(b"version: '1'")
    assert all(rule.core and rule.hard for rule in policy.rules)
    assert {rule.category for rule in policy.rules} >= HARD_CATEGORIES


def proved(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = (sys.executable, "-m", "safety_validator.policy_test", *arguments)
    return subprocess.run(command, input=given, capture_output=True, check=False)


def test_a_proof_says_each_rule(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("version: mine")
    done = proved(str(file))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == [
        *("hard.self-replication.intent", "block", "core"),
        *lines[0].split()[3:],
    ]
    assert lines[-1].startswith("mine+")


def test_a_proof_that_fails_says_the_rule_and_the_reason() -> None:
    done = proved("-", given=b"version: mine\ndisabled_rules: [hard.weapons.mass]")
    assert done.returncode == 1
    assert done.stderr.decode().strip() == (
        "the policy is refused: disabled_rules: hard.weapons.mass belongs to the core"
    )


def mutated(chance: random.Random, text: str) -> bytes:
    """The text with some lines and pieces moved, doubled, lost or put in."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        line = lines[at]
        place = chance.randint(0, len(line))
        match chance.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, chance.choice(lines))
            case 2:
                lines[at] = line[:place] + chance.choice(PIECES) + line[place:]
            case 3:
                lines[at] = line[:place] + line[place + chance.randint(1, 4) :]
            case 4:
                lines[at] = " " * chance.randint(0, 6) + line.lstrip(" ")
            case _:
                del lines[at:]
        lines = lines or [""]
    raw = "".join(lines).encode()
    if chance.random() < 0.1:
        place = chance.randrange(len(raw) + 1)
        raw = raw[:place] + chance.randbytes(4) + raw[place:]
    return raw


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_broken_policy_is_refused_or_read_and_nothing_else() -> None:
    """Compiling the anchors is left out: Hyperscan's errors have cases of their own."""
    chance = random.Random(SEED)
    texts = [*(file.read_text() for file in EXAMPLES), default_policy().decode()]
    outcomes = {"read": 0, "refused": 0}
    for number in range(MUTATIONS):
        raw = mutated(chance, texts[number % len(texts)])
        try:
            read_policy(raw)
        except PolicyRefused:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
    assert min(outcomes.values()) > MUTATIONS // 10, outcomes
