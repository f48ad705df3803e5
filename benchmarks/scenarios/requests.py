"""Requests to a mind that runs: the front, the lists, thoughts, and what they cost."""

import asyncio
import time

import httpx2
from tests.support.mind import SERVICES, Mind, running_mind

from benchmarks.figures import Figure, percentile
from benchmarks.processes import private_mb

WARM_UP = 50
PAIRS = 400
LISTS = 500
CALLERS = 16
THOUGHTS = 800
MEMORIES = 1000
PRIVATE_MB = {"thought-generator": 70, "memory-service": 110, "safety-validator": 110}
PLACES = ("harbour", "market", "orchard", "library", "bridge", "station", "garden")
ACTS = ("mended a net", "sold pears", "read aloud", "kept bees", "lost a key")


async def measure() -> list[Figure]:
    """One mind without streams, so that only the requests are measured."""
    async with (
        running_mind(STREAMS_ENABLED="false") as mind,
        mind.client() as client,
    ):
        idle = {name: private_mb(mind.pid_of(name)) for name in SERVICES}
        await _remember(client)
        figures = [await _front(mind), *await _recent(client)]
        figures += await _thoughts(client)
        busy = {name: private_mb(mind.pid_of(name)) for name in SERVICES}
    for name, target in PRIVATE_MB.items():
        figures.append(
            Figure(f"{name}: private memory, idle", "MB", target, idle[name])
        )
        figures.append(Figure(f"{name}: after the requests", "MB", target, busy[name]))
    return figures


async def _remember(client: httpx2.AsyncClient) -> None:
    memories = [
        {
            "content": f"Neighbour {n} {ACTS[n % 5]} at the {PLACES[n % 7]}.",
            "importance": (n % 10) / 10,
        }
        for n in range(MEMORIES)
    ]
    answer = await client.post("/api/memory/batch", json={"memories": memories})
    answer.raise_for_status()


async def _timed_ms(client: httpx2.AsyncClient, url: str) -> float:
    begun = time.perf_counter()
    (await client.get(url)).raise_for_status()
    return (time.perf_counter() - begun) * 1000


async def _front(mind: Mind) -> Figure:
    """The same call through the one address and straight to the service, in turn."""
    path = "/api/thought/agents/default"
    through, straight = [], []
    async with mind.client() as front, httpx2.AsyncClient() as own:
        direct = mind.service("thought-generator") + path
        for _ in range(WARM_UP):
            await _timed_ms(front, path)
            await _timed_ms(own, direct)
        for _ in range(PAIRS):
            through.append(await _timed_ms(front, path))
            straight.append(await _timed_ms(own, direct))
    added = percentile(through, 50) - percentile(straight, 50)
    return Figure("front address over the service's own port, p50", "ms", 1.0, added)


async def _recent(client: httpx2.AsyncClient) -> list[Figure]:
    path = "/api/memory/recent?limit=100"
    for _ in range(WARM_UP):
        await _timed_ms(client, path)
    times = [await _timed_ms(client, path) for _ in range(LISTS)]
    return [
        Figure(
            "GET /api/memory/recent?limit=100, p50", "ms", 5.0, percentile(times, 50)
        ),
        Figure(
            "GET /api/memory/recent?limit=100, p99", "ms", 15.0, percentile(times, 99)
        ),
    ]


async def _thoughts(client: httpx2.AsyncClient) -> list[Figure]:
    """No two contexts are equal, and the response cache is off."""
    numbers = iter(range(THOUGHTS + CALLERS))
    times: list[float] = []

    async def caller() -> None:
        for number in numbers:
            begun = time.perf_counter()
            place = PLACES[number % 7]
            body = {
                "context": f"What of the {place}, number {number}?",
                "use_cache": False,
            }
            (await client.post("/api/thought/generate", json=body)).raise_for_status()
            times.append((time.perf_counter() - begun) * 1000)

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    rate = len(times) / (time.perf_counter() - begun)
    steady = times[CALLERS:]
    return [
        Figure("offline thoughts, 16 at once", "/s", 50.0, rate, at_least=True),
        Figure(
            "offline thoughts, 16 at once, p99", "ms", 200.0, percentile(steady, 99)
        ),
    ]
