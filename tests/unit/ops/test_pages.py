"""What a page names exists: files, headings, targets of make, values of the chart."""

import re
import subprocess
from typing import Any

import pytest
import yaml
from tests.unit.ops.pages import CHART, PAGES, ROOT, Page

MAKE = re.compile(r"\bmake ((?:[a-z0-9-]+ ?)+)")
TARGET = re.compile(r"^([a-z0-9-]+):", re.MULTILINE)
SET = re.compile(r"--set ['\"]?([A-Za-z]+(?:\.[A-Za-z]+)+)=")
NAME = re.compile(r"^([A-Za-z]+(?:\.[A-Za-z]+)+)(: .+)?$")

# What the reader has to put in.
PLACE = re.compile(r"<[a-z ]+>")

every_page = pytest.mark.parametrize("page", PAGES, ids=str)


def values() -> dict[str, Any]:
    """The chart's, and those of a service by their short names, as pages use them."""
    read = yaml.safe_load((CHART / "values.yaml").read_text())
    return {**read["thoughtGenerator"], **read}


def knows(tree: Any, name: str) -> bool:
    """Whether a dotted name leads somewhere; below an empty default all names do."""
    for step in name.split("."):
        if tree == {}:
            return True
        if not isinstance(tree, dict) or step not in tree:
            return False
        tree = tree[step]
    return True


@every_page
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links:
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists(), link
        assert not anchor or anchor in Page(target).anchors, link


@every_page
def test_targets_of_make_exist(page: Page) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    code = [*page.quoted, *(block.text for block in page.blocks)]
    named = {
        target
        for text in code
        for words in MAKE.findall(text)
        for target in words.split()
    }
    assert named <= targets


@every_page
def test_values_exist(page: Page) -> None:
    known = values()
    quoted = [found[1] for each in page.quoted if (found := NAME.match(each))]
    named = [name for name in quoted if name.split(".")[0] in known]
    named += [name for block in page.blocks for name in SET.findall(block.text)]
    assert [name for name in named if not knows(known, name)] == []


@every_page
def test_commands_are_shell(page: Page) -> None:
    for block in page.blocks:
        if block.language == "sh":
            text = PLACE.sub("something", block.text)
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_backup_and_restore_are_there_to_be_rehearsed() -> None:
    page = Page(ROOT / "docs" / "backup.md")
    backup, restore = "".join(page.marked("backup")), "".join(page.marked("restore"))
    assert "pg_dump" in backup
    assert "pg_restore" in restore
    for schema in ("thinking", "memory", "safety"):
        assert f"--schema {schema}" in backup


def test_decisions_are_numbered_and_of_one_form() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    for number, path in enumerate(pages, start=1):
        text = path.read_text()
        assert path.name.startswith(f"{number:04d}-"), path.name
        assert text.startswith(f"# {number}. "), path.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], path.name


def test_every_page_of_docs_is_in_the_index() -> None:
    index = Page(ROOT / "docs" / "README.md")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(index.links)
