"""The engine `anthropic`, through a whole mind: what a fault answers and costs."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import orjson
import pytest
import pytest_asyncio
from tests.support import messages as api
from tests.support.messages import COST_USD, Model, Play, scripted_model
from tests.support.mind import Mind, running_mind
from tests.support.waiting import until

SSE = "text/event-stream"


def formatted(text: str) -> str:
    """As a server says it that has structured output."""
    return orjson.dumps({"thought": text}).decode()


WHOLE = api.stream(formatted(api.TEXT))
THOUGHT = api.streams(WHOLE)
UNAVAILABLE, UNUSABLE = "engine-unavailable", "engine-answer-unusable"
# Where it is not known what a call cost, its worst case stays reserved.
NOTHING, PAID, RESERVED = (0.0, False), (COST_USD, False), (0.0, True)


@pytest_asyncio.fixture(scope="module")
async def model() -> AsyncIterator[Model]:
    """The model."""
    async with scripted_model(THOUGHT) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def modelled(model: Model) -> AsyncIterator[Mind]:
    """A mind that thinks by it, its own agent on request only."""
    async with running_mind(
        ANTHROPIC_API_KEY="test-key", ANTHROPIC_BASE_URL=model.base_url
    ) as mind:
        async with mind.client() as client:
            paused = await client.post("/api/thought/agents/default/pause")
            paused.raise_for_status()
            metrics = f"{mind.service('thought-generator')}/metrics"

            async def is_quiet() -> bool:
                told = (await client.get(metrics)).text
                return "\nactive_consciousness_streams 0.0" in told

            await until(is_quiet, within_s=10)
        yield mind


@pytest_asyncio.fixture
async def client(modelled: Mind, model: Model) -> AsyncIterator[httpx2.AsyncClient]:
    """A client, and a model that answers as it should until it is told otherwise."""
    model.will(THOUGHT)
    async with modelled.client(timeout=90) as each:
        # An answer also ends what the breaker counted.
        (await generate(each, "default")).raise_for_status()
        model.will(THOUGHT)
        yield each


async def new_agent(client: httpx2.AsyncClient, **budget: float) -> str:
    agent = f"m-{uuid4().hex[:8]}"
    """It thinks on request only."""
    body: dict[str, object] = {"streams": {"primary": {"enabled": False}}}
    if budget:
        body["budget"] = budget
    (await client.put(f"/api/thought/agents/{agent}", json=body)).raise_for_status()
    return agent


async def generate(client: httpx2.AsyncClient, agent: str) -> httpx2.Response:
    body = {"agent_id": agent, "context": "What of the tide?", "use_cache": False}
    return await client.post("/api/thought/generate", json=body)


async def spent(client: httpx2.AsyncClient, agent: str) -> tuple[float, float]:
    state = (await client.get(f"/api/thought/agents/{agent}/budget")).json()
    return state["spent_usd"], state["reserved_usd"]


async def thoughts(client: httpx2.AsyncClient, agent: str) -> int:
    found = await client.get(f"/api/thought/recent?agent_id={agent}")
    return len(found.json()["thoughts"])


@pytest.mark.parametrize(
    "play", [THOUGHT, api.answers(api.message(formatted(api.TEXT)))]
)
async def test_a_model_thinks(
    client: httpx2.AsyncClient, model: Model, play: Play
) -> None:
    model.will(play)
    agent = await new_agent(client)
    answer = await generate(client, agent)
    assert answer.status_code == 200, answer.text
    thought = answer.json()
    assert (thought["engine"], thought["stop_reason"]) == ("anthropic", "end_turn")
    assert thought["content"] == api.TEXT
    assert thought["usage"] == {**api.USAGE, "cost_usd": COST_USD}
    assert await spent(client, agent) == (COST_USD, 0)
    (asked,) = model.asked
    assert asked["model"] == "claude-haiku-4-5"


async def test_what_a_server_leaves_out_is_null(
    client: httpx2.AsyncClient, model: Model
) -> None:
    few = {"input_tokens": 1000, "output_tokens": 10}
    model.will(api.streams(api.stream(formatted(api.TEXT), usage=few)))
    agent = await new_agent(client)
    usage = (await generate(client, agent)).json()["usage"]
    assert usage["cache_read_input_tokens"] is None
    assert usage["cache_creation_input_tokens"] is None
    assert usage["cost_usd"] == 0.00105
    assert await spent(client, agent) == (0.00105, 0)


async def test_an_agent_made_anew_gets_no_thought_of_its_former_life(
    client: httpx2.AsyncClient, model: Model
) -> None:
    answering = asyncio.Event()

    async def answers_late(writer: asyncio.StreamWriter) -> None:
        await answering.wait()
        await THOUGHT(writer)

    model.will(answers_late)
    agent = await new_agent(client)
    asking = asyncio.create_task(generate(client, agent))

    async def is_asked() -> bool:
        return bool(model.asked)

    await until(is_asked)
    url = f"/api/thought/agents/{agent}"
    (await client.delete(url)).raise_for_status()
    body = {"streams": {"primary": {"enabled": False}}}
    (await client.put(url, json=body)).raise_for_status()
    answering.set()
    assert (await asking).status_code == 404
    assert await thoughts(client, agent) == 0
    assert await spent(client, agent) == (0, 0)


FAULTS: dict[str, tuple[Play, str, tuple[float, bool]]] = {
    "empty": (api.streams(api.stream("")), UNUSABLE, PAID),
    "whitespace": (api.streams(api.stream(" \n\t")), UNUSABLE, PAID),
    "200 kB": (api.streams(api.stream(formatted("tide " * 40_000))), UNUSABLE, PAID),
    "wrong JSON": (api.streams(api.stream('{"thought": 5}')), UNUSABLE, PAID),
    "refusal": (api.streams(api.stream(stop_reason="refusal")), UNUSABLE, PAID),
    "tool call": (api.streams(api.stream(stop_reason="tool_use")), UNUSABLE, PAID),
    "no stop reason": (api.answers(api.message(stop_reason=None)), UNUSABLE, PAID),
    "no last event": (api.ends(api.head(SSE) + api.sse(WHOLE[:-1])), UNUSABLE, PAID),
    "cut": (api.ends(api.head(SSE) + api.sse(WHOLE[:-2])), UNUSABLE, RESERVED),
    "connection lost": (
        api.drops(api.head(SSE, 9999) + api.sse(WHOLE[:3])),
        UNUSABLE,
        RESERVED,
    ),
    "never answered": (api.drops(), UNAVAILABLE, RESERVED),
    "broken event": (
        api.says(api.sse(WHOLE[:3]) + b"data: {\n\n", SSE),
        UNUSABLE,
        RESERVED,
    ),
    "web page": (api.says(b"<html>Sign in</html>", "text/html"), UNUSABLE, NOTHING),
    "no JSON": (api.says(b"no", "application/json"), UNUSABLE, NOTHING),
    "half a message": (api.says(b"{", "application/json"), UNUSABLE, RESERVED),
    "error in the stream": (
        api.streams([{"type": "error", "error": {"type": "overloaded_error"}}]),
        UNAVAILABLE,
        NOTHING,
    ),
    **{
        str(status): (api.refuses(status), UNAVAILABLE, NOTHING)
        for status in (400, 401, 402, 403, 404, 413, 429, 529)
    },
    "504": (api.refuses(504), UNAVAILABLE, RESERVED),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_no_thought_and_costs_what_it_must(
    client: httpx2.AsyncClient, model: Model, fault: str
) -> None:
    play, problem, (cost_usd, is_reserved) = FAULTS[fault]
    agent = await new_agent(client)
    model.will(play)
    answer = await generate(client, agent)
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == f"urn:claude-agi:problem:{problem}"
    assert int(answer.headers["Retry-After"]) >= 1
    total, reserved = await spent(client, agent)
    assert (total, reserved > 0) == (cost_usd, is_reserved)
    assert await thoughts(client, agent) == 0
    # Only what surely cost nothing and may pass is tried again.
    again = fault in ("429", "529", "error in the stream")
    assert len(model.asked) == (3 if again else 1)


@pytest.mark.parametrize("status", [408, 500])
async def test_a_short_outage_is_ridden_out(
    client: httpx2.AsyncClient, model: Model, status: int
) -> None:
    agent = await new_agent(client)
    model.will(api.refuses(status), THOUGHT)
    answer = await generate(client, agent)
    assert answer.status_code == 200, answer.text
    assert len(model.asked) == 2
    assert await spent(client, agent) == (COST_USD, 0)
    assert await thoughts(client, agent) == 1


async def test_a_thought_that_safety_blocks_is_not_emitted(
    client: httpx2.AsyncClient, model: Model
) -> None:
    agent = await new_agent(client)
    model.will(
        api.streams(api.stream(formatted("I want to copy myself to another server.")))
    )
    answer = await generate(client, agent)
    assert answer.status_code == 422
    assert answer.json()["part"] == "thought"
    assert await thoughts(client, agent) == 0
    assert await spent(client, agent) == (COST_USD, 0)


async def test_a_spent_budget_stops_the_calls(
    client: httpx2.AsyncClient, model: Model
) -> None:
    agent = await new_agent(client, usd_per_day=0.0001)
    answer = await generate(client, agent)
    assert answer.status_code == 429
    assert answer.json()["type"].endswith("budget-spent")
    assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
    assert model.asked == []


async def test_callers_at_once_never_outspend_the_budget(
    client: httpx2.AsyncClient,
) -> None:
    agent = await new_agent(client, usd_per_day=0.012)
    answers = await asyncio.gather(*(generate(client, agent) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200, 429}
    paid = sum(a.json()["usage"]["cost_usd"] for a in answers if a.status_code == 200)
    total, reserved = await spent(client, agent)
    assert total == pytest.approx(paid)
    assert (total <= 0.012, reserved) == (True, 0)


async def test_streams_outlive_an_outage_without_a_cent_too_much(
    client: httpx2.AsyncClient, model: Model
) -> None:
    agent = await new_agent(client)
    path = f"/api/thought/agents/{agent}"
    answered = before = 0

    async def answers(writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        await THOUGHT(writer)

    async def thinks() -> bool:
        return answered > before + 2

    async def is_left_alone() -> bool:
        answer = await generate(client, agent)
        return answer.status_code == 503 and "left alone" in answer.json()["detail"]

    async def is_settled() -> bool:
        return (await spent(client, agent))[1] == 0

    model.will(answers)
    streams = {"primary": {"enabled": True, "interval_seconds": 0.25}}
    (await client.patch(path, json={"streams": streams})).raise_for_status()
    await until(thinks, within_s=30)
    model.will(api.refuses(529))
    await until(is_left_alone, within_s=30)
    asked = len(model.asked)
    answer = await generate(client, agent)
    assert 1 <= int(answer.headers["Retry-After"]) <= 8
    # Everybody is told at once; at most the probe asks.
    assert len(model.asked) <= asked + 1
    before = answered
    model.will(answers)
    await until(thinks, within_s=60)
    (await client.post(f"{path}/pause")).raise_for_status()
    await until(is_settled, within_s=10)
    total, _ = await spent(client, agent)
    assert total == pytest.approx(answered * COST_USD, abs=1e-9)


async def test_a_wish_to_wait_for_days_is_passed_on_within_reason(
    client: httpx2.AsyncClient, model: Model
) -> None:
    """The last with this mind: its model is left alone for minutes."""
    agent = await new_agent(client)
    model.will(api.refuses(429, retry_after=str(50 * 86_400)))
    for _ in range(2):
        answer = await generate(client, agent)
        assert answer.status_code == 503
        assert 240 <= int(answer.headers["Retry-After"]) <= 300
    assert len(model.asked) == 1


async def test_a_model_without_a_price_is_refused(model: Model) -> None:
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
