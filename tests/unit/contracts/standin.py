"""A service on a real socket that answers as a test wants."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from aiohttp import web

# How a test wants a call to end that gets no answer.
HANG_UP = "hang up"
SILENCE = "silence"


@dataclass
class Said:
    """One answer."""

    status: int = 200
    body: bytes = b'{"value": 7}'
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0


@dataclass
class StandIn:
    """Gives its answers in order, the last one for ever; keeps what it was asked."""

    answers: list[Said | str] = field(default_factory=lambda: [Said()])
    asked: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    address: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if said == HANG_UP:
            assert request.transport is not None
            request.transport.abort()
        if isinstance(said, str):
            await self.over.wait()
            return web.Response()
        await asyncio.sleep(said.after_s)
        return web.Response(
            status=said.status, body=said.body, headers=dict(said.headers)
        )


@contextlib.asynccontextmanager
async def serving(standin: StandIn, port: int = 0) -> AsyncIterator[StandIn]:
    """The stand-in, listening on the loopback."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", standin.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    standin.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield standin
    finally:
        standin.over.set()
        await runner.cleanup()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
