"""Valkey on a unix socket: a cache that keeps nothing.

async with Valkey.of(folder) as valkey:
    client = redis.asyncio.from_url(valkey.url)
"""

import asyncio
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack.errors import StackError
from devstack.logs import RotatingLog
from devstack.processes import Command, Process
from devstack.store import Store

# Cached embeddings, responses and the live feed's backlog; the oldest gives way.
MAX_MEMORY = "64mb"
READY_TIMEOUT_S = 5.0
READY_POLL_S = 0.01
STOP_S = 0.5


class Valkey:
    """One server."""

    def __init__(self, store: Store) -> None:
        self.title = "Valkey"
        self._store = store
        self._log = RotatingLog(store.logs / "valkey.log")
        self._socket = store.run / "valkey.sock"
        self.process: Process | None = None

    @classmethod
    def of(cls, folder: Path) -> "Valkey":
        """The server whose socket and log are in `folder`."""
        return cls(Store.prepare(folder))

    @property
    def url(self) -> str:
        """For redis clients."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        """Raises StackError where it was not started."""
        if self.process is None:
            raise StackError("Valkey is not running")
        return self.process.pid

    async def start(self) -> None:
        """Starts and returns when it answers; raises StackError."""
        # A dead server's socket file would keep the new one from binding.
        self._socket.unlink(missing_ok=True)
        self.process = await Process.spawn("valkey", self._command(), self._log)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._until_ready(self.process)
        except TimeoutError:
            await self.stop()
            raise self._failure("does not answer") from None

    async def stop(self) -> None:
        """Stops; there is nothing to save."""
        if self.process is not None:
            await self.process.stop((signal.SIGTERM, STOP_S))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _command(self) -> Command:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "maxmemory": MAX_MEMORY,
            "maxmemory-policy": "allkeys-lru",
            "daemonize": "no",
        }
        options = [
            part for key, value in settings.items() for part in (f"--{key}", value)
        ]
        return Command(
            arguments=(self._store.programs.valkey, *options),
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            folder=self._store.run,
            account=self._store.account,
        )

    async def _until_ready(self, process: Process) -> None:
        while not await self._answers():
            if not process.alive:
                await process.wait()
                raise self._failure(f"ended at start ({process.describe_end()})")
            await asyncio.sleep(READY_POLL_S)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        except OSError:
            return False
        finally:
            writer.close()

    def _failure(self, what: str) -> StackError:
        lines = self._log.tail()
        return StackError("\n  ".join([f"{self.title} {what}", *lines]))
