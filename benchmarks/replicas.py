"""Replicas of memory-service: the mind's own, and further ones beside it."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
from tests.support.mind import Mind

from benchmarks.connection import Connection
from benchmarks.corpus import say
from benchmarks.processes import cpu_seconds

NAME = "memory-service"
# A fresh replica of a million may build its index first.
READY_S = 600.0
STOP_S = 120.0
# Its port is the mind's plus this: the mind itself uses the first four.
PORT_OFFSET = 4
# Quiet: so little CPU in so long, with nothing left to apply.
QUIET_SHARE = 0.15
QUIET_S = 4.0
SETTLE_S = 1800.0
# A write that is not found after so long is missing.
MISSING_S = 30.0


@dataclass
class Replica:
    """One more process of the service, with an index folder of its own."""

    address: str
    environment: Mapping[str, str]
    index: Path
    process: asyncio.subprocess.Process | None = field(default=None)

    @classmethod
    def beside(cls, mind: Mind) -> "Replica":
        """Told what the mind's own was told, but for its port and its folder."""
        port = mind.port + PORT_OFFSET
        index = mind.folder / "index"
        told = psutil.Process(mind.pid_of(NAME)).environ()
        own = {"PORT": str(port), "INDEX_DIR": str(index)}
        return cls(f"http://127.0.0.1:{port}", {**told, **own}, index)

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> float:
        """Seconds from exec to the first 200 of `/readyz`."""
        self.index.mkdir(exist_ok=True)
        begun = time.perf_counter()
        self.process = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / NAME,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self.environment),
        )
        async with (
            asyncio.timeout(READY_S),
            httpx2.AsyncClient(timeout=5.0) as client,
        ):
            while True:
                with suppress(httpx2.HTTPError):
                    answer = await client.get(f"{self.address}/readyz")
                    if answer.status_code == 200:
                        return time.perf_counter() - begun
                if self.process.returncode is not None:
                    raise RuntimeError(f"{NAME} ended at its start")
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Ends it as a pod is ended; it may save its index before."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            async with asyncio.timeout(STOP_S):
                await self.process.wait()

    def forget(self) -> None:
        """Takes its index folder away, as a new pod's is empty."""
        shutil.rmtree(self.index, ignore_errors=True)


@asynccontextmanager
async def second_replica(mind: Mind) -> AsyncIterator[Replica]:
    """One that is ended whatever happens; the caller starts it."""
    replica = Replica.beside(mind)
    try:
        yield replica
    finally:
        with suppress(ProcessLookupError):
            await replica.stop()


def size_bytes(folder: Path) -> int:
    """Of all files below a folder, 0 where there is none."""
    found = 0
    for base, _, names in os.walk(folder):
        found += sum((Path(base) / name).stat().st_size for name in names)
    return found


async def settle(
    connection: Connection, pid: int, memories: int, agent_id: str = "default"
) -> dict[str, Any]:
    """Waits until the index holds them and the process is quiet; its statistics."""
    async with asyncio.timeout(SETTLE_S):
        while True:
            begun, used = time.perf_counter(), cpu_seconds([pid])
            await asyncio.sleep(QUIET_S)
            share = (cpu_seconds([pid]) - used) / (time.perf_counter() - begun)
            stats: dict[str, Any] = await connection.get(
                f"/api/memory/stats?agent_id={agent_id}"
            )
            index = stats["index"]
            if (
                index["vectors"] >= memories
                and not index["lag"]
                and share < QUIET_SHARE
            ):
                say(f"index: {index}")
                return stats


async def visible_ms(writer: Connection, reader: Connection, text: str) -> float:
    """From the answer to a write until a recall elsewhere that has found it has
    answered. The recall is repeated without a pause and without X-Min-Seq."""
    written = await writer.post("/api/memory", {"content": text})
    begun = time.perf_counter()
    query = {"query": text, "mode": "semantic", "limit": 3}
    while time.perf_counter() - begun < MISSING_S:
        answer = await reader.post("/api/memory/recall", query)
        if any(found["id"] == written["id"] for found in answer["memories"]):
            return (time.perf_counter() - begun) * 1000
    raise RuntimeError(f"never found on the other replica: {text}")
