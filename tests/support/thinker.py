"""A second thought-generator beside a mind's own."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from tests.support.mind import Mind
from tests.support.waiting import until

NAME = "thought-generator"
# The mind itself uses the first four ports.
PORT_OFFSET = 4
READY_S = 30.0


@dataclass
class Thinker:
    """One more process of the service, on the mind's databases."""

    port: int
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process | None = field(default=None)

    @classmethod
    def beside(cls, mind: Mind, **settings: str) -> "Thinker":
        """Told what the mind's own was told, but for its port and `settings`."""
        port = mind.port + PORT_OFFSET
        told = psutil.Process(mind.pid_of(NAME)).environ()
        return cls(port, {**told, "PORT": str(port), **settings})

    @property
    def address(self) -> str:
        """Its own address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Starts it and waits until it is ready."""
        self.process = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / NAME,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self.environment),
        )
        async with self.client() as client:

            async def ready() -> bool:
                with suppress(httpx2.HTTPError):
                    return (await client.get("/readyz")).status_code == 200
                return False

            await until(ready, within_s=READY_S)

    async def stop(self, how: int = signal.SIGTERM) -> None:
        """Ends it, as a pod is ended or otherwise."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await self.process.wait()

    def client(self) -> httpx2.AsyncClient:
        """A client of its own address."""
        return httpx2.AsyncClient(base_url=self.address, timeout=10.0)


@asynccontextmanager
async def second_thinker(mind: Mind, **settings: str) -> AsyncIterator[Thinker]:
    """One that runs, and is ended whatever happens to it."""
    thinker = Thinker.beside(mind, **settings)
    try:
        await thinker.start()
        yield thinker
    finally:
        # A stopped process takes no other signal.
        await thinker.stop(signal.SIGKILL)
