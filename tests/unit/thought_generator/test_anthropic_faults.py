"""The engine against a server that does whatever servers do, down to the bytes."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from tests.support import messages as api
from tests.support.messages import Model, Play, scripted_model

from thought_generator.errors import (
    EngineAnswerCut,
    EngineAnswerUnusable,
    EngineEndUnknown,
    EngineUnavailable,
)
from thought_generator.models.prompts import Prompt, Usage
from thought_generator.providers import anthropic as engine_module
from thought_generator.providers import breaker as breaker_module
from thought_generator.providers import server as server_module
from thought_generator.providers.anthropic import AnthropicEngine
from thought_generator.providers.breaker import FAILURES_TO_OPEN

PROMPT = Prompt("I am calm.", "primary", "Think.", "a context", (), ())
USED = Usage(400, 28, 300, 0)
TRIES = 3
SSE = "text/event-stream"
WHOLE = api.stream()
DAYS = 50 * 86_400


@pytest_asyncio.fixture
async def model() -> AsyncIterator[Model]:
    async with scripted_model() as running:
        yield running


@pytest_asyncio.fixture
async def engine(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AnthropicEngine]:
    """Without long pauses; it asks for plain text."""
    monkeypatch.setattr(engine_module, "PAUSES_S", (0.001, 0.001))
    monkeypatch.setattr(server_module, "CALL_TIMEOUT_S", 0.3)
    monkeypatch.setattr(server_module, "IDLE_S", 0.3)
    made = AnthropicEngine("claude-haiku-4-5", "key", model.base_url, structured=False)
    yield made
    await made.close()


async def failure(engine: AnthropicEngine) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as met:
        await engine.think(PROMPT, 300)
    return met.value


def begun(events: list[dict[str, Any]]) -> bytes:
    """A stream's head and its first events; more was announced."""
    return api.head(SSE, 100_000) + api.sse(events)


@pytest.mark.parametrize(
    "play",
    [
        api.streams(WHOLE),
        api.ends(api.head(SSE) + api.sse(WHOLE)),
        # The connection stays open behind the last event.
        api.stays_silent(begun(WHOLE)),
        # As a server answers that passes over `stream: true`.
        api.answers(api.message()),
        api.says(api.sse(WHOLE).replace(b"\n", b"\r\n"), f"{SSE}; charset=utf-8"),
        api.says(gzip.compress(api.sse(WHOLE)), SSE, content_encoding="gzip"),
        api.says(api.sse(WHOLE), "Text/Event-Stream"),
        # What goes wrong behind the last event.
        api.says(api.sse(WHOLE) + b"data: [DONE]\n\n", SSE),
        api.drops(begun(WHOLE)),
        api.ends(begun(WHOLE)),
        api.ends(begun(WHOLE) + b"data: {"),
    ],
)
async def test_a_whole_answer_is_a_thought(
    engine: AnthropicEngine, model: Model, play: Play
) -> None:
    model.will(play)
    completion = await engine.think(PROMPT, 300)
    assert (completion.content, completion.usage) == (api.TEXT, USED)
    assert (completion.engine, completion.model) == ("anthropic", "claude-haiku-4-5")
    (asked,) = model.asked
    assert asked["stream"] is True


async def test_what_is_stable_stands_first_and_is_marked(
    engine: AnthropicEngine, model: Model
) -> None:
    await engine.think(PROMPT, 300)
    (asked,) = model.asked
    assert asked["max_tokens"] == 300
    (stable,) = asked["system"]
    assert stable["text"].startswith("I am calm.")
    assert stable["cache_control"] == {"type": "ephemeral"}
    (volatile,) = asked["messages"]
    assert volatile["content"].endswith("a context")
    assert "output_config" not in asked


@pytest.mark.parametrize("dropped", [api.drops, api.ends])
@pytest.mark.parametrize("count", range(len(WHOLE)))
async def test_a_stream_that_ends_before_its_end_is_no_thought(
    engine: AnthropicEngine, model: Model, dropped: Any, count: int
) -> None:
    raw = begun(WHOLE[:count])
    if dropped is api.ends:
        raw = api.head(SSE) + api.sse(WHOLE[:count])
    model.will(dropped(raw))
    error = await failure(engine)
    # Not asked again: it may have its price, which is not known before the last count.
    assert len(model.asked) == 1
    if count == len(WHOLE) - 1:
        assert isinstance(error, EngineAnswerUnusable)
        assert error.usage == USED
    else:
        assert isinstance(error, EngineEndUnknown)
        assert isinstance(error, EngineAnswerCut) is (count > 0)


async def test_a_connection_that_breaks_within_an_event_is_a_cut(
    engine: AnthropicEngine, model: Model
) -> None:
    model.will(api.drops(begun(WHOLE)[:-30]))
    assert isinstance(await failure(engine), EngineAnswerUnusable)


@pytest.mark.parametrize("play", [api.drops(), api.ends(b"")])
async def test_a_call_that_was_dropped_may_have_its_price(
    engine: AnthropicEngine, model: Model, play: Play
) -> None:
    model.will(play)
    assert isinstance(await failure(engine), EngineEndUnknown)
    assert len(model.asked) == 1


async def test_a_server_that_is_not_there_is_tried_again_and_costs_nothing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "PAUSES_S", (0.001, 0.001))
    async with scripted_model() as gone:
        engine = AnthropicEngine("m", "key", gone.base_url)
    error = await failure(engine)
    await engine.close()
    assert not isinstance(error, EngineEndUnknown)
    assert error.usage is None
    assert str(gone.port) in str(error)
    assert "key" not in str(error)


@pytest.mark.parametrize("status", [504, 524])
async def test_what_a_gateway_gave_up_may_have_been_answered(
    engine: AnthropicEngine, model: Model, status: int
) -> None:
    for _ in range(FAILURES_TO_OPEN):
        model.will(api.refuses(status, retry_after="1"), api.streams(WHOLE))
        assert isinstance(await failure(engine), EngineEndUnknown)
        assert len(model.asked) == 1
    assert not isinstance(await failure(engine), EngineEndUnknown)
    assert len(model.asked) == 1


async def test_a_refusal_without_end_is_not_read_to_it(
    engine: AnthropicEngine, model: Model
) -> None:
    sent_bytes = 0

    async def play(writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(api.head("text/html", status=400))
        for _ in range(64):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent_bytes += 1_000_000

    model.will(play)
    assert "400" in str(await failure(engine))
    # What is on its way is held by sockets.
    assert sent_bytes < 32_000_000


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 520, 529])
async def test_a_short_outage_is_ridden_out(
    engine: AnthropicEngine, model: Model, status: int
) -> None:
    model.will(api.refuses(status), api.refuses(status), api.streams(WHOLE))
    assert (await engine.think(PROMPT, 300)).usage == USED
    assert len(model.asked) == TRIES


@pytest.mark.parametrize("status", [408, 429, 500, 529])
async def test_a_long_outage_is_not(
    engine: AnthropicEngine, model: Model, status: int
) -> None:
    model.will(api.refuses(status))
    error = await failure(engine)
    assert (len(model.asked), error.usage) == (TRIES, None)
    assert error.kind == "engine-unavailable"
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "parameter"),
        (401, "ANTHROPIC_API_KEY"),
        (402, "billing"),
        (403, "key"),
        (404, "THOUGHT_MODEL"),
        (413, "shorten"),
        (418, "parameter"),
    ],
)
async def test_a_refusal_says_what_to_do_and_is_not_repeated(
    engine: AnthropicEngine, model: Model, status: int, advice: str
) -> None:
    for _ in range(FAILURES_TO_OPEN + 1):
        model.will(api.refuses(status, "secret words of the server"))
        error = await failure(engine)
        assert len(model.asked) == 1
    assert advice in str(error)
    assert "secret" not in str(error)
    assert error.retry_after_s == 30


@pytest.mark.parametrize(
    ("given", "asked_s"),
    [
        ("1", 1),
        (str(DAYS), 300),
        ("1e400", 300),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("-5", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_a_wish_to_wait_is_met_within_reason(
    engine: AnthropicEngine, model: Model, given: str, asked_s: float | None
) -> None:
    model.will(api.refuses(429, retry_after=given), api.streams(WHOLE))
    begun_s = time.monotonic()
    if asked_s == 300:
        error = await failure(engine)
        assert error.retry_after_s == 300
        assert (await failure(engine)).retry_after_s == pytest.approx(300, abs=10)
        assert len(model.asked) == 1
        return
    assert (await engine.think(PROMPT, 300)).content == api.TEXT
    assert time.monotonic() - begun_s >= (asked_s or 0)


async def test_an_outage_of_minutes_is_met_with_few_calls_and_ends_by_itself(
    engine: AnthropicEngine, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker_module, "FIRST_REST_S", 0.1)
    monkeypatch.setattr(breaker_module, "LONGEST_REST_S", 0.2)
    monkeypatch.setattr(breaker_module, "PROBE_S", 0.05)
    monkeypatch.setattr(engine_module, "MAX_PAUSE_S", 0.01)
    engine = AnthropicEngine("m", "key", model.base_url, structured=False)
    model.will(api.refuses(529))
    thought: list[str] = []

    async def stream() -> None:
        while not thought:
            try:
                thought.append((await engine.think(PROMPT, 300)).content)
            except EngineUnavailable as error:
                await asyncio.sleep(error.retry_after_s or 1)

    streams = [asyncio.create_task(stream()) for _ in range(20)]
    while len(model.asked) < FAILURES_TO_OPEN:
        await asyncio.sleep(0.01)
    # Those that were under way when it opened end; from then on there are probes only.
    await asyncio.sleep(0.1)
    before, begun_s = len(model.asked), time.monotonic()
    await asyncio.sleep(0.5)
    rests = (time.monotonic() - begun_s) / 0.1
    assert 1 <= len(model.asked) - before <= rests + 1
    model.plays = [api.streams(WHOLE)]
    await asyncio.gather(*streams)
    await engine.close()
    assert set(thought) == {api.TEXT}


async def test_an_open_breaker_says_how_long(
    engine: AnthropicEngine, model: Model
) -> None:
    model.will(api.refuses(500))
    while len(model.asked) < FAILURES_TO_OPEN:
        error = await failure(engine)
    assert error.retry_after_s is not None
    assert error.retry_after_s >= 4
    asked = len(model.asked)
    refused = await failure(engine)
    assert (len(model.asked), refused.usage) == (asked, None)
    assert refused.retry_after_s == pytest.approx(error.retry_after_s, abs=1)


async def test_a_call_that_was_given_up_lets_the_next_one_probe(
    model: Model, engine: AnthropicEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.will(api.refuses(500))
    while len(model.asked) < FAILURES_TO_OPEN:
        await failure(engine)
    now_s = time.monotonic() + 60
    monkeypatch.setattr(engine._breaker, "_clock", lambda: now_s)
    model.will(api.stays_silent(), api.streams(WHOLE))
    probe = asyncio.create_task(engine.think(PROMPT, 300))
    while not model.asked:
        await asyncio.sleep(0.005)
    assert (await failure(engine)).retry_after_s == 1
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert (await engine.think(PROMPT, 300)).content == api.TEXT


@pytest.mark.parametrize(
    ("play", "cut"),
    [
        (api.stays_silent(), False),
        (api.stays_silent(api.head(SSE, 999)), False),
        (api.stays_silent(begun(WHOLE[:4])), True),
        (api.drips(api.sse(WHOLE), 0.05, api.head(SSE, 99_999)), False),
    ],
)
async def test_silence_and_drops_end_in_time(
    model: Model, engine: AnthropicEngine, play: Play, cut: bool
) -> None:
    model.will(play)
    async with asyncio.timeout(5):
        error = await failure(engine)
    assert isinstance(error, EngineEndUnknown)
    assert isinstance(error, EngineAnswerCut) is cut
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "play",
    [
        # Bytes and events come, but no end of it.
        api.drips(api.sse(WHOLE[:1]) * 50, 0.0005, api.head(SSE, 999_999)),
        api.drips(b" " * 999, 0.005, api.head("application/json", 999_999)),
    ],
)
async def test_there_is_one_deadline_over_all(
    model: Model, engine: AnthropicEngine, monkeypatch: pytest.MonkeyPatch, play: Play
) -> None:
    monkeypatch.setattr(engine_module, "DEADLINE_S", 0.4)
    model.will(api.refuses(500), play)
    async with asyncio.timeout(5):
        assert isinstance(await failure(engine), EngineEndUnknown)
    assert len(model.asked) == 2


async def test_no_pause_reaches_beyond_the_deadline(
    model: Model, engine: AnthropicEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "DEADLINE_S", 0.5)
    model.will(api.refuses(529, retry_after="2"))
    error = await failure(engine)
    assert (len(model.asked), error.usage) == (1, None)
    assert not isinstance(error, EngineEndUnknown)


@pytest.mark.parametrize(
    ("kind", "tried", "unknown"),
    [
        ("overloaded_error", TRIES, False),
        ("rate_limit_error", TRIES, False),
        ("of next year", TRIES, False),
        ("authentication_error", 1, False),
    ],
)
async def test_an_error_instead_of_the_first_event_is_as_its_status(
    model: Model, engine: AnthropicEngine, kind: str, tried: int, unknown: bool
) -> None:
    failed = {"type": "error", "error": {"type": kind, "message": "no"}}
    model.will(api.streams([failed]))
    error = await failure(engine)
    assert (len(model.asked), error.usage) == (tried, None)
    assert isinstance(error, EngineEndUnknown) is unknown


async def test_an_error_within_an_answer_cuts_it(
    model: Model, engine: AnthropicEngine
) -> None:
    failed = {"type": "error", "error": {"type": "overloaded_error"}}
    model.will(api.streams([*WHOLE[:4], failed]))
    error = await failure(engine)
    assert isinstance(error, EngineAnswerCut)
    assert "overloaded_error" in str(error)
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "play",
    [
        api.says(b"<html><h1>Sign in</h1></html>", "text/html"),
        api.says(b"not json", "application/json"),
        api.says(b"[1]", "application/json"),
        api.answers({}),
        api.answers({"completion": "x", "usage": None}),
    ],
)
async def test_what_is_no_message_is_no_thought_and_costs_nothing(
    model: Model, engine: AnthropicEngine, play: Play
) -> None:
    model.will(play)
    error = await failure(engine)
    assert isinstance(error, EngineAnswerUnusable)
    assert (error.usage, len(model.asked)) == (None, 1)


@pytest.mark.parametrize("chars", [0, 1, 200])
async def test_half_a_message_may_have_its_price(
    model: Model, engine: AnthropicEngine, chars: int
) -> None:
    whole = orjson.dumps(api.message())
    model.will(api.ends(api.head("application/json") + whole[:chars]))
    assert isinstance(await failure(engine), EngineEndUnknown)
    assert len(model.asked) == 1


async def test_a_server_of_web_pages_is_soon_left_alone(
    model: Model, engine: AnthropicEngine
) -> None:
    model.will(api.says(b"<html>", "text/html"))
    for _ in range(FAILURES_TO_OPEN + 3):
        await failure(engine)
    assert len(model.asked) == FAILURES_TO_OPEN


TOOL = {"type": "tool_use", "id": "t", "name": "rm", "input": {"path": "/"}}


@pytest.mark.parametrize(
    "whole",
    [
        api.message(""),
        api.message(" \n\t "),
        api.message(content=[]),
        api.message("I cannot.", stop_reason="refusal"),
        api.message(content=[TOOL], stop_reason="tool_use"),
        api.message(content=[TOOL]),
        api.message(stop_reason=None),
        api.message(stop_reason="pause_turn"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_an_answer_that_is_no_thought_has_its_price(
    model: Model, engine: AnthropicEngine, whole: dict[str, Any], streamed: bool
) -> None:
    events = api.stream(content=whole["content"], stop_reason=whole["stop_reason"])
    model.will(api.streams(events) if streamed else api.answers(whole))
    error = await failure(engine)
    assert isinstance(error, EngineAnswerUnusable)
    assert (error.usage, len(model.asked)) == (USED, 1)


async def test_an_answer_of_200_kb_is_read_to_its_end_and_paid(
    model: Model, engine: AnthropicEngine
) -> None:
    """The pipeline refuses it; what it cost must be known there."""
    model.will(api.streams(api.stream("tide " * 40_000)))
    completion = await engine.think(PROMPT, 300)
    assert len(completion.content) == 199_999
    assert completion.usage == USED


async def test_a_flood_is_cut(
    model: Model, engine: AnthropicEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thought_generator.providers.messages.MAX_ANSWER_BYTES", 50_000)
    model.will(api.streams(api.stream("tide " * 40_000)))
    assert isinstance(await failure(engine), EngineEndUnknown)


async def test_an_event_that_is_no_json_cuts_the_answer(
    model: Model, engine: AnthropicEngine
) -> None:
    raw = api.sse(WHOLE[:4]) + b'event: content_block_delta\ndata: {"ty\n\n'
    model.will(api.says(raw, SSE))
    assert isinstance(await failure(engine), EngineAnswerCut)


async def test_ten_at_once_each_get_their_own(
    model: Model, engine: AnthropicEngine
) -> None:
    model.will(*(api.streams(api.stream(f"thought {n}")) for n in range(10)))
    said = await asyncio.gather(*(engine.think(PROMPT, 300) for _ in range(10)))
    assert {each.content for each in said} == {f"thought {n}" for n in range(10)}


async def test_models_of_one_server_share_its_breaker(
    model: Model, engine: AnthropicEngine
) -> None:
    other = engine.of_model("claude-small")
    await other.think(PROMPT, 300)
    assert model.asked[0]["model"] == "claude-small"
    model.will(api.refuses(529, retry_after=str(DAYS)))
    await failure(engine)
    assert (await failure(other)).retry_after_s == pytest.approx(300, abs=10)
    assert len(model.asked) == 1
