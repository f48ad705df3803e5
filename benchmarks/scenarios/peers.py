"""The same vectors and queries by vector stores of others, one after the other."""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.mind import running_mind
from tests.support.servers import server_folder

from benchmarks.alone import embed_alone
from benchmarks.connection import connected
from benchmarks.corpus import EXACT_TOP, ROOT, Corpus, prepare, say
from benchmarks.environments import environment
from benchmarks.figures import Figure, percentile
from benchmarks.loading import parts_of, row_of, take_in, write_lines
from benchmarks.processes import private_mb
from benchmarks.replicas import NAME, settle
from devstack.postgres import Postgres

PGVECTOR = "pgvector"
PEERS = (PGVECTOR, "Chroma", "LanceDB", "Milvus Lite")
PROGRAM = ROOT / "benchmarks" / "peers.py"
REQUIREMENTS = ROOT / "benchmarks" / "peers.txt"
WARM_UP = 50
# They warn of themselves at every search.
QUIET = {"RUST_LOG": "off", "LANCE_LOG": "off"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One store: recall@10, milliseconds of each query, memory."""

    setting: str
    recall: float
    times_ms: list[float]
    private_mb: float


async def measure(memories: int) -> list[Figure]:
    """Ours beside each peer; the target is what the peer reached."""
    corpus = prepare(memories)
    python = environment("peers", REQUIREMENTS)
    theirs = {}
    for name in PEERS:
        say(f"{name}: building and searching")
        with server_folder() as folder:
            if name == PGVECTOR:
                async with _pgvector(folder) as server:
                    theirs[name] = _run(python, name, corpus, folder, *server)
            else:
                theirs[name] = _run(python, name, corpus, folder)
    ours = await _ours(corpus)
    return [
        figure
        for name, peer in theirs.items()
        for figure in _compare(ours, name, peer, memories)
    ]


def _compare(ours: Measured, name: str, peer: Measured, memories: int) -> list[Figure]:
    note = f"{peer.setting}, recall {peer.recall:.3f}; ours {ours.recall:.3f}"
    beside = f"{memories:,} memories, ours beside {name}"
    return [
        *(
            Figure(
                f"{beside}, p{share}",
                "ms",
                percentile(peer.times_ms, share),
                percentile(ours.times_ms, share),
                note=note,
            )
            for share in (50, 99)
        ),
        Figure(f"{beside}, private memory", "MB", peer.private_mb, ours.private_mb),
    ]


def _run(
    python: Path, name: str, corpus: Corpus, folder: Path, *server: str
) -> Measured:
    """Built by one process and searched by the next, as after a restart."""

    def step(which: str, width: int = 0) -> Any:
        places = [str(corpus.folder), str(folder), str(width)]
        command = [str(python), str(PROGRAM), name, which, *places, *server]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, env=os.environ | QUIET
        )
        return json.loads(done.stdout)

    say(f"{name}: built in {step('build')['build_s']:.0f} s")
    found = Measured(**step("measure", step("tune")["width"]))
    say(
        f"{name}: {found.setting}, recall {found.recall:.3f}, p50 "
        f"{percentile(found.times_ms, 50):.2f} ms, {found.private_mb:.0f} MB"
    )
    return found


@asynccontextmanager
async def _pgvector(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """A PostgreSQL as the mind's own is: DSN and process id."""
    async with Postgres.primary(folder) as server:
        yield server.dsn(), str(server.pid)


async def _ours(corpus: Corpus) -> Measured:
    """Over HTTP, from the text: what the encoder alone takes for each is taken off."""
    async with running_mind(STREAMS_ENABLED="false") as mind:
        address, pid = mind.service(NAME), mind.pid_of(NAME)
        file = mind.folder / "import.ndjson"
        write_lines(corpus, file)
        await take_in(address, "default", parts_of(file))
        times_ms, hits = [], 0
        async with connected(address) as connection:
            stats = await settle(connection, pid, corpus.memories)
            for text in corpus.unseen[:WARM_UP]:
                await connection.post("/api/memory/recall", {"query": text})
            for query, exact in zip(corpus.queries, corpus.exact.tolist(), strict=True):
                body = {"query": query, "mode": "semantic", "limit": EXACT_TOP}
                took, answer = await connection.timed_post("/api/memory/recall", body)
                times_ms.append(took)
                rows = {row_of(memory["id"]) for memory in answer["memories"]}
                hits += len(rows.intersection(exact))
        private = private_mb(pid)
    embedding = embed_alone(corpus.queries)
    apart = [a - b for a, b in zip(times_ms, embedding.times_ms, strict=True)]
    recall = hits / len(corpus.queries) / EXACT_TOP
    return Measured(stats["index"]["kind"], recall, apart, private)
