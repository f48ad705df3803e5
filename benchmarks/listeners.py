"""Many listeners to the live feed in one process, each as cheap as can be."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

EVENT_END = b"\n\n"
ID = b"id: "
THOUGHT = b"\nevent: thought\n"
# Connections opened at once, fewer than a socket's queue holds.
OPENING = 100
CONNECT_S = 60.0


class Arrivals:
    """When which listener had an event, by the feed's position."""

    def __init__(self) -> None:
        self.times: dict[int, list[float]] = defaultdict(list)

    def all_there(self, position: int, listeners: int) -> bool:
        """Whether each has had it."""
        return len(self.times[position]) >= listeners


class Listener(asyncio.Protocol):
    """One connection; notes when the end of an event came, by the wall clock."""

    def __init__(self, request: bytes, arrivals: Arrivals) -> None:
        self._request = request
        self._arrivals = arrivals
        self._rest = b""
        self.listening = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the feed."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Takes whole events; the framing of chunks lies between them."""
        *events, self._rest = (self._rest + data).split(EVENT_END)
        for event in events:
            head, thought, _ = event.partition(THOUGHT)
            if thought:
                position = int(head.rpartition(ID)[2])
                self._arrivals.times[position].append(time.time())
            elif not self.listening.done() and b": listening" in event:
                self.listening.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remembers that it was cut."""
        self.lost = True
        if not self.listening.done():
            self.listening.set_exception(exc or EOFError("no feed"))


@asynccontextmanager
async def listeners(
    address: str, agents: Sequence[str], count: int
) -> AsyncIterator[tuple[list[Listener], Arrivals]]:
    """So many connections, to one agent after the other."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 80
    arrivals = Arrivals()
    loop = asyncio.get_running_loop()
    opened: list[Listener] = []

    async def one(agent: str) -> Listener:
        request = (
            f"GET /api/thought/live?agent_id={agent} HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\nAccept: text/event-stream\r\n\r\n"
        ).encode()
        _, listener = await loop.create_connection(
            lambda: Listener(request, arrivals), host, port
        )
        opened.append(listener)
        await listener.listening
        return listener

    try:
        async with asyncio.timeout(CONNECT_S):
            for start in range(0, count, OPENING):
                names = [agents[n % len(agents)] for n in range(start, count)]
                await asyncio.gather(*(one(name) for name in names[:OPENING]))
        yield opened, arrivals
    finally:
        for listener in opened:
            listener.transport.abort()
