"""A whole mind as a person starts it: the runner as a process, called over HTTP."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.support.servers import server_folder

READY_S = 90.0
STOP_S = 15.0
# How long a mind may take to be well again after a fault.
RECOVERY_S = 20.0
SERVICES = ("thought-generator", "memory-service", "safety-validator")


def free_ports() -> int:
    """The first of four ports in a row that nobody listens on."""
    while True:
        # Below those that the kernel gives to outgoing connections.
        port = random.randrange(20_000, 32_000)
        held: list[socket.socket] = []
        try:
            for offset in range(4):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        else:
            return port
        finally:
            for each in held:
                each.close()


@dataclass
class Mind:
    """A running mind; `settings` are its environment variables."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_ports)
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """The one address."""
        return f"http://127.0.0.1:{self.port}"

    def service(self, name: str) -> str:
        """A service's own address."""
        return f"http://127.0.0.1:{self.port + 1 + SERVICES.index(name)}"

    @property
    def output(self) -> str:
        """What a person would have seen so far."""
        return (self.folder / "output.txt").read_text(errors="replace")

    async def start(self) -> None:
        """Starts it and waits until every service is ready."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANTHROPIC", "THOUGHT_", "API_KEYS"))
        }
        with (self.folder / "output.txt").open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                Path(sys.executable).parent / "claude-agi",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={
                    **kept,
                    "PORT": str(self.port),
                    "DATA_DIR": str(self.folder / "data"),
                    **self.settings,
                },
            )
        await self.until_ready(READY_S)

    async def until_ready(self, within_s: float = RECOVERY_S) -> None:
        """Waits until each service says that it is ready, and the address answers."""
        try:
            async with asyncio.timeout(within_s):
                async with httpx2.AsyncClient(timeout=2.0) as client:
                    for name in SERVICES:
                        await self._until_ok(client, f"{self.service(name)}/readyz")
        except TimeoutError:
            raise AssertionError(f"not ready in time:\n{self.output}") from None

    async def _until_ok(self, client: httpx2.AsyncClient, url: str) -> None:
        while True:
            assert self.process is not None
            assert self.process.returncode is None, self.output
            with suppress(httpx2.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.05)

    async def stop(self, how: int = signal.SIGINT) -> int:
        """Ends it as Ctrl-C does, with its whole process group."""
        assert self.process is not None
        if self.process.returncode is None:
            os.killpg(self.process.pid, how)
        async with asyncio.timeout(STOP_S):
            return await self.process.wait()

    def pid_of(self, name: str) -> int:
        """The process with that name in its command line: a service, or
        `postgres-primary`, `postgres-replica`, `valkey`."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if _is_named(child, name):
                    return child.pid
        raise AssertionError(f"no process is named {name!r}:\n{self.output}")

    def kill(self, name: str, how: int = signal.SIGKILL) -> None:
        """Sends a signal to one of its processes."""
        os.kill(self.pid_of(name), how)

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """A client of the one address."""
        return httpx2.AsyncClient(
            base_url=self.address, timeout=options.pop("timeout", 30.0), **options
        )


def _is_named(process: psutil.Process, name: str) -> bool:
    line = process.cmdline()
    if name == "valkey":
        return any("valkey-server" in part for part in line)
    if name.startswith("postgres-"):
        role = name.removeprefix("postgres-")
        return f"--cluster_name={role}" in line
    return any(Path(part).name == name for part in line)


@asynccontextmanager
async def running_mind(**settings: str) -> AsyncIterator[Mind]:
    """A mind with a folder of its own, ended and removed whatever happened to it."""
    with server_folder() as folder:
        mind = Mind(folder, settings)
        try:
            await mind.start()
            yield mind
        finally:
            if mind.process is not None and mind.process.returncode is None:
                await mind.stop()
