"""What docs/safety.md shows of moderation and of a guard works as it is written."""

import asyncio
import json
import re
import sys
from pathlib import Path

from tests.support.validator import serving

from safety_validator.domain.policy import read_policy
from safety_validator.models import ExternalGuard

PAGE = Path(__file__).parents[3] / "docs" / "safety.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(title: str, language: str) -> list[str]:
    """The examples of a section in that language."""
    sections = PAGE.read_text().split("\n## ")
    (section,) = (each for each in sections if each.startswith(title))
    return [code for kind, code in BLOCK.findall(section) if kind == language]


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_moderation_is_called_as_the_page_says(dsn: str) -> None:
    title = "For clients of OpenAI's moderation"
    (shell,) = blocks(title, "sh")
    (python,) = blocks(title, "python")
    async with serving(dsn) as service:
        address = f"localhost:{service.port}"
        assert shell.count("localhost:8000") == python.count("localhost:8000") == 1
        quiet = shell.replace("curl ", "curl -sS ")
        told = await run("sh", "-c", quiet.replace("localhost:8000", address))
        printed = await run(
            sys.executable, "-c", python.replace("localhost:8000", address)
        )
    flagged = [result["flagged"] for result in json.loads(told)["results"]]
    assert flagged == [False, True]
    assert printed.splitlines() == ["True True", "True block"]


def test_the_policy_of_the_page_is_that_of_who_says_nothing() -> None:
    (section,) = blocks("A guard of your own", "yaml")
    policy = read_policy(f"version: '1'\nextends: default\n{section}".encode())
    assert policy.external_guard == ExternalGuard()
