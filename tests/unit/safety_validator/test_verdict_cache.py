"""Findings are found again, and only those that we put there."""

import asyncio
from contextlib import suppress

import pytest

from contracts.safety import CategoryName, VerdictName
from safety_validator.domain import verdict_cache as cache_module
from safety_validator.domain.verdict_cache import (
    MAX_FINDINGS,
    SHARED_PREFIX,
    VerdictCache,
)
from safety_validator.models import Finding

MAC_KEY = b"key"
FOUND = (
    Finding(CategoryName.HATE, VerdictName.FLAG, 0.25, "classifier", "c.harm", (3, 9)),
    Finding(CategoryName.SECRETS, VerdictName.REDACT, 1.0, "rules", "s", None, "[s]"),
)


class Shared:
    """Valkey that is here."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: int) -> None:
        assert ttl_s > 0
        self.values[key] = value


async def shared(cache: VerdictCache) -> None:
    """Lets it tell Valkey what it has."""
    task = asyncio.create_task(cache.share())
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_one_process_found_another_finds() -> None:
    valkey = Shared()
    one, other = VerdictCache(valkey, MAC_KEY), VerdictCache(valkey, MAC_KEY)
    one.put("a", FOUND)
    one.put("b", ())
    await shared(one)
    assert one.held("a") == FOUND
    assert other.held("a") is None
    assert [await other.fetch(key) for key in "abc"] == [FOUND, (), None]
    assert [other.held(key) for key in "abc"] == [FOUND, (), None]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"x" * 32,
        b"x" * 32 + b"[]",
        b"\xff" * 200,
        b"x" * 32 + b'[["hate","allow",0,"rules","r",null,""]]',
    ],
)
async def test_what_others_put_there_is_not_believed(value: bytes) -> None:
    valkey = Shared()
    valkey.values[SHARED_PREFIX + "a"] = value
    assert await VerdictCache(valkey, MAC_KEY).fetch("a") is None


async def test_a_value_is_believed_under_its_own_key_only() -> None:
    valkey = Shared()
    one = VerdictCache(valkey, MAC_KEY)
    one.put("harmless", ())
    await shared(one)
    valkey.values[SHARED_PREFIX + "attack"] = valkey.values[SHARED_PREFIX + "harmless"]
    assert await VerdictCache(valkey, MAC_KEY).fetch("attack") is None
    assert await VerdictCache(valkey, b"another key").fetch("harmless") is None


async def test_without_a_key_nothing_is_shared() -> None:
    valkey = Shared()
    cache = VerdictCache(valkey, None)
    cache.put("a", FOUND)
    await shared(cache)
    assert valkey.values == {}
    assert cache.held("a") == FOUND
    assert await cache.fetch("b") is None


def test_the_process_holds_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "MAX_PROCESS_BYTES", 3 * 320)
    cache = VerdictCache(Shared(), None)
    for key in "abc":
        cache.put(key, ())
    assert cache.held("a") == ()
    cache.put("d", ())
    assert [cache.held(key) for key in "abcd"] == [(), None, (), ()]
    cache.put("d", FOUND)
    assert cache.held("d") == FOUND
    assert [cache.held(key) for key in "abc"] == [None, None, None]


def test_very_many_findings_are_not_kept() -> None:
    cache = VerdictCache(Shared(), None)
    cache.put("a", FOUND[:1] * (MAX_FINDINGS + 1))
    assert cache.held("a") is None
