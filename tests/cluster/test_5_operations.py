"""What a person does with a running mind: agents by values, backup and restore."""

import os
import re
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
from tests.support.cluster.helm import ROOT, path
from tests.support.cluster.installation import Installation, assert_unbroken
from tests.support.cluster.waiting import eventually

PAGE = ROOT / "docs" / "backup.md"
# Commands that the page marks: ```sh backup, also inside a list.
MARKED = re.compile(r"^( *)```sh (\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
APPLIED_S = 60.0
ADA = "agents.ada"
PERSONA = f"{ADA}.persona=Ada keeps bees."
BUDGET = f"{ADA}.budget.usdPerDay=2"


def agent(mind: Installation) -> dict[str, object]:
    """Ada, or nothing."""
    answer = mind.ask("GET", "/api/thought/agents/ada")
    found: dict[str, object] = answer.json() if answer.is_success else {}
    return found


def test_agents_come_from_values_and_belong_to_people(mind: Installation) -> None:
    mind.release.upgrade(PERSONA, BUDGET)
    eventually("ada is there", lambda: agent(mind), APPLIED_S)
    assert agent(mind)["persona"] == "Ada keeps bees."

    changed = {"persona": "Ada keeps bees and cats."}
    mind.call("PATCH", "/api/thought/agents/ada", changed)
    mind.release.upgrade(PERSONA, f"{ADA}.budget.usdPerDay=3")
    eventually(
        "the new budget is applied",
        lambda: agent(mind)["budget"]["usd_per_day"] == 3,  # type: ignore[index]
        APPLIED_S,
    )
    assert agent(mind)["persona"] == changed["persona"]

    mind.release.upgrade(PERSONA, BUDGET, f"{ADA}.overwrite=true")
    eventually(
        "the values have the last word",
        lambda: agent(mind)["persona"] == "Ada keeps bees.",
        APPLIED_S,
    )


def follow(what: str, mind: Installation, folder: Path) -> None:
    """Runs the commands of the page on backup that are marked so."""
    blocks = MARKED.findall(PAGE.read_text())
    script = "".join(dedent(text) for _, mark, text in blocks if mark == what)
    assert script
    names = {
        "NAMESPACE": mind.namespace.name,
        "RELEASE": mind.release.name,
        "NAME": mind.release.fullname,
        "BACKUP": str(folder),
        "PATH": path(),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=os.environ | names,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{what}:\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(600)
def test_a_backup_brings_the_mind_back(mind: Installation, tmp_path: Path) -> None:
    before = mind.call("POST", "/api/memory", {"content": "Told before the backup."})
    thoughts = mind.chain()
    follow("backup", mind, tmp_path)
    after = mind.call("POST", "/api/memory", {"content": "Told after the backup."})

    follow("restore", mind, tmp_path)

    assert mind.call("GET", f"/api/memory/{before['id']}")["content"]
    assert mind.ask("GET", f"/api/memory/{after['id']}").status_code == 404
    found = mind.call("POST", "/api/memory/recall", {"query": "Told after the backup."})
    assert after["id"] not in [memory["id"] for memory in found["memories"]]
    restored = mind.chain()
    assert restored[: len(thoughts)] == thoughts
    eventually("it thinks on", lambda: len(mind.chain()) > len(restored), APPLIED_S)
    assert_unbroken(mind.chain())
