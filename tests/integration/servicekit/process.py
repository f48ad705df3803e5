"""The pod as a process of its own."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from tests.integration.servicekit.servers import until

ROOT = Path(__file__).parents[3]
STOP_S = 15.0


@dataclass
class Pod:
    """A process, what it said, and how it is called."""

    process: asyncio.subprocess.Process
    folder: Path
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """Standard output so far."""
        return (self.folder / "output").read_text()

    @property
    def errors(self) -> str:
        """Standard error so far."""
        return (self.folder / "errors").read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log so far; every whole line of it must be an object."""
        whole = self.output.rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    async def wait(self) -> int:
        """Waits for its end; returns its exit code."""
        async with asyncio.timeout(STOP_S):
            return await self.process.wait()

    async def until_listening(self) -> None:
        """Waits until it answers."""
        async with httpx2.AsyncClient() as client:

            async def answers() -> bool:
                assert self.process.returncode is None, self.output + self.errors
                with contextlib.suppress(httpx2.HTTPError):
                    return (await client.get(f"{self.address}/livez")).is_success
                return False

            await until(answers)


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """A port that no other process is given, and on which one may listen."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        # Set now, so that another holder does not get it; a listener sets it as well.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield holder.getsockname()[1]


@contextlib.asynccontextmanager
async def start_module(
    module: str, *arguments: str, **settings: str
) -> AsyncIterator[Pod]:
    """Starts it with those variables and no others of a service; ends it at last."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "PYTHONPATH")
        if name in os.environ
    }
    with held_port() as port, tempfile.TemporaryDirectory(prefix="pod-") as made:
        folder = Path(made)
        with (
            (folder / "output").open("wb") as out,
            (folder / "errors").open("wb") as err,
        ):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                cwd=ROOT,
                env={**kept, "PORT": str(port), **settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        try:
            yield Pod(process, folder, port)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def start_pod(
    *arguments: str, **settings: str
) -> contextlib.AbstractAsyncContextManager[Pod]:
    """The small service."""
    return start_module("tests.integration.servicekit.pod", *arguments, **settings)
