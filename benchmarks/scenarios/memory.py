"""A million memories of one agent: how they come in, are recalled and come back."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import asyncpg
import psutil
from tests.support.mind import Mind, running_mind

from benchmarks import conversations, encoder
from benchmarks.alone import embed_alone
from benchmarks.connection import Connection, connected
from benchmarks.corpus import EXACT_TOP, Corpus, prepare, say
from benchmarks.figures import Figure, percentile
from benchmarks.loading import lines_of, parts_of, row_of, take_in, write_lines
from benchmarks.processes import mapped_mb, private_mb
from benchmarks.replicas import (
    NAME,
    second_replica,
    settle,
    size_bytes,
    visible_ms,
)

WARM_UP = 50
SEQUENTIAL = 1000
CALLERS = 8
AT_ONCE = 3000
TEXTS = 2000
LISTS = 300
VISIBLE = 200
MAX_PRIVATE_MB = 150
MAX_MAPPED_MB = 1000
RECENT = "/api/memory/recent?limit=100"


async def measure(memories: int) -> list[Figure]:
    """All figures in one run: one mind without streams, called at the service's own
    port, the client on the same cores."""
    corpus = prepare(memories)
    unseen = iter(corpus.unseen)
    figures = encoder.measure(corpus.queries, corpus.unseen)
    async with running_mind(STREAMS_ENABLED="false") as mind:
        address, pid = mind.service(NAME), mind.pid_of(NAME)
        figures.append(await _import(mind, corpus))
        async with connected(address) as connection:
            stats = await settle(connection, pid, memories)
            kind = f"{memories:,} memories, index {stats['index']['kind']}"
            figures += await _recall(connection, corpus, unseen, kind)
            figures += await _recall_at_once(address, unseen, kind)
            figures += await _recent(connection, unseen)
            figures += [
                Figure(
                    "private memory", "MB", MAX_PRIVATE_MB, private_mb(pid), note=kind
                ),
                Figure("mapped files in memory", "MB", MAX_MAPPED_MB, mapped_mb(pid)),
            ]
            figures.append(await _stored_bytes(mind, memories))
            figures += await _restart(mind, connection, unseen)
            figures.append(await _import_texts(address, unseen))
            figures += await conversations.measure(address, connection)
    return figures


async def _import(mind: Mind, corpus: Corpus) -> Figure:
    file = mind.folder / "import.ndjson"
    say("writing the lines")
    write_lines(corpus, file)
    imported = await take_in(mind.service(NAME), "default", parts_of(file))
    file.unlink()
    if imported.counts["imported"] != corpus.memories:
        raise RuntimeError(f"not all were imported: {imported.counts}")
    return Figure(
        "import with embeddings",
        "/s",
        8000,
        imported.rate,
        at_least=True,
        note=f"{corpus.memories:,} lines in {imported.seconds:.0f} s",
    )


async def _import_texts(address: str, unseen: Iterator[str]) -> Figure:
    """Beside the encoder alone on the same texts, before and after."""
    texts = list(islice(unseen, TEXTS))
    before = embed_alone(texts)
    imported = await take_in(
        address, "texts", lines_of({"content": text} for text in texts)
    )
    own = (before.rate + embed_alone(texts).rate) / 2
    return Figure(
        "import of text alone, beside the embedder's own rate",
        "%",
        85,
        imported.rate / own * 100,
        at_least=True,
        note=f"{imported.rate:.0f} and {own:.0f} texts a second",
    )


async def _recall(
    connection: Connection, corpus: Corpus, unseen: Iterator[str], note: str
) -> list[Figure]:
    """One after the other, each query once."""
    for query in islice(unseen, WARM_UP):
        await _ask(connection, query, "hybrid")
    asked = islice(unseen, SEQUENTIAL)
    hybrid = [(await _ask(connection, query, "hybrid"))[0] for query in asked]
    semantic, hits = [], 0
    for query, exact in zip(corpus.queries, corpus.exact.tolist(), strict=True):
        took_ms, rows = await _ask(connection, query, "semantic")
        semantic.append(took_ms)
        hits += len(set(rows) & set(exact))
    return [
        *_times("recall, unseen query, hybrid", hybrid, 5, 10, note),
        *_times("recall, unseen query, semantic", semantic, 5, 10, note),
        Figure(
            "recall@10, semantic, beside exact search",
            "",
            0.99,
            hits / len(corpus.queries) / EXACT_TOP,
            at_least=True,
            note=note,
        ),
    ]


async def _ask(
    connection: Connection, query: str, mode: str
) -> tuple[float, list[int]]:
    body = {"query": query, "mode": mode, "limit": EXACT_TOP}
    took_ms, answer = await connection.timed_post("/api/memory/recall", body)
    return took_ms, [row_of(memory["id"]) for memory in answer["memories"]]


async def _recall_at_once(
    address: str, unseen: Iterator[str], note: str
) -> list[Figure]:
    queries = islice(unseen, AT_ONCE)
    times: list[float] = []

    async def caller() -> None:
        async with connected(address) as connection:
            for query in queries:
                took_ms, _ = await _ask(connection, query, "hybrid")
                times.append(took_ms)

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    rate = len(times) / (time.perf_counter() - begun)
    name = f"recall, unseen query, hybrid, {CALLERS} at once"
    return [
        Figure(name, "/s", 250, rate, at_least=True, note=note),
        Figure(f"{name}, p99", "ms", 40, percentile(times, 99), note=note),
    ]


async def _recent(connection: Connection, unseen: Iterator[str]) -> list[Figure]:
    """A write between two lists takes away what a cache knows of the agent."""
    for _ in range(WARM_UP):
        await connection.get(RECENT)
    cached = [await connection.timed_get(RECENT) for _ in range(LISTS)]
    fresh = []
    for text in _told(unseen, LISTS):
        await connection.post("/api/memory", {"content": text})
        fresh.append(await connection.timed_get(RECENT))
    return [
        Figure("recent?limit=100 again, p99", "ms", 2, percentile(cached, 99)),
        Figure("recent?limit=100 after a write, p99", "ms", 10, percentile(fresh, 99)),
    ]


async def _stored_bytes(mind: Mind, memories: int) -> Figure:
    """Tables with their indexes, and the files of the vector index."""
    told = psutil.Process(mind.pid_of(NAME)).environ()
    database = await asyncpg.connect(told["DATABASE_URL"])
    tables = await database.fetchval(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
        " WHERE relnamespace = 'memory'::regnamespace AND relkind IN ('r', 'm')"
    )
    await database.close()
    index = size_bytes(Path(told["INDEX_DIR"])) if "INDEX_DIR" in told else 0
    note = (
        f"{int(tables) / memories:.0f} in PostgreSQL, {index / memories:.0f} of files"
    )
    return Figure(
        "bytes a memory", "B", 3500, (int(tables) + index) / memories, note=note
    )


async def _restart(
    mind: Mind, connection: Connection, unseen: Iterator[str]
) -> list[Figure]:
    async with second_replica(mind) as replica:
        fresh_s = await replica.start()
        async with connected(replica.address) as other:
            visible = [
                await visible_ms(connection, other, text)
                for text in _told(unseen, VISIBLE)
            ]
        await replica.stop()
        kept = size_bytes(replica.index)
        again_s = await replica.start() if kept else None
    return [
        Figure("a fresh replica is ready", "s", 60, fresh_s),
        Figure(
            "a replica is ready again, from its snapshot",
            "s",
            2.5,
            again_s,
            note="" if kept else "it left no snapshot",
        ),
        Figure(
            "write → recalled on another replica, p50",
            "ms",
            100,
            percentile(visible, 50),
        ),
        Figure(
            "write → recalled on another replica, p99",
            "ms",
            100,
            percentile(visible, 99),
        ),
    ]


def _told(unseen: Iterator[str], count: int) -> Iterator[str]:
    """Numbered, so that none is merged into a memory that says the same."""
    for number, text in enumerate(islice(unseen, count)):
        yield f"{text} (entry {number})"


def _times(
    name: str, times: Sequence[float], p50_ms: float, p99_ms: float, note: str
) -> list[Figure]:
    return [
        Figure(f"{name}, p50", "ms", p50_ms, percentile(times, 50), note=note),
        Figure(f"{name}, p99", "ms", p99_ms, percentile(times, 99), note=note),
    ]
