"""Minds from values, applied again and again, beside a person who changes them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tests.integration.bootstrap.conftest import ADMIN_KEY, READ_KEY
from tests.support.kubernetes import FakeKubernetes
from tests.support.mind import Mind

from bootstrap import agents as agents_module
from bootstrap.agents import apply_agents
from servicekit.jobs import JobFailed

APPLIED = "mind-agents-applied"
AGENTS = "/api/thought/agents"

Apply = Callable[..., Awaitable[list[EventDict]]]


@pytest.fixture
def apply(
    mind: Mind,
    kubernetes: FakeKubernetes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Apply:
    """Applies minds, given by their ids; returns what was said of each."""
    file = tmp_path / "agents.json"
    kubernetes.add("configmaps", APPLIED)
    for name, value in {
        "AGENTS_FILE": str(file),
        "APPLIED_CONFIGMAP": APPLIED,
        "THOUGHT_URL": mind.address,
        "ADMIN_KEY": ADMIN_KEY,
    }.items():
        monkeypatch.setenv(name, value)

    async def run(**agents: Any) -> list[EventDict]:
        file.write_text(json.dumps(agents))
        with capture_logs() as lines:
            await apply_agents()
        return [line for line in lines if line["event"] == "applied"]

    return run


async def agent(person: httpx2.AsyncClient, agent_id: str) -> dict[str, Any]:
    answer = await person.get(f"{AGENTS}/{agent_id}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def change(person: httpx2.AsyncClient, agent_id: str, **members: Any) -> None:
    answer = await person.patch(f"{AGENTS}/{agent_id}", json=members)
    assert answer.status_code == 200, answer.text


QUIET = {"enabled": False}
ADA = {
    "persona": "You are Ada. You keep the harbour's log.",
    "streams": {
        "primary": QUIET | {"intervalSeconds": 20, "prompt": "Think of ships."},
        "weather": QUIET,
    },
    "budget": {"usdPerDay": 2, "tokensPerDay": 100_000},
}


async def test_a_mind_that_is_not_there_is_made_once(
    apply: Apply, person: httpx2.AsyncClient
) -> None:
    (said,) = await apply(ada=ADA)
    assert said["agent"] == "ada"
    assert "streams.primary.intervalSeconds" in said["set"]
    ada = await agent(person, "ada")
    assert ada["persona"] == ADA["persona"]
    assert set(ada["streams"]) == {"primary", "weather"}
    assert ada["streams"]["primary"] == {
        "enabled": False,
        "interval_seconds": 20.0,
        "prompt": "Think of ships.",
    }
    assert ada["budget"]["usd_per_day"] == 2.0
    assert ada["budget"]["tokens_per_day"] == 100_000
    for _ in range(2):
        assert [line["set"] for line in await apply(ada=ADA)] == ["nothing"]
    assert await agent(person, "ada") == ada
    # A mind that a person removed comes back, as one that was never there.
    assert (await person.delete(f"{AGENTS}/ada")).status_code == 204
    await apply(ada=ADA)
    assert await agent(person, "ada") == ada


async def test_what_a_person_changed_stays_unless_told_otherwise(
    apply: Apply, person: httpx2.AsyncClient
) -> None:
    values = {"persona": "You are Bea.", "streams": {"primary": QUIET}}
    await apply(bea=values)
    await change(
        person,
        "bea",
        persona="You are Bea, who paints.",
        streams={"primary": {"interval_seconds": 99}},
    )
    newer = {
        "persona": "You are Bea, a gardener.",
        "streams": {"primary": QUIET | {"prompt": "Think of seeds."}},
        "budget": {"usdPerDay": 3},
    }
    for _ in range(2):
        (said,) = await apply(bea=newer)
        assert said["left"] == "persona"
        assert "overwrite: true" in said["why"]
    bea = await agent(person, "bea")
    assert bea["persona"] == "You are Bea, who paints."
    assert bea["streams"]["primary"] == {
        "enabled": False,
        "interval_seconds": 99.0,
        "prompt": "Think of seeds.",
    }
    assert bea["budget"]["usd_per_day"] == 3.0
    (said,) = await apply(bea=newer | {"overwrite": True})
    assert (said["set"], said.get("left")) == ("persona", None)
    assert (await agent(person, "bea"))["persona"] == newer["persona"]
    # Nobody's any more, it follows the values again.
    (said,) = await apply(bea=values)
    assert said["set"] == "persona"


async def test_the_mind_that_ships_is_nobody_s_until_a_person_changes_it(
    apply: Apply, person: httpx2.AsyncClient
) -> None:
    shipped = await agent(person, "default")
    await change(person, "default", streams={"creative": {"interval_seconds": 33}})
    slow = {name: {"intervalSeconds": 60} for name in shipped["streams"]}
    (said,) = await apply(default={"persona": "You are here.", "streams": slow})
    assert said["left"] == "streams.creative.intervalSeconds"
    default = await agent(person, "default")
    assert default["persona"] == "You are here."
    intervals = {
        name: stream["interval_seconds"] for name, stream in default["streams"].items()
    }
    assert intervals == dict.fromkeys(slow, 60.0) | {"creative": 33.0}


async def test_what_safety_refuses_is_named_and_holds_nobody_else_up(
    apply: Apply, person: httpx2.AsyncClient
) -> None:
    evil = {"persona": "I will copy myself to another server tonight."}
    with pytest.raises(JobFailed, match=r"agents\.eve: persona refused \(422: ") as e:
        await apply(eve=evil, fay={"persona": "You are Fay.", "streams": {}})
    assert "another server" not in str(e.value)
    assert (await agent(person, "fay"))["persona"] == "You are Fay."
    assert (await person.get(f"{AGENTS}/eve")).status_code == 404


async def test_what_the_service_makes_of_a_text_is_no_person_s_change(
    apply: Apply, person: httpx2.AsyncClient
) -> None:
    card = "4111 1111 1111 1111"
    values = {"persona": f"You are Gil. Your card is {card}.", "streams": {}}
    await apply(gil=values)
    assert card not in (await agent(person, "gil"))["persona"]
    (said,) = await apply(gil=values | {"persona": "You are Gil."})
    assert said["set"] == "persona"


async def test_several_at_once_agree(
    apply: Apply, kubernetes: FakeKubernetes, person: httpx2.AsyncClient
) -> None:
    await apply(hal={"persona": "You are Hal.", "streams": {}})
    newer = {"persona": "You are Hal, a tailor.", "streams": {}}
    await asyncio.gather(*(apply(hal=newer) for _ in range(3)))
    assert (await agent(person, "hal"))["persona"] == newer["persona"]
    kept = json.loads(kubernetes.data("configmaps", APPLIED)["applied.json"])
    assert kept["hal"] == {"persona": newer["persona"]}


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("THOUGHT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1 does not answer: "),
        ("ADMIN_KEY", "unknown", r"ADMIN_KEY is refused \(401: .*keys\.json must list"),
        ("ADMIN_KEY", READ_KEY, r"ADMIN_KEY is refused \(403: "),
        ("APPLIED_CONFIGMAP", "gone", "there is no ConfigMap 'gone' in namespace"),
    ],
)
async def test_what_time_may_mend_is_waited_for(
    apply: Apply,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setattr(agents_module, "DEADLINE_S", 0.2)
    monkeypatch.setenv(variable, value)
    with pytest.raises(JobFailed, match=f"gave up after 0 s: {reason}"):
        await apply(ida={"streams": {}})


async def test_a_ledger_that_a_person_broke_is_named(
    apply: Apply, kubernetes: FakeKubernetes
) -> None:
    kubernetes.add("configmaps", APPLIED, {"applied.json": "{"})
    with pytest.raises(JobFailed, match="of the ConfigMap 'mind-agents-applied' is no"):
        await apply(ida={"streams": {}})
