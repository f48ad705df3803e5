"""Asking for JSON of one field, where a server has that."""

from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from tests.support import messages as api
from tests.support.messages import Model, scripted_model

from thought_generator.context import make_engines
from thought_generator.errors import EngineAnswerUnusable, EngineUnavailable
from thought_generator.models.prompts import Prompt, Usage
from thought_generator.providers.anthropic import AnthropicEngine
from thought_generator.settings import Settings

PROMPT = Prompt("I am calm.", "primary", "Think.", "a context", (), ())
FORMATTED = api.streams(api.stream(orjson.dumps({"thought": api.TEXT}).decode()))
PLAIN = api.streams(api.stream())


@pytest_asyncio.fixture
async def model() -> AsyncIterator[Model]:
    async with scripted_model() as running:
        yield running


@pytest_asyncio.fixture
async def engine(model: Model) -> AsyncIterator[AnthropicEngine]:
    made = AnthropicEngine("claude-haiku-4-5", "key", model.base_url)
    yield made
    await made.close()


def asked_for_format(model: Model) -> list[bool]:
    return ["output_config" in asked for asked in model.asked]


async def test_a_server_that_has_it_is_asked_for_it(
    engine: AnthropicEngine, model: Model
) -> None:
    model.will(FORMATTED)
    for _ in range(2):
        assert (await engine.think(PROMPT, 300)).content == api.TEXT
    assert asked_for_format(model) == [True, True]
    form = model.asked[0]["output_config"]["format"]
    assert form["type"] == "json_schema"
    assert form["schema"]["required"] == ["thought"]
    assert form["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "output_config: Extra inputs are not permitted"),
        (400, "'claude-3' does not support output_format"),
        (422, "structured output is not supported"),
    ],
)
async def test_one_that_refuses_it_is_asked_for_plain_text_for_good(
    engine: AnthropicEngine, model: Model, status: int, said: str
) -> None:
    model.will(api.refuses(status, said), PLAIN)
    for _ in range(2):
        completion = await engine.think(PROMPT, 300)
        assert completion.content == api.TEXT
        assert completion.usage == Usage(400, 28, 300, 0)
    assert asked_for_format(model) == [True, False, False]


async def test_one_that_passes_over_it_too(
    engine: AnthropicEngine, model: Model
) -> None:
    for _ in range(2):
        assert (await engine.think(PROMPT, 300)).content == api.TEXT
    assert asked_for_format(model) == [True, False]


async def test_another_refusal_changes_nothing(
    engine: AnthropicEngine, model: Model
) -> None:
    model.will(api.refuses(400, "messages: too many"), FORMATTED)
    with pytest.raises(EngineUnavailable):
        await engine.think(PROMPT, 300)
    assert (await engine.think(PROMPT, 300)).content == api.TEXT
    assert asked_for_format(model) == [True, True]


@pytest.mark.parametrize(
    "text", ['{"thought": "cut off', '{"thought": 5}', '{"other": "x"}', "{}"]
)
async def test_wrong_json_is_no_thought_has_its_price_and_changes_nothing(
    engine: AnthropicEngine, model: Model, text: str
) -> None:
    model.will(api.streams(api.stream(text)), FORMATTED)
    with pytest.raises(EngineAnswerUnusable) as met:
        await engine.think(PROMPT, 300)
    assert met.value.usage == Usage(400, 28, 300, 0)
    await engine.think(PROMPT, 300)
    assert asked_for_format(model) == [True, True]


async def test_a_thought_at_the_limit_of_tokens_keeps_what_was_said(
    engine: AnthropicEngine, model: Model
) -> None:
    cut = api.stream('{"thought": "Bees are', stop_reason="max_tokens")
    model.will(api.streams(cut))
    completion = await engine.think(PROMPT, 300)
    assert (completion.content, completion.stop_reason) == ("Bees are", "max_tokens")


@pytest.mark.parametrize(("setting", "is_asked"), [("auto", True), ("off", False)])
async def test_the_setting_says_whether_it_is_asked_for(
    model: Model, setting: str, is_asked: bool
) -> None:
    settings = Settings.model_validate(
        {
            "database_url": "postgresql://nobody@nowhere/none",
            "anthropic_api_key": "key",
            "anthropic_base_url": model.base_url,
            "thought_structured_output": setting,
        }
    )
    engine = make_engines(settings).usual
    await engine.think(PROMPT, 300)
    await engine.close()
    assert asked_for_format(model) == [is_asked]
