"""Imports as a client sends them."""

import base64
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.corpus import Corpus, say
from embedding import MODEL_NAME

# Memories of two years, one after the other.
SPAN = timedelta(days=730)
CHUNK_BYTES = 1 << 20
PROGRESS_S = 15.0
_ROW_BITS = 62


@dataclass(frozen=True, slots=True)
class Imported:
    """What the last line said, and how long it took to come."""

    counts: dict[str, int]
    seconds: float

    @property
    def rate(self) -> float:
        """Memories a second."""
        return self.counts["imported"] / self.seconds


def memory_id(row: int, at: datetime) -> str:
    """A UUIDv7 that carries the row's number in its random part."""
    milliseconds = int(at.timestamp() * 1000)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | 2 << _ROW_BITS | row))


def row_of(identity: str) -> int:
    """The row that an id of `memory_id` carries."""
    return UUID(identity).int & (1 << _ROW_BITS) - 1


def write_lines(corpus: Corpus, file: Path) -> None:
    """The whole corpus as an import takes it, so that making lines takes no time of
    the import."""
    begin = datetime.now(UTC) - SPAN
    step = SPAN / corpus.memories
    with file.open("wb") as output:
        for row, (text, vector) in enumerate(
            zip(corpus.texts(), corpus.vectors, strict=True)
        ):
            at = begin + row * step
            fields = {"id": memory_id(row, at), "content": text, "timestamp": at}
            output.write(orjson.dumps(fields | vector_fields(vector)) + b"\n")


def vector_fields(vector: NDArray[np.floating[Any]]) -> dict[str, str]:
    """A vector as an import takes it."""
    encoded = base64.b64encode(vector.astype("<f2").tobytes()).decode()
    return {"embedding": encoded, "embedding_model": MODEL_NAME}


def lines_of(memories: Iterable[dict[str, Any]], at_once: int = 500) -> Iterator[bytes]:
    """Memories as the parts of a body."""
    pending = iter(memories)
    while part := list(islice(pending, at_once)):
        yield b"".join(orjson.dumps(each) + b"\n" for each in part)


def parts_of(file: Path) -> Iterator[bytes]:
    """A file as the parts of a body."""
    with file.open("rb") as content:
        while part := content.read(CHUNK_BYTES):
            yield part


async def take_in(address: str, agent_id: str, parts: Iterable[bytes]) -> Imported:
    """Sends an import and reads its answer meanwhile, until all is acknowledged."""

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    begun = said = time.perf_counter()
    last = b""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.post(
            f"{address}/api/memory/import",
            params={"agent_id": agent_id, "safety": "patterns"},
            data=body(),
            headers={"Content-Type": "application/x-ndjson"},
        ) as answer,
    ):
        answer.raise_for_status()
        async for line in answer.content:
            last = line
            now = time.perf_counter()
            if now - said > PROGRESS_S:
                said = now
                say(f"import, {now - begun:.0f} s: {line.decode().strip()}")
    counts: dict[str, int] = orjson.loads(last)
    if not {"imported", "skipped", "failed"} <= counts.keys():
        raise RuntimeError(f"the import broke off after {last!r}")
    return Imported(counts, time.perf_counter() - begun)
