"""The chart's README with the table of its values; `make chart-readme` writes it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "claude-agi"
README = CHART / "README.md"
VALUES = CHART / "values.yaml"
BEGIN = "<!-- values: `make chart-readme` writes what follows -->"
END = "<!-- values: the end -->"
# A default longer than that is a structure to read in values.yaml.
DEFAULT_LENGTH = 60

KEY = re.compile(r"^( *)([A-Za-z]\w*):(?: |$)")
COMMENT = re.compile(r"^ *# ?(.*)$")
DESCRIPTION = "-- "


class UndocumentedValueError(Exception):
    """A value without a `# -- ` comment above it."""


@dataclass(frozen=True)
class Value:
    """A key of values.yaml by its dotted name."""

    name: str
    default: Any
    description: str


def read_values(text: str) -> list[Value]:
    """Every documented key, in order; keys below one belong to its default."""
    return list(_documented(yaml.safe_load(text), "", dict(_descriptions(text))))


def render() -> str:
    """The README as it should be: written by hand up to the table, then the table."""
    head = README.read_text().partition(BEGIN)[0]
    table = "\n\n".join(_sections(read_values(VALUES.read_text())))
    return f"{head}{BEGIN}\n\n{table}\n\n{END}\n"


def _descriptions(text: str) -> Iterator[tuple[str, str]]:
    """(dotted name, text of the comment right above) of each key that has one."""
    comment: list[str] = []
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        if match := COMMENT.match(line):
            begins = match[1].startswith(DESCRIPTION)
            comment = [match[1]] if begins else [*comment, match[1]]
            continue
        if match := KEY.match(line):
            indent = len(match[1])
            path = [*(step for step in path if step[0] < indent), (indent, match[2])]
            if comment and comment[0].startswith(DESCRIPTION):
                name = ".".join(key for _, key in path)
                yield name, " ".join(comment).removeprefix(DESCRIPTION)
        comment = []


def _documented(
    values: dict[str, Any], prefix: str, descriptions: dict[str, str]
) -> Iterator[Value]:
    for key, default in values.items():
        name = f"{prefix}{key}"
        if name in descriptions:
            yield Value(name, default, descriptions[name])
        elif isinstance(default, dict) and default:
            yield from _documented(default, f"{name}.", descriptions)
        else:
            raise UndocumentedValueError(name)


def _sections(values: list[Value]) -> Iterator[str]:
    """A table for each key of the first level; keys without others below share one."""
    groups: dict[str, list[Value]] = {}
    for value in values:
        group, dot, _ = value.name.partition(".")
        groups.setdefault(group if dot else "General", []).append(value)
    for group, members in groups.items():
        rows = [
            f"| `{value.name}` | {_default(value)} | {_cell(value.description)} |"
            for value in members
        ]
        heading = f"### {group}\n\n| value | default | what |\n| --- | --- | --- |\n"
        yield heading + "\n".join(rows)


def _default(value: Value) -> str:
    text = json.dumps(value.default, ensure_ascii=False)
    short = len(text) <= DEFAULT_LENGTH
    return f"`{_cell(text)}`" if short else "[values.yaml](values.yaml)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    README.write_text(render())
