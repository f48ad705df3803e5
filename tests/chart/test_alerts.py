"""Alerts: each with a runbook, and with cases that say when it fires."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.prometheus import alerts, promtool, write_rules
from tests.support.render import CHART

CASES = Path(__file__).parent / "alerts"
RUNBOOKS = CHART / "runbooks"
HEADINGS = [
    "What it means",
    "What users feel",
    "Look at first",
    "Mend",
    "When it is harmless",
]

each_alert = pytest.mark.parametrize("name", sorted(alerts()))


@each_alert
def test_an_alert_says_what_it_is(name: str) -> None:
    rule = alerts()[name]
    assert rule["alert"] == name
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert all(rule["annotations"].values())


@each_alert
def test_an_alert_has_a_runbook(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    first = text.split("## Look at first")[1].split("## Mend")[0]
    assert re.findall(r"^(\d)\. ", first, re.MULTILINE) == ["1", "2", "3"]
    assert first.count("```sh") >= 1
    for link in re.findall(r"\]\((\w+\.md)\)", text):
        assert (RUNBOOKS / link).is_file(), link


def test_runbooks_are_listed_and_none_is_left_over() -> None:
    listed = re.findall(
        r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) ",
        (RUNBOOKS / "README.md").read_text(),
        re.MULTILINE,
    )
    severities = {name: rule["labels"]["severity"] for name, rule in alerts().items()}
    assert dict(listed) == severities
    assert {file.stem for file in RUNBOOKS.glob("*.md")} == {*severities, "README"}


@each_alert
def test_an_alert_has_cases_of_both_kinds(name: str) -> None:
    tests = yaml.safe_load((CASES / f"{name}.yaml").read_text())["tests"]
    assert {bool(rule["exp_alerts"]) for rule in _rule_tests(tests)} == {True, False}
    assert {rule["alertname"] for rule in _rule_tests(tests)} == {name}


def _rule_tests(tests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for test in tests:
        yield from test["alert_rule_test"]


def test_promtool_finds_no_fault_in_the_rules(tmp_path: Path) -> None:
    promtool("check", "rules", write_rules(tmp_path, list(alerts().values())))


def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    # Words may change without a case: labels say which series it is.
    rules = [
        {key: value for key, value in rule.items() if key != "annotations"}
        for rule in alerts().values()
    ]
    write_rules(tmp_path, rules)
    for file in CASES.glob("*.yaml"):
        cases = {"rule_files": ["rules.yaml"], **yaml.safe_load(file.read_text())}
        (tmp_path / file.name).write_text(yaml.safe_dump(cases))
    done = promtool("test", "rules", *sorted(tmp_path.glob("ClaudeAgi*.yaml")))
    assert done.count("SUCCESS") == len(alerts())
