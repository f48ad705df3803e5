"""A thousand listeners to the live feed: how late they hear, and what they weigh."""

import asyncio
import resource
from datetime import datetime
from typing import Any

import httpx2
from tests.support.llm import mock_model
from tests.support.mind import Mind, running_mind
from tests.support.thinker import second_thinker

from benchmarks.connection import Connection, connected
from benchmarks.corpus import say
from benchmarks.figures import Figure, percentile
from benchmarks.listeners import Arrivals, listeners
from benchmarks.processes import private_mb

NAME = "thought-generator"
LISTENERS = 1000
# Two ends of each listener's connection, and the front between them.
DESCRIPTORS = 4096
THOUGHTS = 60
WARM_UP = 5
PAUSE_S = 0.5
# A listener that has not heard by then has missed it.
MISSING_S = 10.0
AGENTS = 200
STREAMS_EACH = 5
STREAMS_OWNED_S = 240.0
# So long the streams think and the listeners hear before memory is read.
WEIGHING_S = 30.0


async def measure() -> list[Figure]:
    """The listeners come through the one address; thoughts are made at the replica
    they listen at, then at another one."""
    _raise_descriptor_limit()
    figures = await _latency()
    return figures + await _memory()


async def _latency() -> list[Figure]:
    target_ms = 150
    figures = []
    async with (
        running_mind(STREAMS_ENABLED="false") as mind,
        second_thinker(mind) as other,
        listeners(mind.address, ["default"], LISTENERS) as (heard, arrivals),
    ):
        places = {
            "at the same replica": mind.service(NAME),
            "at another": other.address,
        }
        for place, address in places.items():
            async with connected(address) as connection:
                times = await _think(connection, arrivals)
            note = f"{len(times):,} deliveries, {sum(each.lost for each in heard)} cut"
            say(f"{place}: p50 {percentile(times, 50):.0f} ms, {note}")
            figures += [
                Figure(
                    f"commit → {LISTENERS:,} listeners, thought {place}, p{share}",
                    "ms",
                    target_ms,
                    percentile(times, share),
                    note=note,
                )
                for share in (50, 99)
            ]
    return figures


async def _think(connection: Connection, arrivals: Arrivals) -> list[float]:
    """Milliseconds from each commit until each listener had the thought."""
    times = []
    for number in range(WARM_UP + THOUGHTS):
        body = {"context": f"What of boat {number}?", "use_cache": False}
        thought = await connection.post("/api/thought/generate", body)
        at_s = datetime.fromisoformat(thought["created_at"]).timestamp()
        came = await _arrived(arrivals)
        if number >= WARM_UP:
            times += [(each - at_s) * 1000 for each in came]
        await asyncio.sleep(PAUSE_S)
    return times


async def _arrived(arrivals: Arrivals) -> list[float]:
    """When each listener had the one thought that is under way."""
    async with asyncio.timeout(MISSING_S):
        while True:
            for position in list(arrivals.times):
                if arrivals.all_there(position, LISTENERS):
                    return arrivals.times.pop(position)
            await asyncio.sleep(0.05)


async def _memory() -> list[Figure]:
    """The engine that weighs most, many streams owned, many listeners."""
    async with mock_model() as model:
        settings = {
            "THOUGHT_ENGINE": "anthropic",
            "ANTHROPIC_API_KEY": "none",
            "ANTHROPIC_BASE_URL": model.base_url,
        }
        async with running_mind(**settings) as mind:
            alone = private_mb(mind.pid_of(NAME))
            agents = await _make_agents(mind)
            await _until_owned(mind)
            owning = private_mb(mind.pid_of(NAME))
            async with listeners(mind.address, agents, LISTENERS) as (heard, _):
                await asyncio.sleep(WEIGHING_S)
                full = private_mb(mind.pid_of(NAME))
                cut = sum(each.lost for each in heard)
    note = f"{alone:.0f} alone, {owning:.0f} before the listeners, {cut} cut"
    name = f"{LISTENERS:,} listeners, {AGENTS * STREAMS_EACH:,} streams"
    return [Figure(f"{NAME}: private memory, {name}", "MB", 200, full, note=note)]


async def _make_agents(mind: Mind) -> list[str]:
    agents = [f"agent-{number}" for number in range(AGENTS)]
    async with mind.client() as client:
        for agent in agents:
            body: dict[str, Any] = {
                "streams": {
                    f"s{n}": {"interval_seconds": 3600} for n in range(STREAMS_EACH)
                }
            }
            answer = await client.put(f"/api/thought/agents/{agent}", json=body)
            answer.raise_for_status()
    return agents


async def _until_owned(mind: Mind) -> None:
    async with (
        asyncio.timeout(STREAMS_OWNED_S),
        httpx2.AsyncClient(base_url=mind.service(NAME)) as client,
    ):
        while True:
            metrics = (await client.get("/metrics")).text
            owned = next(
                float(line.split()[1])
                for line in metrics.splitlines()
                if line.startswith("active_consciousness_streams ")
            )
            if owned >= AGENTS * STREAMS_EACH:
                return
            await asyncio.sleep(0.5)


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
