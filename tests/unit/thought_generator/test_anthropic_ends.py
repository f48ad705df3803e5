"""Which calls to a model may have cost something although no answer came."""

import asyncio

import pytest

from thought_generator.errors import EngineEndUnknown, EngineUnavailable
from thought_generator.models import Prompt
from thought_generator.providers import anthropic as anthropic_module
from thought_generator.providers.anthropic import AnthropicEngine

PROMPT = Prompt("I am calm.", "primary", "Think.", "a context", (), ())


async def _end_of(port: int) -> EngineUnavailable:
    engine = AnthropicEngine("m", "key", f"http://127.0.0.1:{port}")
    try:
        with pytest.raises(EngineUnavailable) as met:
            await engine.think(PROMPT, 10)
    finally:
        await engine.close()
    return met.value


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_module, "PAUSES_S", (0.001,))
    monkeypatch.setattr(anthropic_module, "CALL_TIMEOUT_S", 0.2)


async def test_a_server_that_is_not_there_cost_nothing() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert not isinstance(await _end_of(port), EngineEndUnknown)


@pytest.mark.parametrize("silent", [True, False])
async def test_a_server_that_took_the_call_may_have_its_price(silent: bool) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if silent:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert isinstance(await _end_of(port), EngineEndUnknown)
