"""What a mind costs that nobody talks to: five streams at the default pace."""

import asyncio

import httpx2
from tests.support.mind import running_mind

from benchmarks.figures import Figure
from benchmarks.processes import cpu_seconds, tree

SETTLE_S = 15.0
WATCH_S = 60.0
MEMORIES = 200


async def measure() -> list[Figure]:
    """CPU of the runner and everything below it, databases included."""
    async with running_mind() as mind:
        async with mind.client() as client:
            await _remember(client)
        await asyncio.sleep(SETTLE_S)
        assert mind.process is not None
        pids = tree(mind.process.pid)
        before = cpu_seconds(pids)
        await asyncio.sleep(WATCH_S)
        used = cpu_seconds(pids) - before
    return [
        Figure("idle mind, 5 streams, offline", "% CPU", 20.0, used / WATCH_S * 100)
    ]


async def _remember(client: httpx2.AsyncClient) -> None:
    memories = [
        {"content": f"On day {n} it rained on hill {n}."} for n in range(MEMORIES)
    ]
    answer = await client.post("/api/memory/batch", json={"memories": memories})
    answer.raise_for_status()
