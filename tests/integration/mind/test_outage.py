"""A model that is out: streams that doze, and streams that go on offline."""

import asyncio
from collections.abc import AsyncIterator
from itertools import groupby, pairwise
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from tests.support import messages as api
from tests.support.listening import Heard, listening
from tests.support.messages import Model, Play, scripted_model
from tests.support.mind import Mind, running_mind
from tests.support.waiting import until

AGENTS = "/api/thought/agents"
THOUGHT = api.streams(api.stream())
OUT: dict[str, Play] = {
    "overloaded": api.refuses(529),
    "cut off": api.drops(),
}
METRIC = 'claude_agi_thoughts_stood_in_total{problem="engine-unavailable"}'
# Longer than the breaker leaves a server alone at first.
WITHIN_S = 25.0


@pytest_asyncio.fixture(scope="module")
async def model() -> AsyncIterator[Model]:
    """The model."""
    async with scripted_model(THOUGHT) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def mind(model: Model) -> AsyncIterator[Mind]:
    """A mind that thinks by it; its own agent thinks nothing."""
    async with (
        running_mind(
            ANTHROPIC_API_KEY="test-key",
            ANTHROPIC_BASE_URL=model.base_url,
            THOUGHT_STRUCTURED_OUTPUT="off",
        ) as each,
        each.client() as client,
    ):
        (await client.post(f"{AGENTS}/default/pause")).raise_for_status()
        yield each


@pytest_asyncio.fixture
async def client(mind: Mind, model: Model) -> AsyncIterator[httpx2.AsyncClient]:
    """A client, and a model that answers."""
    model.will(THOUGHT)
    async with mind.client() as each:

        async def is_asked() -> bool:
            return (await generate(each, "default")).status_code == 200

        await until(is_asked, within_s=WITHIN_S)
        yield each


async def new_agent(client: httpx2.AsyncClient, outage: str) -> str:
    agent = f"o-{uuid4().hex[:8]}"
    body = {"outage": outage, "streams": {"primary": {"interval_seconds": 0.2}}}
    (await client.put(f"{AGENTS}/{agent}", json=body)).raise_for_status()
    return agent


async def generate(client: httpx2.AsyncClient, agent: str) -> httpx2.Response:
    body = {"agent_id": agent, "context": "What of the tide?", "use_cache": False}
    return await client.post("/api/thought/generate", json=body)


async def shown(client: httpx2.AsyncClient, agent: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{AGENTS}/{agent}")).json()
    return found


async def thoughts(client: httpx2.AsyncClient, agent: str) -> list[dict[str, Any]]:
    """All of them, the oldest first."""
    url = f"/api/thought/recent?agent_id={agent}&limit=1000"
    found: list[dict[str, Any]] = (await client.get(url)).json()["thoughts"]
    return found[::-1]


async def until_thought_by(
    client: httpx2.AsyncClient, agent: str, engine: str, more: int = 5
) -> None:
    """Until the last so many thoughts are that engine's."""

    async def is_by() -> bool:
        last = (await thoughts(client, agent))[-more:]
        return [each["engine"] for each in last] == [engine] * more

    await until(is_by, within_s=WITHIN_S)


async def test_the_setting_is_the_agents(client: httpx2.AsyncClient) -> None:
    agent = f"o-{uuid4().hex[:8]}"
    streams: dict[str, Any] = {"primary": {"enabled": False}}
    made = await client.put(f"{AGENTS}/{agent}", json={"streams": streams})
    assert (made.json()["outage"], made.json()["offline"]) == ("doze", {})
    changed = await client.patch(f"{AGENTS}/{agent}", json={"outage": "offline"})
    assert changed.json()["outage"] == "offline"
    # What is not named stays, and a whole agent has the default again.
    other = await client.patch(f"{AGENTS}/{agent}", json={"persona": "I am calm."})
    assert other.json()["outage"] == "offline"
    wrong = await client.patch(f"{AGENTS}/{agent}", json={"outage": "sleep"})
    assert wrong.status_code == 422
    whole = await client.put(f"{AGENTS}/{agent}", json={"streams": streams})
    assert whole.json()["outage"] == "doze"


@pytest.mark.parametrize("out", OUT)
async def test_streams_go_on_offline_until_the_model_is_back(
    client: httpx2.AsyncClient, mind: Mind, model: Model, out: str
) -> None:
    agent, dozer = await new_agent(client, "offline"), await new_agent(client, "doze")
    heard: list[Heard] = []

    async def listen() -> None:
        async with listening(mind.address, agent) as events:
            while True:
                heard.append(await anext(events))

    ear = asyncio.create_task(listen())
    for each in (agent, dozer):
        await until_thought_by(client, each, "anthropic", 2)
    model.will(OUT[out])
    await until_thought_by(client, agent, "offline")

    async def dozes() -> bool:
        return "primary" in (await shown(client, dozer))["dozing"]

    await until(dozes, within_s=WITHIN_S)
    state = await shown(client, agent)
    assert state["dozing"] == {}
    assert state["offline"]["primary"]["problem"] == "engine-unavailable"
    assert (await shown(client, dozer))["offline"] == {}
    # Who asks asked for the model.
    refused = await generate(client, agent)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    # Left alone, the server is asked by a probe at most.
    calls = len(model.asked)
    since = len(await thoughts(client, agent))

    async def has_gone_on() -> bool:
        return len(await thoughts(client, agent)) >= since + 10

    await until(has_gone_on, within_s=WITHIN_S)
    assert len(model.asked) - calls <= 1

    model.will(THOUGHT)
    for each in (agent, dozer):
        await until_thought_by(client, each, "anthropic", 2)
    for each in (agent, dozer):
        (await client.post(f"{AGENTS}/{each}/pause")).raise_for_status()
    ear.cancel()
    await asyncio.gather(ear, return_exceptions=True)

    state = await shown(client, agent)
    assert (state["dozing"], state["offline"]) == ({}, {})
    chain = await thoughts(client, agent)
    assert [each["seq"] for each in chain] == list(range(1, len(chain) + 1))
    for before, after in pairwise(chain):
        assert after["previous_id"] == before["id"]
    engines = [name for name, _ in groupby(each["engine"] for each in chain)]
    assert engines == ["anthropic", "offline", "anthropic"]
    assert {event.name for event in heard} == {"thought"}
    assert {each["engine"] for each in await thoughts(client, dozer)} == {"anthropic"}
    await assert_explained(client, chain)
    budget = (await client.get(f"{AGENTS}/{agent}/budget")).json()
    paid = sum(each["usage"]["cost_usd"] for each in chain)
    # The pause may have come between an answer and its commit.
    assert budget["spent_usd"] - paid in (
        pytest.approx(0),
        pytest.approx(api.COST_USD),
    )
    told = await client.get(mind.service("thought-generator") + "/metrics")
    assert f"\n{METRIC} " in told.text


async def assert_explained(
    client: httpx2.AsyncClient, chain: list[dict[str, Any]]
) -> None:
    """Free and with its reason is what was thought offline; the rest has none."""
    offline = next(each for each in chain if each["engine"] == "offline")
    assert offline["usage"]["cost_usd"] == 0
    for thought in (chain[0], offline):
        answer = await client.get(f"/api/thought/{thought['id']}")
        outage = answer.json()["explanation"]["outage"]
        if thought is offline:
            assert outage["problem"] == "engine-unavailable"
            assert outage["detail"]
        else:
            assert outage is None


async def test_a_refusal_is_not_hidden_behind_the_offline_engine(
    client: httpx2.AsyncClient, model: Model
) -> None:
    agent = await new_agent(client, "offline")
    await until_thought_by(client, agent, "anthropic", 1)
    model.will(api.refuses(401))

    async def dozes() -> bool:
        return "primary" in (await shown(client, agent))["dozing"]

    await until(dozes, within_s=WITHIN_S)
    state = await shown(client, agent)
    assert state["offline"] == {}
    assert state["dozing"]["primary"]["problem"] == "engine-unavailable"
    made = {each["engine"] for each in await thoughts(client, agent)}
    assert made == {"anthropic"}
    (await client.delete(f"{AGENTS}/{agent}")).raise_for_status()
