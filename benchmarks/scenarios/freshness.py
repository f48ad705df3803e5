"""Many write at once through two replicas: nothing is missing in either's index."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
from tests.support.mind import running_mind

from benchmarks.connection import connected
from benchmarks.corpus import say
from benchmarks.figures import Figure, percentile
from benchmarks.loading import lines_of, take_in, vector_fields
from benchmarks.replicas import NAME, second_replica, settle, visible_ms
from embedding.manifest import DIMENSION

# Imports at once, every other one through the other replica.
WRITERS = 8
# Memories of one session: what one recall can return, so that sets can be compared.
SESSION = 1000
# Single writes meanwhile, one after the other.
PAUSE_S = 0.2


async def measure(writes: int) -> list[Figure]:
    """Imports write concurrently to one agent; meanwhile single writes through one
    replica are looked for through the other. At the end the index of each replica is
    asked for every session by recall."""
    async with (
        running_mind(STREAMS_ENABLED="false") as mind,
        second_replica(mind) as replica,
    ):
        await replica.start()
        addresses = (mind.service(NAME), replica.address)
        sessions = writes // SESSION
        done = asyncio.Event()
        probing = asyncio.create_task(_probe(*addresses, done))
        begun = time.perf_counter()
        await asyncio.gather(
            *(_write(addresses[n % 2], n, sessions) for n in range(WRITERS))
        )
        rate = sessions * SESSION / (time.perf_counter() - begun)
        say(f"{sessions * SESSION:,} written, {rate:.0f}/s")
        done.set()
        times = await probing
        pids = (mind.pid_of(NAME), replica.pid)
        missed = [
            await _missed(address, pid, sessions, len(times))
            for address, pid in zip(addresses, pids, strict=True)
        ]
    note = f"of {sessions * SESSION:,} by {WRITERS} at once, {rate:.0f}/s"
    probes = f"{len(times)} writes meanwhile"
    name = "write → recalled on another replica, under load"
    # Half a memory: a target of none has no ratio.
    return [
        Figure("missed by two replicas", "memories", 0.5, sum(missed), note=note),
        Figure(f"{name}, p50", "ms", 100, percentile(times, 50), note=probes),
        Figure(f"{name}, p99", "ms", 100, percentile(times, 99), note=probes),
    ]


async def _write(address: str, writer: int, sessions: int) -> None:
    random = np.random.default_rng(writer)

    def memories() -> Iterator[dict[str, Any]]:
        for session in range(writer, sessions, WRITERS):
            for number in range(SESSION):
                vector = random.normal(size=DIMENSION)
                vector /= np.linalg.norm(vector)
                yield {
                    "content": f"Entry {number} of book {session}",
                    "session_id": f"book-{session}",
                    "metadata": {"number": number},
                    **vector_fields(vector),
                }

    imported = await take_in(address, "default", lines_of(memories()))
    assert not imported.counts["failed"], imported


async def _probe(one: str, other: str, done: asyncio.Event) -> list[float]:
    times = []
    async with connected(one) as writer, connected(other) as reader:
        while not done.is_set():
            text = f"The note {uuid4().hex} was left on the table."
            times.append(await visible_ms(writer, reader, text))
            await asyncio.sleep(PAUSE_S)
    return times


async def _missed(address: str, pid: int, sessions: int, probes: int) -> int:
    """Numbers that a semantic recall of a whole session does not return."""
    missed = 0
    async with connected(address) as connection:
        await settle(connection, pid, sessions * SESSION + probes)
        for session in range(sessions):
            query = {
                "query": "an entry of a book",
                "mode": "semantic",
                "limit": SESSION,
                "filters": {"session_id": f"book-{session}"},
            }
            answer = await connection.post("/api/memory/recall", query)
            numbers = {each["metadata"]["number"] for each in answer["memories"]}
            missed += SESSION - len(numbers)
    return missed
