"""Nothing is lost or told twice whatever is killed, stopped, emptied or full.

Two replicas of thought-generator; a listener follows each, resuming as browsers do.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import psutil
import pytest
import pytest_asyncio
import redis.asyncio as redis
from tests.support.listening import (
    following,
    listening,
    new_agent,
    take,
    think,
)
from tests.support.mind import RECOVERY_S, Mind, running_mind
from tests.support.thinker import NAME, Thinker, second_thinker
from tests.support.waiting import until

THOUGHTS = 6


@dataclass
class Pair:
    """A mind, and a second thought-generator on its databases."""

    mind: Mind
    second: Thinker

    @property
    def addresses(self) -> tuple[str, str]:
        """Of both replicas; the first through the one address."""
        return self.mind.address, self.second.address

    def valkey(self) -> redis.Redis:
        """The mind's Valkey, as the services reach it."""
        told = psutil.Process(self.mind.pid_of(NAME)).environ()
        # Its own timeout would swallow a cancellation now and then.
        return redis.Redis.from_url(told["REDIS_URL"], socket_timeout=None)


@pytest_asyncio.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    async with (
        running_mind(STREAMS_ENABLED="false") as mind,
        second_thinker(mind) as second,
    ):
        yield Pair(mind, second)


@asynccontextmanager
async def valkey_stopped(pair: Pair) -> AsyncIterator[None]:
    pair.mind.kill("valkey", signal.SIGSTOP)
    try:
        yield
    finally:
        pair.mind.kill("valkey", signal.SIGCONT)


@asynccontextmanager
async def valkey_full(pair: Pair) -> AsyncIterator[None]:
    async with pair.valkey() as valkey:
        before: Any = await valkey.config_get("maxmemory*")
        await valkey.config_set("maxmemory-policy", "noeviction")
        await valkey.config_set("maxmemory", 1)
        try:
            yield
        finally:
            for name, value in before.items():
                await valkey.config_set(name, value)


@asynccontextmanager
async def valkey_emptied(pair: Pair) -> AsyncIterator[None]:
    async def empty() -> None:
        async with pair.valkey() as valkey:
            while True:
                await valkey.flushall()
                await asyncio.sleep(0.01)

    emptying = asyncio.create_task(empty())
    yield
    emptying.cancel()
    await asyncio.gather(emptying, return_exceptions=True)


@asynccontextmanager
async def valkey_with_strangers(pair: Pair) -> AsyncIterator[None]:
    async with pair.valkey() as valkey:
        for name in await valkey.keys("claude-agi:feed:*"):
            await valkey.set(name, "a stranger")
        yield


@asynccontextmanager
async def valkey_killed(pair: Pair) -> AsyncIterator[None]:
    pair.mind.kill("valkey")
    yield


@asynccontextmanager
async def nothing_wrong(pair: Pair) -> AsyncIterator[None]:
    yield


Fault = Callable[[Pair], Any]
FAULTS: list[Fault] = [
    nothing_wrong,
    valkey_emptied,
    valkey_full,
    valkey_with_strangers,
    valkey_stopped,
    valkey_killed,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_listeners_of_both_replicas_hear_all(pair: Pair, fault: Fault) -> None:
    one, other = pair.addresses
    async with (
        httpx2.AsyncClient(base_url=one, timeout=30) as here,
        httpx2.AsyncClient(base_url=other, timeout=30) as there,
    ):
        agent = await new_agent(here)
        async with (
            following(one, agent=agent) as first,
            following(other, agent=agent) as second,
        ):
            await asyncio.gather(_think(here, agent), _think(there, agent))
            async with fault(pair):
                await asyncio.gather(_think(here, agent), _think(there, agent))
                for follower in (first, second):
                    await follower.until(4 * THOUGHTS)
            await asyncio.gather(_think(here, agent), _think(there, agent))
            for follower in (first, second):
                await follower.until(6 * THOUGHTS)
    for follower in (first, second):
        assert follower.ids == list(range(1, 6 * THOUGHTS + 1))
        assert follower.seqs == follower.ids
        assert follower.connections == 1


async def _think(api: httpx2.AsyncClient, agent: str) -> None:
    for number in range(THOUGHTS):
        await think(api, agent, f"What of boat {number}?", use_cache=False)


async def test_a_listener_resumes_at_another_replica(pair: Pair) -> None:
    one, other = pair.addresses
    async with httpx2.AsyncClient(base_url=one, timeout=30) as api:
        agent = await new_agent(api)
        async with listening(other, agent) as events:
            await think(api, agent, "one", "two")
            heard = await take(events, 2)
        await think(api, agent, "three")
        async with listening(one, agent, after=heard[-1].id) as events:
            heard += await take(events, 1)
    assert [event.data["seq"] for event in heard] == [1, 2, 3]


@pytest.mark.parametrize("heard_before", [False, True])
async def test_an_agent_made_anew_tells_nothing_of_its_former_life(
    pair: Pair, heard_before: bool
) -> None:
    """Neither from Valkey nor from the memory of a replica with listeners."""
    one, other = pair.addresses
    async with httpx2.AsyncClient(base_url=one, timeout=30) as here:
        agent = await new_agent(here)
        async with AsyncExitStack() as listeners:
            if heard_before:
                events = await listeners.enter_async_context(listening(other, agent))
            await think(here, agent, "one", "two", "three")
            if heard_before:
                await take(events, 3)
            path = f"/api/thought/agents/{agent}"
            (await here.delete(path)).raise_for_status()
            (await here.put(path, json={})).raise_for_status()
            await think(here, agent, "anew")
            async with listening(other, agent, after=0) as anew:
                await think(here, agent, "and again", "and again and again")
                heard = await take(anew, 3)
            if heard_before:
                (end,) = await take(events, 1)
                assert end.data == {"reason": "removed"}
        born = (
            await here.get("/api/thought/recent", params={"agent_id": agent})
        ).json()
    assert [event.data["id"] for event in heard] == [
        each["id"] for each in reversed(born["thoughts"])
    ]


async def test_a_killed_replica_loses_its_listeners_nothing(pair: Pair) -> None:
    """Thoughts go on at the other; the listener comes back, here or there."""
    one, other = pair.addresses
    async with httpx2.AsyncClient(base_url=other, timeout=30) as there:
        agent = await new_agent(there)
        async with (
            following(one, agent=agent) as stays,
            following(one, other, agent=agent) as moves,
        ):
            await _think(there, agent)
            thinking = asyncio.create_task(_think(there, agent))
            pair.mind.kill(NAME)
            await thinking
            await _think(there, agent)
            for follower in (stays, moves):
                await follower.until(3 * THOUGHTS)
    for follower in (stays, moves):
        assert follower.ids == list(range(1, 3 * THOUGHTS + 1))
        assert follower.connections > 1
    await pair.mind.until_ready(RECOVERY_S)


async def test_a_replica_that_ends_says_so_to_its_listeners(pair: Pair) -> None:
    one, other = pair.addresses
    async with httpx2.AsyncClient(base_url=one, timeout=30) as here:
        agent = await new_agent(here)
        async with following(other, one, agent=agent) as follower:
            await _think(here, agent)
            await follower.until(THOUGHTS)
            await pair.second.stop()
            await _think(here, agent)
            await follower.until(2 * THOUGHTS)
    assert follower.ends == ["stopping"]
    assert follower.ids == list(range(1, 2 * THOUGHTS + 1))
    await pair.second.start()


async def test_after_all_that_replicas_tell_each_other_again(pair: Pair) -> None:
    """What went on by PostgreSQL alone goes by Valkey again."""
    async with (
        pair.valkey() as valkey,
        httpx2.AsyncClient(base_url=pair.second.address, timeout=30) as there,
    ):

        async def told() -> bool:
            agent = await new_agent(there)
            await think(there, agent, "one")
            return bool(await valkey.exists(f"claude-agi:feed:{agent}"))

        await until(told, within_s=RECOVERY_S)
