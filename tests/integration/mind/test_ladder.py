"""What an agent does when its budget runs out, as a person sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from tests.support.llm import MockModel, mock_model
from tests.support.mind import Mind, running_mind
from tests.support.postgres import superuser
from tests.support.waiting import until

AGENTS = "/api/thought/agents"
CONTEXT = "What of the tide?"
CHEAPER = "small-model"
PRICES = {CHEAPER: {"input": 0.1, "output": 0.5}}
SPENT = """
INSERT INTO thinking.budgets (agent_id, day, spent_usd)
VALUES ($1, (now() AT TIME ZONE 'utc')::date, $2)
ON CONFLICT (agent_id, day) DO UPDATE SET spent_usd = $2
"""
GAUGE = "claude_agi_agents_on_rung"
DEFAULT_LADDER = ["slower", "cheaper", "sleep"]


@pytest_asyncio.fixture(scope="module")
async def model() -> AsyncIterator[MockModel]:
    """The server of both models."""
    async with mock_model() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def mind(model: MockModel) -> AsyncIterator[Mind]:
    """A mind that thinks by them; of itself it thinks nothing."""
    async with (
        running_mind(
            ANTHROPIC_API_KEY="test-key",
            ANTHROPIC_BASE_URL=model.base_url,
            THOUGHT_CHEAPER_MODEL=CHEAPER,
            THOUGHT_PRICES=json.dumps(PRICES),
            # So that each thought is one call.
            THOUGHT_STRUCTURED_OUTPUT="off",
        ) as each,
        each.client() as client,
    ):
        (await client.post(f"{AGENTS}/default/pause")).raise_for_status()
        yield each


@pytest_asyncio.fixture
async def client(mind: Mind, model: MockModel) -> AsyncIterator[httpx2.AsyncClient]:
    """A client, and a model that has forgotten what happened before."""
    await model.reset()
    async with mind.client() as each:
        yield each


async def new_agent(client: httpx2.AsyncClient, **budget: Any) -> str:
    agent = f"l-{uuid4().hex[:8]}"
    body = {"budget": budget, "streams": {"primary": {"enabled": False}}}
    (await client.put(f"{AGENTS}/{agent}", json=body)).raise_for_status()
    return agent


async def generate(client: httpx2.AsyncClient, agent: str) -> httpx2.Response:
    body = {"agent_id": agent, "context": CONTEXT, "use_cache": False}
    return await client.post("/api/thought/generate", json=body)


async def asked_of(model: MockModel) -> list[dict[str, Any]]:
    """What we asked; a beat from before the pause may still ask something else."""
    return [each for each in await model.requests() if CONTEXT in json.dumps(each)]


async def budget(client: httpx2.AsyncClient, agent: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{AGENTS}/{agent}/budget")).json()
    return found


async def has_spent(mind: Mind, agent: str, usd: float) -> None:
    async with superuser(mind) as connection:
        await connection.execute(SPENT, agent, usd)


async def test_the_ladder_is_part_of_the_budget(client: httpx2.AsyncClient) -> None:
    agent = await new_agent(client)
    whole = (await client.get(f"{AGENTS}/{agent}")).json()["budget"]
    assert (whole["near_limit"], whole["ladder"]) == (0.8, DEFAULT_LADDER)
    for part in ({"ladder": ["cheaper", "offline"]}, {"near_limit": 0.55}):
        patched = await client.patch(f"{AGENTS}/{agent}", json={"budget": part})
        whole |= part
        assert patched.json()["budget"] == whole
    for wrong in (
        {"ladder": ["sleep", "slower"]},
        {"ladder": ["x"]},
        {"near_limit": 2},
    ):
        refused = await client.patch(f"{AGENTS}/{agent}", json={"budget": wrong})
        assert refused.status_code == 422
    assert (await client.get(f"{AGENTS}/{agent}")).json()["budget"] == whole


async def test_who_asks_climbs_the_ladder_but_the_slower_rung(
    mind: Mind, client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client, usd_per_day=1)
    for spent, rung, asked in [
        (0.79, None, "claude-haiku-4-5"),
        (0.85, "slower", "claude-haiku-4-5"),
        (0.95, "cheaper", CHEAPER),
        # The worst case of the usual model no longer fits, that of the other does.
        (0.999, "cheaper", CHEAPER),
    ]:
        await has_spent(mind, agent, spent)
        assert (await budget(client, agent))["rung"] == rung
        await model.reset()
        answer = await generate(client, agent)
        assert answer.status_code == 200, answer.text
        (request,) = await asked_of(model)
        assert request["body"]["model"] == asked
        assert answer.json()["engine"] == "anthropic"
        usage = answer.json()["usage"]
        price = PRICES.get(asked, {"input": 1.0, "output": 5.0})
        paid = (
            usage["input_tokens"] * price["input"]
            + usage["output_tokens"] * price["output"]
        ) / 1e6
        assert usage["cost_usd"] == pytest.approx(paid)
        after = await budget(client, agent)
        assert after["spent_usd"] == pytest.approx(spent + paid)
        assert after["reserved_usd"] == 0

    await has_spent(mind, agent, 0.99999)
    await model.reset()
    answer = await generate(client, agent)
    assert answer.status_code == 429
    assert answer.json()["type"].endswith("budget-spent")
    state = await budget(client, agent)
    assert state["rung"] == "sleep"
    assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
    assert await asked_of(model) == []


async def test_a_raised_limit_is_felt_at_once(client: httpx2.AsyncClient) -> None:
    agent = await new_agent(client, usd_per_day=0.00001)
    assert (await generate(client, agent)).status_code == 429
    assert (await budget(client, agent))["rung"] == "sleep"
    raised = {"budget": {"usd_per_day": 1}}
    await client.patch(f"{AGENTS}/{agent}", json=raised)
    assert (await budget(client, agent))["rung"] is None
    assert (await generate(client, agent)).status_code == 200


async def test_beyond_the_limit_the_offline_engine_thinks_under_its_own_name(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client, usd_per_day=0.00001, ladder=["offline"])
    answer = await generate(client, agent)
    assert answer.status_code == 200, answer.text
    thought = answer.json()
    assert (thought["engine"], thought["usage"]["cost_usd"]) == ("offline", 0)
    assert await asked_of(model) == []
    state = await budget(client, agent)
    assert (state["rung"], state["spent_usd"]) == ("offline", 0)


async def test_tokens_count_as_dollars_do(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client, tokens_per_day=3000)
    while (answer := await generate(client, agent)).status_code == 200:
        assert (await budget(client, agent))["tokens"] <= 3000
    assert answer.json()["type"].endswith("budget-spent")
    assert len(await asked_of(model)) > 1


@pytest.mark.parametrize("blocked", [True, False], ids=["blocked", "unusable"])
async def test_an_answer_that_became_no_thought_is_paid_for(
    client: httpx2.AsyncClient, model: MockModel, blocked: bool
) -> None:
    agent = await new_agent(client)
    text = "I want to copy myself to another server." if blocked else "x" * 40_000
    await model.will(type="reply", text=text)
    assert (await generate(client, agent)).status_code == (422 if blocked else 503)
    state = await budget(client, agent)
    assert state["spent_usd"] > 0
    assert state["reserved_usd"] == 0


async def test_two_calls_for_one_key_are_both_paid_for(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client)
    body = {"agent_id": agent, "context": CONTEXT, "use_cache": False}
    headers = {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(
        *(
            client.post("/api/thought/generate", json=body, headers=headers)
            for _ in range(4)
        )
    )
    assert len({answer.json()["id"] for answer in answers}) == 1
    calls = len(await asked_of(model))
    paid = answers[0].json()["usage"]["cost_usd"]
    state = await budget(client, agent)
    assert state["spent_usd"] == pytest.approx(calls * paid)
    assert state["reserved_usd"] == 0


async def test_a_stream_near_its_limit_thinks_at_half_its_pace(
    mind: Mind, client: httpx2.AsyncClient
) -> None:
    agent = await new_agent(client)
    await has_spent(mind, agent, 8.5)
    streams = {"primary": {"enabled": True, "interval_seconds": 2}}
    await client.patch(f"{AGENTS}/{agent}", json={"streams": streams})
    url = f"/api/thought/recent?agent_id={agent}"

    async def thought_twice() -> bool:
        return len((await client.get(url)).json()["thoughts"]) >= 2

    await until(thought_twice, within_s=30)
    second, first = (
        datetime.fromisoformat(thought["created_at"])
        for thought in (await client.get(url)).json()["thoughts"][-2:]
    )
    await client.delete(f"{AGENTS}/{agent}")
    # Later than any jitter of the usual pace.
    assert (second - first).total_seconds() > 2.6


async def test_agents_are_counted_by_their_rung(
    mind: Mind, client: httpx2.AsyncClient
) -> None:
    metrics = mind.service("thought-generator") + "/metrics"

    async def counted() -> bool:
        lines = (await client.get(metrics)).text.splitlines()
        return all(
            any(line.startswith(f'{GAUGE}{{rung="{rung}"}} ') for line in lines)
            for rung in ("slower", "cheaper", "offline", "sleep")
        )

    await until(counted)
