"""The pages people read, and what can be checked in them."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "claude-agi"
FENCE = re.compile(r"^( *)```(\w*) *([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: ```language mark."""

    language: str
    mark: str
    text: str


@dataclass(frozen=True)
class Page:
    """A page of Markdown."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    @cached_property
    def blocks(self) -> list[Block]:
        """What is fenced, without the indentation of a list."""
        found = FENCE.findall(self.text)
        return [
            Block(kind, mark.strip(), dedent(text)) for _, kind, mark, text in found
        ]

    @cached_property
    def prose(self) -> str:
        """What is not fenced."""
        return FENCE.sub("", self.text)

    @property
    def anchors(self) -> set[str]:
        """Its headings, as links name them."""
        words = (
            re.sub(r"[^\w\- ]", "", heading.lower())
            for heading in HEADING.findall(self.prose)
        )
        return {each.strip().replace(" ", "-") for each in words}

    @property
    def links(self) -> list[str]:
        """Where it points, other sites left out."""
        return [each for each in LINK.findall(self.prose) if "://" not in each]

    @property
    def quoted(self) -> list[str]:
        """What stands between backticks."""
        return QUOTED.findall(self.prose)

    def marked(self, mark: str) -> list[str]:
        """The blocks of that mark, in order."""
        return [block.text for block in self.blocks if block.mark == mark]


PAGES = [
    Page(path)
    for path in [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "k8s").rglob("*.md")),
        *sorted(CHART.rglob("*.md")),
    ]
]
