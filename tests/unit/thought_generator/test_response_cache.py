"""The response cache: what it keeps, for how long, and what it does not believe."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from thought_generator.domain import cache as cache_module
from thought_generator.domain.cache import SHARED_PREFIX, TTL_S, ResponseCache
from thought_generator.models.prompts import Completion, Usage

ANSWER = Completion("Bees sleep.", "end_turn", "anthropic", "m", Usage(400, 28))
FREE = Completion("Bees sleep.", "end_turn", "anthropic", "m")


class Shared:
    """Valkey as two processes see it."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ttls_s: set[int] = set()

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: int) -> None:
        self.values[key] = value
        self.ttls_s.add(ttl_s)


@asynccontextmanager
async def sharing(cache: ResponseCache) -> AsyncIterator[None]:
    """What was put has been told."""
    task = asyncio.create_task(cache.share())
    for _ in range(10):
        await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()


async def test_another_process_has_it_and_nobody_its_cost() -> None:
    shared = Shared()
    one, other = ResponseCache(shared), ResponseCache(shared)
    one.put("k", ANSWER)
    assert one.held("k") == FREE
    assert other.held("k") is None
    async with sharing(one):
        assert shared.ttls_s == {TTL_S}
    assert await other.fetch("k") == FREE
    assert other.held("k") is None
    assert await other.fetch("another") is None


async def test_what_is_not_taken_in_time_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_module, "MAX_UNSHARED", 2)
    shared = Shared()
    cache = ResponseCache(shared)
    for key in "abc":
        cache.put(key, ANSWER)
    async with sharing(cache):
        assert set(shared.values) == {SHARED_PREFIX + key for key in "bc"}
    assert cache.held("a") == FREE


async def test_it_is_forgotten_when_its_time_has_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = ResponseCache(Shared())
    monkeypatch.setattr(cache_module, "monotonic", lambda: 0.0)
    cache.put("k", ANSWER)
    monkeypatch.setattr(cache_module, "monotonic", lambda: TTL_S - 0.001)
    assert cache.held("k") == FREE
    monkeypatch.setattr(cache_module, "monotonic", lambda: float(TTL_S))
    assert cache.held("k") is None


async def test_the_oldest_goes_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_module, "MAX_ENTRIES", 2)
    cache = ResponseCache(Shared())
    for key in ("a", "b", "a", "c"):
        cache.put(key, ANSWER)
    assert [key for key in "abc" if cache.held(key)] == ["a", "c"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xfe",
        b"{not json",
        b"null",
        b'"Bees sleep."',
        orjson.dumps({"content": "Bees sleep."}),
        orjson.dumps(["Bees sleep.", "end_turn", "anthropic"]),
        orjson.dumps(["Bees sleep.", "end_turn", "anthropic", "m", "more"]),
        orjson.dumps(["Bees sleep.", "end_turn", "anthropic", 4]),
        orjson.dumps([None, "end_turn", "anthropic", "m"]),
        orjson.dumps([" \n", "end_turn", "anthropic", "m"]),
        orjson.dumps(["a\0b", "end_turn", "anthropic", "m"]),
        orjson.dumps(["x" * 32_769, "end_turn", "anthropic", "m"]),
        b"[" * 100_000,
    ],
)
async def test_what_we_did_not_write_is_no_answer(value: bytes) -> None:
    shared = Shared()
    shared.values[SHARED_PREFIX + "k"] = value
    cache = ResponseCache(shared)
    assert await cache.fetch("k") is None
    assert cache.held("k") is None
