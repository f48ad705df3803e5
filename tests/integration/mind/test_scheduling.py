"""Two thinkers beside each other as processes, and what people see of a doze."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import orjson
import pytest
import pytest_asyncio
from tests.support.mind import Mind, running_mind
from tests.support.thinker import Thinker, second_thinker
from tests.support.waiting import until

from contracts.agent import DEFAULT_STREAMS

LEASE_S = 2
# The lease, a breath, the first beat, and a machine that does other things as well.
WITHIN_S = 10.0


@pytest_asyncio.fixture(scope="module")
async def mind() -> AsyncIterator[Mind]:
    """A mind of this module's own, its streams at a quick pace."""
    async with running_mind(LEASE_SECONDS=str(LEASE_S)) as running:
        async with running.client() as client:
            streams = {name: {"interval_seconds": 0.3} for name in DEFAULT_STREAMS}
            await client.patch("/api/thought/agents/default", json={"streams": streams})
        yield running


async def streams_of(address: str) -> int:
    """How many a thinker says that it thinks."""
    async with httpx2.AsyncClient() as client:
        text = (await client.get(f"{address}/metrics")).text
    found = re.search(r"^active_consciousness_streams (\S+)$", text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


async def until_shared(*addresses: str, counts: set[int]) -> None:
    """Waits until the thinkers have these counts, in some order."""

    async def check() -> bool:
        return {await streams_of(address) for address in addresses} == counts

    await until(check, within_s=WITHIN_S)


async def until_all_think(mind: Mind) -> None:
    """Waits until every stream has a thought that it has not now."""
    async with mind.client() as client:

        async def last(stream: str) -> int:
            url = f"/api/thought/recent?stream={stream}&limit=1"
            thoughts = (await client.get(url)).json()["thoughts"]
            return thoughts[0]["seq"] if thoughts else 0

        before = {stream: await last(stream) for stream in DEFAULT_STREAMS}

        async def all_more() -> bool:
            return all([await last(s) > seq for s, seq in before.items()])

        await until(all_more, within_s=WITHIN_S)


async def assert_chains_hold(mind: Mind) -> None:
    async with mind.client() as client:
        for stream in DEFAULT_STREAMS:
            url = f"/api/thought/recent?stream={stream}&limit=1000"
            thoughts = (await client.get(url)).json()["thoughts"]
            seqs = [thought["seq"] for thought in reversed(thoughts)]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


@asynccontextmanager
async def shared_by_two(mind: Mind) -> AsyncIterator[Thinker]:
    async with second_thinker(mind) as second:
        both = mind.service("thought-generator"), second.address
        await until_shared(*both, counts={2, 3})
        await until_all_think(mind)
        yield second


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
async def test_one_who_leaves_is_followed_by_the_other(
    mind: Mind, how: signal.Signals
) -> None:
    async with shared_by_two(mind) as second:
        await second.stop(how)
        await until_shared(mind.service("thought-generator"), counts={5})
    await until_all_think(mind)
    await assert_chains_hold(mind)


async def test_one_who_was_stopped_shares_again_when_it_goes_on(mind: Mind) -> None:
    own = mind.service("thought-generator")
    async with shared_by_two(mind) as second:
        assert second.process is not None
        second.process.send_signal(signal.SIGSTOP)
        await until_shared(own, counts={5})
        await until_all_think(mind)
        second.process.send_signal(signal.SIGCONT)
        await until_shared(own, second.address, counts={2, 3})
        await until_all_think(mind)
        await second.stop()
    await assert_chains_hold(mind)


async def test_a_doze_is_shown_and_told(mind: Mind) -> None:
    told: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()

    async def listen() -> None:
        async with (
            mind.client(timeout=None) as client,
            client.stream("GET", "/api/thought/live?stream=primary") as answer,
        ):
            kind = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind in {"doze", "wake"}:
                    told.put_nowait((kind, orjson.loads(line.removeprefix("data: "))))

    async with mind.client() as client:

        async def dozing() -> dict[str, dict[str, object]]:
            answer = await client.get("/api/thought/agents/default")
            doze: dict[str, dict[str, object]] = answer.json()["dozing"]
            return doze

        assert await dozing() == {}
        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.3)
        pid = mind.pid_of("safety-validator")
        os.kill(pid, signal.SIGSTOP)
        try:

            async def all_doze() -> bool:
                return set(await dozing()) == set(DEFAULT_STREAMS)

            await until(all_doze, within_s=WITHIN_S)
            (primary,) = [v for k, v in (await dozing()).items() if k == "primary"]
        finally:
            os.kill(pid, signal.SIGCONT)

        async def none_dozes() -> bool:
            return await dozing() == {}

        await until(none_dozes, within_s=WITHIN_S)
        async with asyncio.timeout(WITHIN_S):
            kind, data = await told.get()
            assert (kind, data["problem"]) == ("doze", "safety-unavailable")
            assert data["since"] == primary["since"]
            assert data["until"] is primary["until"] is None
            assert (await told.get())[0] == "wake"
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
