"""Each command as the process of a pod that was told nothing."""

import pytest
from tests.integration.servicekit.process import start_module

ASKS_FOR = {
    "secrets": "INTERNAL_SECRET",
    "roles": "ADMIN_DSN",
    "agents": "AGENTS_FILE",
}


@pytest.mark.parametrize("command", ASKS_FOR)
async def test_it_asks_in_its_last_line_for_what_it_needs(command: str) -> None:
    async with start_module(f"bootstrap.{command}") as pod:
        assert await pod.wait() == 1
        assert pod.errors == ""
        (line,) = pod.lines
    assert (line["event"], line["service"]) == ("failed", command)
    assert line["reason"] == f"{ASKS_FOR[command]} is not set"
