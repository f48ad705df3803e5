"""What the chart asks Prometheus, and what promtool says to it."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.render import CHART, find_tool

# As the template names them for the release `mind`.
NAMESPACE = "mind"
FULLNAME = "mind-claude-agi"
DASHBOARDS = tuple(sorted(CHART.glob("dashboards/*.json")))
ALERTS = tuple(sorted(CHART.glob("alerts/*.yaml")))

# A metric stands before its selector; a bare one would look at every mind there is.
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\"")
PROMTOOL_S = 60.0
GRAFANA = {
    "$__rate_interval": "5m",
    "$__range": "6h",
    "$namespace": NAMESPACE,
    "$release": FULLNAME,
}

Rule = dict[str, Any]


@cache
def alerts() -> dict[str, Rule]:
    """The rules by the names of their files, told whose series to look at."""
    rules = {}
    for file in ALERTS:
        rule: Rule = yaml.safe_load(file.read_text())
        expr: str = rule["expr"]
        rule["expr"] = expr.replace("NAMESPACE", NAMESPACE).replace(
            "FULLNAME", FULLNAME
        )
        rules[file.stem] = rule
    return rules


@cache
def dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards by the names of their files."""
    return {file.stem: json.loads(file.read_text()) for file in DASHBOARDS}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels without the headings between them."""
    return [each for each in dashboard["panels"] if each["type"] != "row"]


def dashboard_queries() -> Iterator[tuple[str, str]]:
    """Every query with the panel it is for, its variables filled in."""
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                expr: str = target["expr"]
                for variable, value in GRAFANA.items():
                    expr = expr.replace(variable, value)
                yield f"{name}: {panel['title']}", expr


def selected(expr: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each metric of a query, with the labels that it is selected by."""
    for name, matchers in SELECTOR.findall(expr):
        yield name, frozenset(MATCHER.findall(matchers))


def promtool(*arguments: str | Path) -> str:
    """What it says; AssertionError where it finds a fault."""
    done = subprocess.run(
        [find_tool("promtool"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PROMTOOL_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_rules(folder: Path, rules: list[Rule]) -> Path:
    """A file of rules as Prometheus reads it."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "mind", "rules": rules}]}))
    return file
