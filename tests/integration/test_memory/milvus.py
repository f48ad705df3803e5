"""Milvus Lite as a server of its own, for what speaks to a Milvus."""

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymilvus import MilvusClient

PROGRAM = Path(sys.executable).parent / "milvus-lite"
START_S = 30.0


class MilvusServer:
    """A server on the loopback that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it listens."""
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "server",
            f"--data-dir={self._folder}",
            "--host=127.0.0.1",
            f"--port={self._port}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_S):
            while not self._listens():
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Ends it; what it was told stays."""
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    def client(self) -> Any:
        """A connection beside the service's."""
        return MilvusClient(self.uri, timeout=10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@asynccontextmanager
async def milvus_server() -> AsyncIterator[MilvusServer]:
    """A server with a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="milvus-", dir="/tmp") as folder:
        server = MilvusServer(Path(folder))
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
