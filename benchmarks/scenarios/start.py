"""How soon a mind thinks, and a service is ready."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
from tests.support.mind import SERVICES, Mind
from tests.support.servers import server_folder

from benchmarks.figures import Figure, median

RUNS = 5


async def measure() -> list[Figure]:
    """The first start builds the data; what counts are the starts after it."""
    with server_folder() as folder:
        return await _measure(Mind(folder))


async def _measure(mind: Mind) -> list[Figure]:
    await mind.start()
    await mind.stop()
    firsts = [await _first_thought_s(mind) for _ in range(RUNS)]
    figures = [Figure("warm `make run` to the first thought", "s", 6.0, median(firsts))]
    await mind.start()
    try:
        for name in SERVICES:
            seconds = [await _ready_s(mind, name) for _ in range(RUNS)]
            figures.append(Figure(f"{name}: exec to ready", "s", 2.5, median(seconds)))
    finally:
        await mind.stop()
    return figures


async def _first_thought_s(mind: Mind) -> float:
    """From `make run` to a thought that was not there before."""
    shown = len(mind.output)
    begun = time.perf_counter()
    with (mind.folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            ["make", "run"],
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={
                **os.environ,
                "PORT": str(mind.port),
                "DATA_DIR": str(mind.folder / "data"),
            },
        )
    try:
        while "↳" not in mind.output[shown:]:
            assert process.poll() is None, mind.output
            await asyncio.sleep(0.01)
        return time.perf_counter() - begun
    finally:
        os.killpg(process.pid, 2)
        process.wait()


async def _ready_s(mind: Mind, name: str) -> float:
    """The service once more, on a port of its own, beside the one that runs."""
    environment = psutil.Process(mind.pid_of(name)).environ()
    port = mind.port + 3 + 1
    begun = time.perf_counter()
    process = subprocess.Popen(
        [Path(sys.executable).parent / name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            **environment,
            "PORT": str(port),
            "STREAMS_ENABLED": "false",
            # It would wait for the other one to leave its index.
            "INDEX_DIR": str(mind.folder / "index"),
        },
    )
    try:
        async with httpx2.AsyncClient(timeout=2.0) as client:
            while True:
                with suppress(httpx2.HTTPError):
                    answer = await client.get(f"http://127.0.0.1:{port}/readyz")
                    if answer.status_code == 200:
                        return time.perf_counter() - begun
                await asyncio.sleep(0.01)
    finally:
        process.terminate()
        process.wait()
