"""The engine against third parties' mocks of the Messages API, with their faults."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.support.llm import AiMock, MockModel, aimock, mock_model

from thought_generator.errors import (
    EngineAnswerUnusable,
    EngineEndUnknown,
    EngineUnavailable,
)
from thought_generator.models.prompts import Prompt, Usage
from thought_generator.providers import anthropic as engine_module
from thought_generator.providers import server as server_module
from thought_generator.providers.anthropic import AnthropicEngine

PROMPT = Prompt("I am calm.", "primary", "Think.", "a context", (), ())
TIDE = "The tide turns, and the boats turn with it."
# Some of its words have been read when it stops.
CHUNKS = {"chunkSize": 5, "latency": 10}


@pytest_asyncio.fixture(scope="module")
async def first() -> AsyncIterator[MockModel]:
    async with mock_model() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def second() -> AsyncIterator[AiMock]:
    async with aimock() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "PAUSES_S", (0.001, 0.001))
    monkeypatch.setattr(server_module, "IDLE_S", 0.3)


@pytest_asyncio.fixture
async def by_first(first: MockModel) -> AsyncIterator[AnthropicEngine]:
    await first.reset()
    engine = AnthropicEngine("claude-haiku-4-5", "key", first.base_url)
    yield engine
    await engine.close()


@pytest_asyncio.fixture
async def by_second(second: AiMock) -> AsyncIterator[AnthropicEngine]:
    engine = AnthropicEngine("claude-haiku-4-5", "key", second.base_url)
    yield engine
    await engine.close()


async def failure(engine: AnthropicEngine) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as met:
        await engine.think(PROMPT, 300)
    return met.value


async def test_llmock_answers(by_first: AnthropicEngine, first: MockModel) -> None:
    await first.will(type="reply", text=TIDE)
    completion = await by_first.think(PROMPT, 300)
    assert (completion.content, completion.stop_reason) == (TIDE, "end_turn")
    usage = completion.usage
    assert usage.input_tokens > 0
    assert usage.output_tokens > 1
    assert usage.cache_read_input_tokens is None


@pytest.mark.parametrize("status", [408, 429, 500, 529])
async def test_llmock_is_out_for_a_moment(
    by_first: AnthropicEngine, first: MockModel, status: int
) -> None:
    await first.will(type="fail", status=status, times=1)
    await by_first.think(PROMPT, 300)
    assert len(await first.requests()) == 2
    verdict = await first.verdict()
    assert not [each for each in verdict["findings"] if each["severity"] == "error"]


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed", "stall"])
@pytest.mark.parametrize("after_chunks", [0, 1, 3, 5])
async def test_llmock_breaks_a_stream(
    by_first: AnthropicEngine, first: MockModel, kind: str, after_chunks: int
) -> None:
    await first.will(type="reply", text=TIDE)
    await first.will(
        type="stream_fault", kind=kind, after_chunks=after_chunks, stall_seconds=1
    )
    assert isinstance(await failure(by_first), EngineEndUnknown)
    assert len(await first.requests()) == 1


@pytest.mark.parametrize(
    "reply",
    [
        {"text": " "},
        {"text": "I cannot.", "finish_reason": "content_filter"},
        {"tool_calls": [{"name": "rm", "arguments": {"path": "/"}}]},
    ],
)
async def test_llmock_says_no_thought(
    by_first: AnthropicEngine, first: MockModel, reply: dict[str, Any]
) -> None:
    await first.will(type="reply", **reply)
    error = await failure(by_first)
    assert isinstance(error, EngineAnswerUnusable)
    assert error.usage is not None
    assert error.usage.input_tokens > 0


async def test_aimock_answers(by_second: AnthropicEngine, second: AiMock) -> None:
    usage = {"input_tokens": 400, "output_tokens": 28}
    await second.will({"content": TIDE, "usage": usage}, chunkSize=5)
    completion = await by_second.think(PROMPT, 300)
    assert completion.content == TIDE
    assert completion.usage == Usage(400, 28, None, None)


async def test_aimock_answers_in_the_format(
    by_second: AnthropicEngine, second: AiMock
) -> None:
    await second.will({"content": json.dumps({"thought": TIDE})})
    assert (await by_second.think(PROMPT, 300)).content == TIDE


@pytest.mark.parametrize("status", [408, 429, 500, 529])
async def test_aimock_is_out_for_a_moment(
    by_second: AnthropicEngine, second: AiMock, status: int
) -> None:
    await second.will({"content": TIDE})
    await second.fails_once(status, "wait")
    assert (await by_second.think(PROMPT, 300)).content == TIDE
    assert await second.calls() == 2


@pytest.mark.parametrize(("status", "tried"), [(401, 1), (413, 1), (500, 3), (529, 3)])
async def test_aimock_is_out(
    by_second: AnthropicEngine, second: AiMock, status: int, tried: int
) -> None:
    await second.will({"error": {"message": "no"}, "status": status})
    error = await failure(by_second)
    assert (await second.calls(), error.usage) == (tried, None)


async def test_aimock_asks_for_a_long_pause(
    by_second: AnthropicEngine, second: AiMock
) -> None:
    limited = {"error": {"message": "no"}, "status": 429, "retryAfter": 50 * 86_400}
    await second.will(limited)
    assert (await failure(by_second)).retry_after_s == 300
    assert (await failure(by_second)).retry_after_s == pytest.approx(300, abs=10)
    assert await second.calls() == 1


@pytest.mark.parametrize("chunks", [1, 2, 5, 9])
async def test_aimock_cuts_a_stream(
    by_second: AnthropicEngine, second: AiMock, chunks: int
) -> None:
    await second.will({"content": TIDE}, truncateAfterChunks=chunks, **CHUNKS)
    assert isinstance(await failure(by_second), EngineEndUnknown)
    assert await second.calls() == 1


async def test_aimock_falls_silent(by_second: AnthropicEngine, second: AiMock) -> None:
    await second.will({"content": TIDE}, chunkSize=5, latency=1_000)
    assert isinstance(await failure(by_second), EngineEndUnknown)


@pytest.mark.parametrize("fault", ["malformedRate", "disconnectRate"])
async def test_aimock_breaks(
    by_second: AnthropicEngine, second: AiMock, fault: str
) -> None:
    await second.will({"content": TIDE}, chaos={fault: 1})
    error = await failure(by_second)
    assert isinstance(error, EngineAnswerUnusable | EngineEndUnknown)
    assert await second.calls() == 1


async def test_aimock_calls_a_tool(by_second: AnthropicEngine, second: AiMock) -> None:
    calls = [{"name": "rm", "arguments": '{"path": "/"}'}]
    usage = {"input_tokens": 400, "output_tokens": 28}
    await second.will({"toolCalls": calls, "usage": usage})
    error = await failure(by_second)
    assert isinstance(error, EngineAnswerUnusable)
    assert error.usage == Usage(400, 28, None, None)
