"""A service as a process of its own."""

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path


class ServiceProcess:
    """A service on a free port, over a database."""

    def __init__(self, program: Path, dsn: str, settings: Mapping[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.environment = {
            "PATH": os.defpath,
            "DATABASE_URL": dsn,
            "PORT": str(self.port),
            **settings,
        }
        self._program = program
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Begins it, or one of its commands, without waiting for it."""
        self.process = await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        return self.process

    async def stop(self, *, kill: bool = False) -> None:
        """Ends it as a pod is ended, or as a machine that fails ends it."""
        assert self.process is not None
        if self.process.returncode is None:
            if kill:
                self.process.kill()
            else:
                self.process.terminate()
            await self.process.communicate()

    async def migrate(self) -> None:
        """Brings its database up to date by its own command."""
        migration = await self.start("migrate")
        _, errors = await migration.communicate()
        assert migration.returncode == 0, errors
