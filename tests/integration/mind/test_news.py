"""News between replicas, by a real Valkey that is lost, full, slow or strange."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
import redis.asyncio as redis
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.support.servers import server_folder

from devstack.valkey import Valkey
from thought_generator.models.feed import Event, Notice, Told
from thought_generator.providers import news as news_module
from thought_generator.providers.news import (
    MAX_EVENT_BYTES,
    MAX_STREAM_EVENTS,
    MAX_WAITING,
    STREAM_TTL_S,
    ValkeyNews,
    decode,
    encode,
    key,
)

WAIT_S = 10.0
READ_S = 0.05
DOZE = Notice("primary", "doze", {"problem": "engine-unavailable"})


def event(position: int, size: int = 0) -> Event:
    return Event(position, "my-stream", b'{"content": "a b c%s"}' % (b" " * size))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Waits are short; warnings are not drawn on the screen."""
    monkeypatch.setattr(news_module, "PAUSE_S", 0.05)
    monkeypatch.setattr(news_module, "ANSWER_S", 0.2)
    with capture_logs():
        yield


@pytest_asyncio.fixture(scope="module")
async def valkey() -> AsyncIterator[Valkey]:
    with server_folder() as folder:
        async with Valkey.of(Path(folder)) as started:
            yield started


@pytest_asyncio.fixture
async def server(valkey: Valkey) -> AsyncIterator[redis.Redis]:
    """Valkey as it is, empty."""
    async with redis.Redis.from_url(valkey.url) as client:
        await client.flushall()
        yield client


@asynccontextmanager
async def replica(valkey: Valkey, name: str) -> AsyncIterator[ValkeyNews]:
    news = ValkeyNews(SecretStr(valkey.url), name)
    sending = asyncio.create_task(news.send())
    try:
        yield news
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await news.close()


@pytest_asyncio.fixture
async def teller(valkey: Valkey, server: redis.Redis) -> AsyncIterator[ValkeyNews]:
    async with replica(valkey, "teller") as news:
        yield news


@pytest_asyncio.fixture
async def hearer(valkey: Valkey, server: redis.Redis) -> AsyncIterator[ValkeyNews]:
    async with replica(valkey, "hearer") as news:
        yield news


async def until(true: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await true():
            await asyncio.sleep(0.01)


async def hear(news: ValkeyNews, agent: str, count: int) -> list[Told]:
    """So much of what the others told of this agent."""
    heard: list[Told] = []
    async with asyncio.timeout(WAIT_S):
        while len(heard) < count:
            heard += [told for _, told in await news.next([agent], READ_S)]
    return heard


async def nothing(news: ValkeyNews, agent: str) -> None:
    for _ in range(5):
        assert await news.next([agent], READ_S) == []


@contextmanager
def stopped(valkey: Valkey) -> Iterator[None]:
    process = psutil.Process(valkey.pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def test_others_hear_in_order_and_a_replica_not_itself(
    teller: ValkeyNews, hearer: ValkeyNews
) -> None:
    told = [event(position) for position in range(1, 31)]
    for each in told:
        teller.publish("a", each)
    assert await hear(hearer, "a", 30) == told
    await nothing(teller, "a")
    await nothing(hearer, "b")


async def test_many_agents_are_heard_by_one_connection(
    teller: ValkeyNews, hearer: ValkeyNews, server: redis.Redis
) -> None:
    agents = [f"agent-{number}" for number in range(200)]
    for agent in agents:
        teller.publish(agent, event(1))
    heard: set[str] = set()
    async with asyncio.timeout(WAIT_S):
        while len(heard) < len(agents):
            heard |= {agent for agent, _ in await hearer.next(agents, READ_S)}
    # The test's own, the teller's and the hearer's.
    assert len(await server.client_list()) == 3


async def test_a_stream_is_short_and_passes_away(
    teller: ValkeyNews, server: redis.Redis
) -> None:
    for position in range(1, 1001):
        teller.publish("a", event(position, size=500))
        if position % 50 == 0:
            await asyncio.sleep(0.01)

    async def all_sent() -> bool:
        newest: Any = await server.xrevrange(key("a"), count=1)
        return bool(newest) and newest[0][1][b"position"] == b"1000"

    await until(all_sent)
    assert await server.xlen(key("a")) <= 2 * MAX_STREAM_EVENTS
    assert 0 < await server.ttl(key("a")) <= STREAM_TTL_S


async def test_a_large_event_is_left_to_the_database(
    teller: ValkeyNews, hearer: ValkeyNews
) -> None:
    teller.publish("a", event(1, size=MAX_EVENT_BYTES))
    teller.publish("a", event(2))
    assert await hear(hearer, "a", 1) == [event(2)]


async def test_what_was_told_while_the_hearer_was_cut_off_is_read_afterwards(
    teller: ValkeyNews, hearer: ValkeyNews, server: redis.Redis
) -> None:
    teller.publish("a", event(1))
    assert await hear(hearer, "a", 1) == [event(1)]
    teller.publish("a", event(2))
    teller.publish("a", DOZE)

    async def all_there() -> bool:
        return bool(await server.xlen(key("a")) == 3)

    await until(all_there)
    await server.client_kill_filter(_type="normal", skipme=True)
    assert await hear(hearer, "a", 2) == [event(2), DOZE]


async def test_a_notice_from_before_is_not_told_again(
    teller: ValkeyNews, hearer: ValkeyNews, server: redis.Redis
) -> None:
    teller.publish("a", event(1))
    teller.publish("a", DOZE)
    await until(lambda: server.exists(key("a")))
    assert await hear(hearer, "a", 1) == [event(1)]
    teller.publish("a", DOZE)
    assert await hear(hearer, "a", 1) == [DOZE]


async def test_a_stream_that_began_anew_with_lower_ids_is_read_again(
    teller: ValkeyNews, hearer: ValkeyNews, server: redis.Redis
) -> None:
    """As after a lost stream and a clock that was put back."""
    teller.publish("a", event(1))
    assert await hear(hearer, "a", 1) == [event(1)]
    await server.flushall()
    fields: Any = {b"by": b"teller", **encode(event(2))}
    await server.xadd(key("a"), fields, id="1-1")
    await nothing(hearer, "a")
    hearer.reread("a")
    assert await hear(hearer, "a", 1) == [event(2)]


@pytest.mark.parametrize("side", ["teller", "hearer"])
async def test_a_stranger_under_our_key_makes_way(
    teller: ValkeyNews, hearer: ValkeyNews, server: redis.Redis, side: str
) -> None:
    await server.set(key("a"), "a string")
    if side == "hearer":
        # One of many streams: it must not keep the others from being heard.
        await hearer.next(["a", "b"], READ_S)
        assert not await server.exists(key("a"))
    else:
        teller.publish("a", event(1))

        async def gone() -> bool:
            return await server.type(key("a")) != b"string"

        await until(gone)
    teller.publish("a", event(2))
    assert (await hear(hearer, "a", 1))[-1] == event(2)


async def test_strange_entries_are_passed_over(
    teller: ValkeyNews, hearer: ValkeyNews, server: redis.Redis
) -> None:
    for fields in ({"x": "y"}, {"position": "z", "stream": "s", "thought": "{}"}):
        await server.xadd(key("a"), fields)  # type: ignore[arg-type]
    teller.publish("a", event(1))
    assert await hear(hearer, "a", 1) == [event(1)]


async def test_a_full_server_refuses_and_takes_again(
    teller: ValkeyNews, hearer: ValkeyNews, server: redis.Redis
) -> None:
    before: Any = await server.config_get("maxmemory*")
    await server.config_set("maxmemory-policy", "noeviction")
    await server.config_set("maxmemory", 1)
    try:
        teller.publish("a", event(1))
        await nothing(hearer, "a")
    finally:
        await server.config_set("maxmemory", before["maxmemory"])
        await server.config_set("maxmemory-policy", before["maxmemory-policy"])

    async def heard() -> list[tuple[str, Told]]:
        teller.publish("a", event(2))
        return await hearer.next(["a"], READ_S)

    await until(heard)


async def test_a_server_that_hangs_holds_up_nobody_and_no_memory(
    valkey: Valkey, teller: ValkeyNews, hearer: ValkeyNews
) -> None:
    teller.publish("a", event(1))
    assert await hear(hearer, "a", 1) == [event(1)]
    with stopped(valkey):
        async with asyncio.timeout(WAIT_S):
            for position in range(2, 3 * MAX_WAITING):
                teller.publish("a", event(position))
            assert teller.waiting <= MAX_WAITING
            assert await hearer.next(["a"], READ_S) == []

    async def heard() -> bool:
        teller.publish("b", event(2))
        return bool(await hearer.next(["a", "b"], READ_S))

    await until(heard)


async def test_a_server_that_was_killed_is_done_without_until_it_is_back(
    valkey: Valkey, teller: ValkeyNews, hearer: ValkeyNews
) -> None:
    teller.publish("a", event(1))
    assert await hear(hearer, "a", 1) == [event(1)]
    assert valkey.process is not None
    psutil.Process(valkey.pid).kill()
    await valkey.process.wait()
    teller.publish("a", event(2))
    assert await hearer.next(["a"], READ_S) == []
    await valkey.start()

    async def heard() -> bool:
        teller.publish("a", event(3))
        return bool(await hearer.next(["a"], READ_S))

    await until(heard)


async def test_a_cancelled_sending_ends_at_whatever_moment(
    valkey: Valkey, server: redis.Redis
) -> None:
    for turns in range(60):
        news = ValkeyNews(SecretStr(valkey.url), "teller")
        sending = asyncio.create_task(news.send())
        for _ in range(turns):
            news.publish("a", event(1))
            await asyncio.sleep(0)
        sending.cancel()
        done, _ = await asyncio.wait({sending}, timeout=WAIT_S)
        assert done
        await news.close()


async def test_without_a_server_there_is_no_news() -> None:
    news = ValkeyNews(None, "alone")
    news.publish("a", event(1))
    assert news.waiting == 0
    assert await news.next(["a"], 0.01) == []
    await news.close()


@pytest.mark.parametrize("told", [event(17), DOZE])
def test_it_survives_the_way(told: Told) -> None:
    assert decode(encode(told)) == told


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"position": b"1"},
        {b"position": b"9" * 5000, b"stream": b"s", b"thought": b"{}"},
        {b"position": b"-1", b"stream": b"s", b"thought": b"{}"},
        {b"position": b"1", b"stream": b"", b"thought": b"{}"},
        {b"position": b"1", b"stream": b"s", b"thought": b"[]"},
        {b"notice": b"doze", b"stream": b"s"},
        {b"notice": b"doze", b"stream": b"s", b"data": b"[]"},
        {b"notice": b"doze", b"stream": b"s", b"data": b"{"},
    ],
)
def test_what_others_put_there_is_nothing(fields: dict[bytes, bytes]) -> None:
    assert decode(fields) is None
