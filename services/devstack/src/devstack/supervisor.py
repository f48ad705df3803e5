"""Starts again whatever died."""

import asyncio
from typing import Protocol

from devstack.errors import StackError
from devstack.processes import Process
from devstack.screen import Screen

# The first death is answered at once; repeated ones ever later, up to the maximum.
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0
# Who lived this long starts with a clean record.
STEADY_S = 10.0


class Server(Protocol):
    """Something that runs as a child process."""

    title: str
    process: Process | None

    async def start(self) -> None:
        """Starts and returns when it is ready; raises StackError."""


class Supervisor:
    """Watches servers that were started."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def watch(self, server: Server) -> None:
        """Keeps one server running, for ever; starts it where nobody has."""
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        if server.process is None:
            pause_s = await self._start(server, pause_s)
            self._screen.step(f"{server.title} answers")
        while True:
            since_s = loop.time()
            await self._until_end(server)
            died_s = loop.time()
            if died_s - since_s > STEADY_S:
                pause_s = 0.0
            pause_s = await self._start(server, pause_s)
            away_s = loop.time() - died_s
            self._screen.say(f"{server.title} is ready again after {away_s:.1f} s")

    async def _until_end(self, server: Server) -> None:
        assert server.process is not None
        await server.process.wait()
        end = server.process.describe_end()
        self._screen.say(f"{server.title} ended ({end}); starting it again")

    async def _start(self, server: Server, pause_s: float) -> float:
        """Tries until it starts; returns the pause before the next try."""
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(max(pause_s * 2, FIRST_PAUSE_S), MAX_PAUSE_S)
            try:
                await server.start()
            except (StackError, OSError) as error:
                self._screen.say(f"{error}")
            else:
                return pause_s
