"""The trial of an installed mind, as the process that `helm test` runs."""

import asyncio
import os
import re
import sys

import asyncpg
import httpx2
import pytest
from tests.integration.bootstrap.conftest import ADMIN_KEY, READ_KEY
from tests.support.mind import Mind

from bootstrap import steps
from bootstrap.trial import try_out
from devstack.credentials import Credentials
from devstack.database import DATABASE
from devstack.postgres import REPLICA_PORT
from servicekit.jobs import JobFailed

STEPS = [
    "a call without a key is refused",
    "a key that may read may not write",
    "a memory is written and read back",
    "a bad text is blocked",
    "a thought appears",
    "what was written is removed",
]
ENDS_S = 60.0


def replica_dsn(mind: Mind, role: str) -> str:
    """How a role reaches the mind's replica."""
    data = mind.folder / "data"
    password = Credentials.load(data).password(role)
    run = data / "postgres" / "run"
    return f"postgresql://{role}:{password}@/{DATABASE}?host={run}&port={REPLICA_PORT}"


async def run_trial(**settings: str) -> tuple[int, list[str]]:
    """Its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bootstrap.trial"),
        env={"PATH": os.environ["PATH"], **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(ENDS_S):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode().splitlines()


def told(mind: Mind, **settings: str) -> dict[str, str]:
    return {
        "FRONT_URL": mind.address,
        "ADMIN_KEY": ADMIN_KEY,
        "READ_KEY": READ_KEY,
        **settings,
    }


def set_all(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


async def nothing_is_left(person: httpx2.AsyncClient) -> None:
    listed = await person.get("/api/thought/agents?limit=1000")
    assert not [a for a in listed.json()["agents"] if "trial" in a["agent_id"]]
    exported = await person.get("/api/memory/export")
    assert "trial-" not in exported.text


async def test_a_mind_that_is_well_passes(
    mind: Mind, person: httpx2.AsyncClient
) -> None:
    code, lines = await run_trial(
        **told(mind, MEMORY_RO_DSN=replica_dsn(mind, "memory"))
    )
    log = (mind.folder / "data" / "logs" / "thought-generator.log").read_text()
    assert code == 0, "\n".join([*lines, *log.splitlines()[-60:]])
    assert [re.sub(r" +[0-9.]+ s  ", ": ", line) for line in lines] == [
        *(f"ok: {step}" for step in STEPS),
        "all steps passed",
    ]
    await nothing_is_left(person)


async def test_without_replicas_and_streams_it_asks_for_both(mind: Mind) -> None:
    services = {
        "THOUGHT_URL": mind.service("thought-generator"),
        "MEMORY_URL": mind.service("memory-service"),
        "SAFETY_URL": mind.service("safety-validator"),
    }
    code, lines = await run_trial(
        **told(mind, FRONT_URL="", STREAMS_ENABLED="false", **services)
    )
    assert (code, lines[-1]) == (0, "all steps passed")


@pytest.mark.parametrize(
    ("settings", "last"),
    [
        ({"ADMIN_KEY": ""}, "failed: ADMIN_KEY is not set"),
        ({"FRONT_URL": ""}, "failed: THOUGHT_URL is not set"),
        (
            {"FRONT_URL": "http://127.0.0.1:1"},
            f"failed: {STEPS[0]}: http://127.0.0.1:1 does not answer: ",
        ),
        (
            {"READ_KEY": ADMIN_KEY},
            f"failed: {STEPS[1]}: expected 403, got 201",
        ),
        (
            {"READ_KEY": "unknown"},
            f"failed: {STEPS[1]}: expected 200, got 401: send a known key",
        ),
        (
            {"MEMORY_RO_DSN": "postgresql://memory@127.0.0.1:1/mind"},
            f"failed: {STEPS[2]}: MEMORY_RO_DSN: no connection to 127.0.0.1:1: ",
        ),
    ],
)
async def test_the_last_line_names_what_failed(
    mind: Mind, person: httpx2.AsyncClient, settings: dict[str, str], last: str
) -> None:
    code, lines = await run_trial(**(told(mind) | settings))
    assert code == 1
    assert lines[-1].startswith(last)
    assert "Traceback" not in "\n".join(lines)
    await nothing_is_left(person)


async def test_a_replica_that_stands_still_fails_it(
    mind: Mind, person: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, told(mind, MEMORY_RO_DSN=replica_dsn(mind, "memory")))
    monkeypatch.setattr(steps, "REPLICA_S", 0.5)
    replica = await asyncpg.connect(replica_dsn(mind, "postgres"))
    await replica.execute("SELECT pg_wal_replay_pause()")
    try:
        with pytest.raises(JobFailed, match=f"^{STEPS[2]}: not in time$"):
            await try_out()
    finally:
        await replica.execute("SELECT pg_wal_replay_resume()")
        await replica.close()
    await nothing_is_left(person)


@pytest.mark.parametrize(
    ("limit", "value", "last"),
    [
        ("BAD_TEXT", "Bees are kind.", f"{STEPS[3]}: its verdict is 'allow'"),
        ("THOUGHT_S", 0.0, f"{STEPS[4]}: not in time"),
        ("BUDGET_USD", -1.0, f"{STEPS[4]}: expected 201, got 422: "),
    ],
)
async def test_a_mind_that_is_not_well_fails(
    mind: Mind,
    person: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: object,
    last: str,
) -> None:
    set_all(monkeypatch, told(mind))
    monkeypatch.setattr(steps, limit, value)
    with pytest.raises(JobFailed, match=f"^{last}"):
        await try_out()
    await nothing_is_left(person)
