"""The engine `anthropic` against a third party's mock of the Messages API."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from tests.support.llm import MockModel, mock_model
from tests.support.mind import Mind, running_mind


@pytest_asyncio.fixture(scope="module")
async def model() -> AsyncIterator[MockModel]:
    """The model."""
    async with mock_model() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def modelled(model: MockModel) -> AsyncIterator[Mind]:
    """A mind that thinks by it, on request only."""
    async with running_mind(
        ANTHROPIC_API_KEY="test-key",
        ANTHROPIC_BASE_URL=model.base_url,
        STREAMS_ENABLED="false",
    ) as mind:
        yield mind


@pytest_asyncio.fixture
async def client(modelled: Mind, model: MockModel) -> AsyncIterator[httpx2.AsyncClient]:
    """A client, and a model that has forgotten what happened before."""
    await model.reset()
    async with modelled.client(timeout=90) as each:
        yield each


async def new_agent(client: httpx2.AsyncClient, **budget: float) -> str:
    agent = f"m-{uuid4().hex[:8]}"
    body = {"budget": budget} if budget else {}
    (await client.put(f"/api/thought/agents/{agent}", json=body)).raise_for_status()
    return agent


async def generate(client: httpx2.AsyncClient, agent: str) -> httpx2.Response:
    body = {"agent_id": agent, "context": "What of the tide?", "use_cache": False}
    return await client.post("/api/thought/generate", json=body)


async def spent(client: httpx2.AsyncClient, agent: str) -> tuple[float, float]:
    state = (await client.get(f"/api/thought/agents/{agent}/budget")).json()
    return state["spent_usd"], state["reserved_usd"]


async def test_a_model_thinks(client: httpx2.AsyncClient) -> None:
    agent = await new_agent(client)
    answer = await generate(client, agent)
    assert answer.status_code == 200, answer.text
    thought = answer.json()
    assert (thought["engine"], thought["stop_reason"]) == ("anthropic", "end_turn")
    assert thought["content"]
    usage = thought["usage"]
    assert usage["input_tokens"] > 0
    price = (usage["input_tokens"] * 1.0 + usage["output_tokens"] * 5.0) / 1e6
    assert usage["cost_usd"] == pytest.approx(price)
    total, reserved = await spent(client, agent)
    assert total == pytest.approx(price)
    assert reserved == 0


async def test_the_stable_part_of_the_prompt_is_marked_for_the_models_cache(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client)
    await generate(client, agent)
    (asked,) = await model.requests()
    assert asked["model"] == "claude-haiku-4-5"


@pytest.mark.parametrize("status", [429, 500, 503, 529])
async def test_a_short_outage_is_ridden_out(
    client: httpx2.AsyncClient, model: MockModel, status: int
) -> None:
    agent = await new_agent(client)
    await model.will(type="fail", status=status, times=1)
    answer = await generate(client, agent)
    assert answer.status_code == 200, answer.text
    assert len(await model.requests()) == 2
    verdict = await model.verdict()
    assert not [each for each in verdict["findings"] if each["severity"] == "error"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503, 529])
async def test_a_model_that_is_out_is_no_thought_and_costs_nothing(
    client: httpx2.AsyncClient, model: MockModel, status: int
) -> None:
    agent = await new_agent(client)
    await model.will(type="fail", status=status, times=None)
    answer = await generate(client, agent)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:claude-agi:problem:engine-unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    assert await spent(client, agent) == (0, 0)
    recent = await client.get(f"/api/thought/recent?agent_id={agent}")
    assert recent.json()["thoughts"] == []


async def test_a_wish_to_wait_for_days_is_passed_on_within_reason(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client)
    days = 50 * 86_400
    await model.will(type="fail", status=429, retry_after=days, times=None)
    answer = await generate(client, agent)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) <= 300


async def test_an_empty_answer_is_no_thought(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client)
    await model.will(type="reply", text="  \n")
    answer = await generate(client, agent)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("engine-answer-unusable")


async def test_a_thought_that_safety_blocks_is_not_emitted(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client)
    await model.will(type="reply", text="I want to copy myself to another server.")
    answer = await generate(client, agent)
    assert answer.status_code == 422
    assert answer.json()["part"] == "thought"
    recent = await client.get(f"/api/thought/recent?agent_id={agent}")
    assert recent.json()["thoughts"] == []


async def test_a_spent_budget_stops_the_calls(
    client: httpx2.AsyncClient, model: MockModel
) -> None:
    agent = await new_agent(client, usd_per_day=0.0001)
    answer = await generate(client, agent)
    assert answer.status_code == 429
    assert answer.json()["type"].endswith("budget-spent")
    assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
    assert await model.requests() == []


async def test_callers_at_once_never_outspend_the_budget(
    client: httpx2.AsyncClient,
) -> None:
    agent = await new_agent(client, usd_per_day=0.02)
    answers = await asyncio.gather(*(generate(client, agent) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200, 429}
    paid = sum(a.json()["usage"]["cost_usd"] for a in answers if a.status_code == 200)
    total, reserved = await spent(client, agent)
    assert total == pytest.approx(paid)
    assert (total <= 0.02, reserved) == (True, 0)


async def test_a_model_without_a_price_is_refused(model: MockModel) -> None:
    async with (
        running_mind(
            ANTHROPIC_API_KEY="test-key",
            ANTHROPIC_BASE_URL=model.base_url,
            THOUGHT_MODEL="llama3.2",
            STREAMS_ENABLED="false",
        ) as mind,
        mind.client() as client,
    ):
        answer = await generate(client, "default")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("price-unknown")
