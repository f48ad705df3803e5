"""What thinking adds to a call of a model, and how much of it goes on at once."""

import asyncio
import gzip
import itertools
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from anthropic import AsyncAnthropic, DefaultAioHttpClient
from tests.support.mind import Mind, running_mind

from benchmarks.connection import Connection, Refused, connected
from benchmarks.corpus import say, shared_data
from benchmarks.figures import Figure, median, percentile
from benchmarks.loading import lines_of, take_in
from benchmarks.model import slow_model
from benchmarks.replicas import NAME as MEMORY
from benchmarks.replicas import settle

MODEL = "claude-haiku-4-5"
MODEL_MS = 50
MEMORIES = 10_000
PAIRS = 300
WARM_UP = 20
CALLERS = 64
CALLED_S = 20.0
HITS = 1_000
GENERATE = "/api/thought/generate"
# A day's money that no run can spend.
BUDGET = {"usd_per_day": 1_000, "tokens_per_day": 1_000_000_000}


async def measure() -> list[Figure]:
    """A mind as `make run` starts it, its streams thinking meanwhile, its model a
    server that takes 50 ms; all calls come through the one address."""
    with slow_model(MODEL_MS) as model:
        settings = {
            "THOUGHT_ENGINE": "anthropic",
            "ANTHROPIC_API_KEY": "none",
            "ANTHROPIC_BASE_URL": model,
        }
        async with (
            running_mind(**settings) as mind,
            connected(mind.address) as connection,
        ):
            await connection.patch("/api/thought/agents/default", {"budget": BUDGET})
            await _tell(mind)
            added = await _added(connection, model)
            hits = await _hits(connection)
            return [*added, *hits, await _rate(mind, connection)]


async def _tell(mind: Mind) -> None:
    with gzip.open(shared_data() / "corpus" / "sentences.txt.gz", "rt") as file:
        memories = [
            {"content": line.strip()} for line in itertools.islice(file, MEMORIES)
        ]
    imported = await take_in(mind.address, "default", lines_of(memories))
    say(f"imported: {imported.counts}, {imported.rate:.0f}/s")
    async with connected(mind.service(MEMORY)) as memory:
        await settle(memory, mind.pid_of(MEMORY), imported.counts["imported"])


async def _added(connection: Connection, model: str) -> list[Figure]:
    """Raw calls by the SDK and thoughts in turn: the difference of each pair."""
    raw, ours, thoughts = [], [], []
    async with AsyncAnthropic(
        api_key="none", base_url=model, http_client=DefaultAioHttpClient()
    ) as client:
        for number in range(WARM_UP + PAIRS):
            context = f"Consider question {number} about the roof."
            raw.append(await _raw_ms(client, context))
            body = {"context": context, "use_cache": False}
            took_ms, thought = await connection.timed_post(GENERATE, body)
            if thought["engine"] != "anthropic":
                raise RuntimeError(f"not by the model: {thought}")
            ours.append(took_ms)
            thoughts.append(thought)
    say(f"parts of a thought, p50: {_parts(thoughts[WARM_UP:])}")
    pairs = zip(ours[WARM_UP:], raw[WARM_UP:], strict=True)
    added = [took_ms - raw_ms for took_ms, raw_ms in pairs]
    note = f"raw call p50 {median(raw[WARM_UP:]):.1f} ms"
    name = f"added to a raw call, {MEMORIES:,} memories"
    return [
        Figure(f"{name}, p50", "ms", 12, percentile(added, 50), note=note),
        Figure(f"{name}, p99", "ms", 40, percentile(added, 99), note=note),
    ]


async def _raw_ms(client: AsyncAnthropic, context: str) -> float:
    begun = time.perf_counter()
    await client.messages.create(
        model=MODEL, max_tokens=300, messages=[{"role": "user", "content": context}]
    )
    return (time.perf_counter() - begun) * 1000


async def _hits(connection: Connection) -> list[Figure]:
    """One context again and again: each hit is judged, recalled and committed."""
    body = {"context": "What was said about the roof?"}
    times, thoughts = [], []
    for _ in range(WARM_UP + HITS):
        took_ms, thought = await connection.timed_post(GENERATE, body)
        times.append(took_ms)
        thoughts.append(thought)
    say(f"parts of a cache hit, p50: {_parts(thoughts[WARM_UP:])}")
    hits = sum(thought["cached"] for thought in thoughts[WARM_UP:])
    note = f"p50 {percentile(times[WARM_UP:], 50):.1f} ms, {hits:,} of {HITS:,} hits"
    p99_ms = percentile(times[WARM_UP:], 99)
    return [Figure("response cache hit, end to end, p99", "ms", 10, p99_ms, note=note)]


async def _rate(mind: Mind, connection: Connection) -> Figure:
    """Different contexts by many callers, each of which waits for its thought."""
    thoughts: list[dict[str, Any]] = []
    refused = 0
    numbers = itertools.count()
    ends = time.perf_counter() + CALLED_S

    async def caller(own: Connection) -> None:
        nonlocal refused
        while time.perf_counter() < ends:
            body = {
                "context": f"What of visitor {next(numbers)}?",
                "stream": "creative",
                "use_cache": False,
            }
            try:
                thoughts.append(await own.post(GENERATE, body))
            except Refused:
                refused += 1

    async with AsyncExitStack() as stack:
        own = [
            await stack.enter_async_context(connected(mind.address))
            for _ in range(CALLERS)
        ]
        begun = time.perf_counter()
        await asyncio.gather(*map(caller, own))
        rate = len(thoughts) / (time.perf_counter() - begun)
    breaks = await _breaks(connection)
    seqs = len({thought["seq"] for thought in thoughts})
    say(f"parts of a thought, {CALLERS} at once, p50: {_parts(thoughts)}")
    note = f"{refused} refused, {len(thoughts) - seqs} doubled, {breaks} breaks"
    name = f"thoughts of {MODEL_MS} ms, {CALLERS} at once"
    return Figure(name, "/s", 60, rate, at_least=True, note=note)


async def _breaks(connection: Connection) -> int:
    """Where the chain does not go on, among the last thoughts."""
    path = "/api/thought/recent?stream=creative&limit=1000"
    chain = (await connection.get(path))["thoughts"]
    return sum(
        after["seq"] != before["seq"] + 1 or after["previous_id"] != before["id"]
        for after, before in itertools.pairwise(chain)
    )


def _parts(thoughts: Sequence[dict[str, Any]]) -> str:
    names = thoughts[0]["timings_ms"]
    return ", ".join(
        f"{name} {median([each['timings_ms'][name] for each in thoughts]):.1f}"
        for name in names
    )
