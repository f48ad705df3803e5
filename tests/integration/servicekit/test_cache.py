"""The cache: whatever happens to Valkey, every call answers, soon."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.integration.servicekit.servers import kill, stopped, until

from devstack.valkey import Valkey
from servicekit import cache as cache_module
from servicekit.cache import Cache, CacheAway

# Many calls at once must be over in less than any of them may take twenty times.
BOUND_S = 20 * cache_module.CALL_TIMEOUT_S
TTL_S = 60


@pytest_asyncio.fixture
async def valkey(folder: Path) -> AsyncIterator[Valkey]:
    place = folder / "valkey"
    async with Valkey.of(place) as started:
        yield started


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine takes long over is no miss: only what is lost is one."""
    monkeypatch.setattr(cache_module, "CALL_TIMEOUT_S", BOUND_S)


@pytest_asyncio.fixture
async def cache(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cache]:
    monkeypatch.setattr(cache_module, "PAUSE_S", 0.05)
    opened = Cache(SecretStr(valkey.url))
    yield opened
    await opened.close()


async def keeps(cache: Cache) -> bool:
    await cache.put("probe", b"1", TTL_S)
    return await cache.get("probe") == b"1"


async def every_call_answers(cache: Cache) -> None:
    async with asyncio.timeout(BOUND_S):
        for _ in range(10):
            assert await cache.get("key") is None
            await cache.put("key", b"value", TTL_S)
        assert await asyncio.gather(*(cache.get("key") for _ in range(100))) == (
            [None] * 100
        )


@pytest.mark.parametrize("value", [b"", b"\x00\xff", "ü".encode(), b"a" * 1_000_000])
async def test_a_value_comes_back(cache: Cache, value: bytes) -> None:
    assert await cache.get("ü key") is None
    await cache.put("ü key", value, TTL_S)
    assert await cache.get("ü key") == value


async def test_a_value_is_kept_for_its_time(cache: Cache) -> None:
    await cache.put("key", b"value", TTL_S)
    async with cache.client() as client:
        assert 0 < await client.ttl("key") <= TTL_S


async def test_without_a_cache_every_call_answers() -> None:
    cache = Cache(None)
    await every_call_answers(cache)
    with pytest.raises(CacheAway):
        async with cache.client():
            pytest.fail("there is none")
    await cache.close()


@pytest.mark.usefixtures("unhurried")
async def test_more_calls_at_once_than_connections_wait(cache: Cache) -> None:
    await cache.put("key", b"value", TTL_S)
    with capture_logs() as lines:
        values = await asyncio.gather(
            *(cache.get("key") for _ in range(20 * cache_module.MAX_CONNECTIONS))
        )
    assert set(values) == {b"value"}
    assert lines == []
    async with cache.client() as client:
        connected = len(await client.client_list())
    assert connected <= cache_module.MAX_CONNECTIONS


@pytest.mark.usefixtures("unhurried")
async def test_a_killed_cache_is_done_without_and_comes_back(
    valkey: Valkey, cache: Cache
) -> None:
    await asyncio.gather(*(keeps(cache) for _ in range(cache_module.MAX_CONNECTIONS)))
    await kill(valkey)
    await every_call_answers(cache)
    await valkey.start()
    await until(lambda: keeps(cache))
    # Connections of the dead server cost nobody a miss.
    await cache.put("key", b"value", TTL_S)
    values = await asyncio.gather(*(cache.get("key") for _ in range(100)))
    assert set(values) == {b"value"}


@pytest.mark.usefixtures("unhurried")
async def test_a_restart_between_two_calls_is_not_noticed(
    valkey: Valkey, cache: Cache
) -> None:
    await asyncio.gather(*(keeps(cache) for _ in range(cache_module.MAX_CONNECTIONS)))
    await kill(valkey)
    await valkey.start()
    with capture_logs() as lines:
        assert await keeps(cache)
    assert lines == []


async def test_a_cache_that_hangs_is_done_without_and_comes_back(
    valkey: Valkey, cache: Cache
) -> None:
    assert await keeps(cache)
    with stopped(valkey):
        await every_call_answers(cache)
    await until(lambda: keeps(cache))


async def test_while_it_is_out_it_is_left_alone(
    valkey: Valkey, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "PAUSE_S", 60.0)
    await kill(valkey)
    with capture_logs() as lines:
        for _ in range(20):
            assert await cache.get("key") is None
    assert [line["event"] for line in lines] == ["cache is out, carrying on without it"]
    await valkey.start()


async def test_a_wrong_type_under_our_key_is_a_miss_of_that_key_alone(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "PAUSE_S", 60.0)
    await cache.put("good", b"value", TTL_S)
    async with cache.client() as client:
        await client.lpush("bad", "a", "b")
    assert await cache.get("bad") is None
    assert await cache.get("good") == b"value"
    await cache.put("bad", b"mended", TTL_S)
    assert await cache.get("bad") == b"mended"


@pytest.mark.usefixtures("unhurried")
async def test_a_call_given_up_leaves_no_answer_to_the_next(
    valkey: Valkey, cache: Cache
) -> None:
    for number in range(10):
        await cache.put(str(number), str(number).encode(), TTL_S)
    with stopped(valkey):
        for number in range(5):
            asking = asyncio.create_task(cache.get(str(number)))
            await asyncio.sleep(0.005)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    found = await asyncio.gather(*(cache.get(str(n % 10)) for n in range(100)))
    assert found == [str(n % 10).encode() for n in range(100)]


async def test_a_cancelled_caller_ends_at_whatever_moment(cache: Cache) -> None:
    async def ask_without_end() -> None:
        while True:
            await cache.put("key", b"value", TTL_S)

    await cache.get("key")
    for turns in range(100):
        asking = asyncio.create_task(ask_without_end())
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        ended, _ = await asyncio.wait({asking}, timeout=BOUND_S)
        assert ended, f"goes on after {turns} turns"


async def test_an_error_of_the_caller_is_not_the_cache_s(cache: Cache) -> None:
    async def fail() -> None:
        async with cache.client():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await keeps(cache)
