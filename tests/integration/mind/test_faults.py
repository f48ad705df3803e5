"""kill -9 of each part while thoughts are made: nothing lost, nothing doubled."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import httpx2
import psutil
import pytest
import pytest_asyncio
from tests.support.mind import SERVICES, Mind, free_ports, running_mind
from tests.support.waiting import until

PARTS = (*SERVICES, "valkey", "postgres-replica", "postgres-primary")
# What a caller may be told while a part is away.
REFUSALS = {503, 504}
# A part that was killed is to be back within this.
RECOVERY_S = 5.0


@pytest_asyncio.fixture(scope="module")
async def mind() -> AsyncIterator[Mind]:
    """A mind of this module's own, its streams at a quick pace."""
    async with running_mind() as running:
        async with running.client() as client:
            facts = [
                {"content": f"Boat {n} came into harbour {n % 7}."} for n in range(60)
            ]
            await client.post("/api/memory/batch", json={"memories": facts})
            streams = {
                name: {"interval_seconds": 0.3} for name in ("primary", "creative")
            }
            await client.patch("/api/thought/agents/default", json={"streams": streams})
        yield running


class Callers:
    """Ask for thoughts and tell memories without a pause; what was acknowledged?"""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self.thoughts: list[dict] = []  # type: ignore[type-arg]
        self.memories: list[str] = []
        self.refused: list[tuple[int, str]] = []
        self.broken = 0

    async def run(self) -> None:
        async with self._mind.client() as client:
            await asyncio.gather(
                *(self._ask(client, n) for n in range(3)), self._tell(client)
            )

    async def _ask(self, client: httpx2.AsyncClient, caller: int) -> None:
        for number in range(1_000_000):
            body = {
                "context": f"Caller {caller} asks of boat {number}",
                "use_cache": False,
            }
            answer = await self._post(client, "/api/thought/generate", body)
            if answer is not None:
                self.thoughts.append(answer)

    async def _tell(self, client: httpx2.AsyncClient) -> None:
        for number in range(1_000_000):
            body = {"content": f"At {time.monotonic_ns()} boat {number} was seen."}
            answer = await self._post(client, "/api/memory", body)
            if answer is not None:
                self.memories.append(answer["id"])
            await asyncio.sleep(0.02)

    async def _post(self, client: httpx2.AsyncClient, url: str, body: dict):  # type: ignore[no-untyped-def, type-arg]
        try:
            answer = await client.post(url, json=body)
        except httpx2.HTTPError:
            self.broken += 1
            await asyncio.sleep(0.02)
            return None
        if answer.status_code in {200, 201}:
            return answer.json()
        self.refused.append((answer.status_code, answer.json()["type"]))
        await asyncio.sleep(0.02)
        return None


async def whole_chain(client: httpx2.AsyncClient, stream: str) -> list[dict]:  # type: ignore[type-arg]
    """Every thought of a stream, oldest first."""
    thoughts: list[dict] = []  # type: ignore[type-arg]
    cursor = ""
    while True:
        url = f"/api/thought/recent?stream={stream}&limit=1000{cursor}"
        page = (await client.get(url)).json()
        thoughts += page["thoughts"]
        if page["next_cursor"] is None:
            return thoughts[::-1]
        cursor = f"&cursor={page['next_cursor']}"


def assert_unbroken(chain: list[dict]) -> None:  # type: ignore[type-arg]
    assert [thought["seq"] for thought in chain] == list(range(1, len(chain) + 1))
    for before, after in pairwise(chain):
        assert after["previous_id"] == before["id"]


async def assert_delivered_once(client: httpx2.AsyncClient, ids: set[str]) -> None:
    """Every thought is a memory, exactly one; the outbox may still be at it."""

    async def found() -> list[str]:
        seen: list[str] = []
        cursor = ""
        while True:
            url = f"/api/memory/recent?memory_type=thought&limit=1000{cursor}"
            page = (await client.get(url)).json()
            seen += [memory["id"] for memory in page["memories"]]
            if page["next_cursor"] is None:
                return seen
            cursor = f"&cursor={page['next_cursor']}"

    async def all_there() -> bool:
        return ids <= set(await found())

    await until(all_there, within_s=20)
    seen = await found()
    assert len(seen) == len(set(seen))


async def thinks_again(mind: Mind) -> float:
    """Seconds until a thought and a memory are accepted again."""
    begun = time.monotonic()
    async with mind.client(timeout=2.0) as client:

        async def accepted() -> bool:
            try:
                thought = await client.post(
                    "/api/thought/generate", json={"context": "Is all well?"}
                )
                memory = await client.post(
                    "/api/memory", json={"content": "All is well."}
                )
            except httpx2.HTTPError:
                return False
            return (thought.status_code, memory.status_code) in {(200, 201), (200, 200)}

        await until(accepted, within_s=20)
    return time.monotonic() - begun


@pytest.mark.parametrize("part", PARTS)
async def test_a_killed_part_loses_nothing(mind: Mind, part: str) -> None:
    callers = Callers(mind)
    calling = asyncio.create_task(callers.run())
    await asyncio.sleep(1.0)
    made = len(callers.thoughts)
    mind.kill(part)
    recovered_s = await thinks_again(mind)
    await asyncio.sleep(1.0)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    await mind.until_ready()

    assert made > 0
    assert len(callers.thoughts) > made
    assert recovered_s < RECOVERY_S
    assert {status for status, _ in callers.refused} <= REFUSALS
    async with mind.client() as client:
        chains = {
            name: await whole_chain(client, name) for name in ("primary", "creative")
        }
        for chain in chains.values():
            assert_unbroken(chain)
        stored = {thought["id"]: thought for thought in chains["primary"]}
        for thought in callers.thoughts:
            assert stored[thought["id"]]["seq"] == thought["seq"]
        for memory_id in callers.memories:
            assert (await client.get(f"/api/memory/{memory_id}")).status_code == 200
        every = {t["id"] for chain in chains.values() for t in chain}
        await assert_delivered_once(client, every)


async def test_without_a_verdict_nothing_is_thought_or_stored(mind: Mind) -> None:
    async with mind.client() as client:
        pid = mind.pid_of("safety-validator")
        os.kill(pid, signal.SIGSTOP)
        try:
            thought, memory = await asyncio.gather(
                client.post("/api/thought/generate", json={"context": "unjudged"}),
                client.post("/api/memory", json={"content": "An unjudged memory."}),
            )
        finally:
            os.kill(pid, signal.SIGCONT)
        for answer in (thought, memory):
            assert answer.status_code == 503
            assert answer.json()["type"].endswith("safety-unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        found = await client.post(
            "/api/memory/recall", json={"query": "An unjudged memory.", "limit": 3}
        )
        contents = [each["content"] for each in found.json()["memories"]]
        assert "An unjudged memory." not in contents
    assert await thinks_again(mind) < RECOVERY_S


async def test_a_thinker_that_slept_through_its_lease_cannot_commit(mind: Mind) -> None:
    """Another takes the streams; when the first wakes up the chain has no fork."""
    environment = psutil.Process(mind.pid_of("thought-generator")).environ()
    second = subprocess.Popen(
        [psutil.Process(mind.pid_of("thought-generator")).cmdline()[1]],
        env={**environment, "PORT": str(mind.port + 4), "LEASE_SECONDS": "2"},
        stdout=subprocess.DEVNULL,
    )
    try:
        pid = mind.pid_of("thought-generator")
        own = f"http://127.0.0.1:{mind.port + 4}"
        async with httpx2.AsyncClient(base_url=own, timeout=5.0) as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx2.HTTPError:
                    return False

            await until(ready, within_s=20)
            os.kill(pid, signal.SIGSTOP)
            try:
                before = len(await whole_chain(client, "creative"))

                async def taken_over() -> bool:
                    return len(await whole_chain(client, "creative")) > before + 2

                await until(taken_over, within_s=25)
            finally:
                os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(2.0)
            for stream in ("primary", "creative"):
                assert_unbroken(await whole_chain(client, stream))
    finally:
        second.terminate()
        second.wait()
    await mind.until_ready()


async def test_the_mind_goes_on_where_it_stopped(mind: Mind) -> None:
    async with mind.client() as client:
        before = {
            name: await whole_chain(client, name) for name in ("primary", "creative")
        }
        agent = (await client.get("/api/thought/agents/default")).json()
    begun = time.monotonic()
    assert await mind.stop() == 0
    assert time.monotonic() - begun < 5.0 + 1.0
    await mind.start()
    async with mind.client() as client:
        for name, chain in before.items():
            after = await whole_chain(client, name)
            assert after[: len(chain)] == chain
            assert_unbroken(after)
        now = (await client.get("/api/thought/agents/default")).json()
    # A stream may wait for a service that starts beside it.
    waits = {"state", "dozing"}
    assert {n: agent[n] for n in agent if n not in waits} == {
        n: now[n] for n in now if n not in waits
    }


async def test_a_thinker_that_finds_no_database_is_alive_and_says_so() -> None:
    port = free_ports()
    nowhere = "postgresql://nobody@/none?host=/nowhere"
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "thought-generator",
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PORT": str(port), "DATABASE_URL": nowhere},
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def lives() -> bool:
                with suppress(httpx2.HTTPError):
                    return (await client.get("/livez")).status_code == 200
                return False

            await until(lives)
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"] == {"database": "no connection yet"}
            asked = await client.get("/api/thought/recent")
            assert asked.status_code == 503
    finally:
        process.terminate()
        await process.wait()
