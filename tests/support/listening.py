"""Listeners to the live feed, and what makes it move."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

WAIT_S = 20.0
# A follower that was cut comes back after this.
RETURN_S = 0.05


@dataclass(frozen=True)
class Heard:
    """One event; `id` is None for a notice."""

    id: int | None
    name: str
    data: dict[str, Any]


@asynccontextmanager
async def listening(
    address: str, agent: str, after: str | int | None = None, **query: str
) -> AsyncIterator[AsyncIterator[Heard]]:
    """The events of one connection, as they come."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    params = {"agent_id": agent, **query}
    async with (
        httpx2.AsyncClient(base_url=address, timeout=WAIT_S) as client,
        client.stream(
            "GET", "/api/thought/live", params=params, headers=headers
        ) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith(":")
        yield _events(lines)


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Heard]:
    fields: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif fields:
            event_id = int(fields["id"]) if "id" in fields else None
            yield Heard(event_id, fields["event"], json.loads(fields["data"]))
            fields = {}


async def take(events: AsyncIterator[Heard], count: int) -> list[Heard]:
    """So many events."""
    async with asyncio.timeout(WAIT_S):
        return [await anext(events) for _ in range(count)]


class Follower:
    """Listens for ever, as a browser does: cut off, it resumes after what it heard."""

    def __init__(self, *addresses: str, agent: str) -> None:
        self._addresses = addresses
        self._agent = agent
        self.ids: list[int] = []
        self.seqs: list[int] = []
        self.ends: list[str] = []
        self.connections = 0
        self._connected = asyncio.Event()
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """Goes to the next address each time it is cut off."""
        while True:
            address = self._addresses[self.connections % len(self._addresses)]
            self.connections += 1
            with suppress(httpx2.HTTPError, AssertionError):
                await self._listen(address)
            await asyncio.sleep(RETURN_S)

    async def _listen(self, address: str) -> None:
        after = self.ids[-1] if self.ids else 0
        async with listening(address, self._agent, after) as events:
            self._connected.set()
            async for event in events:
                if event.id is None:
                    self.ends.append(event.data["reason"])
                    continue
                self.ids.append(event.id)
                self.seqs.append(event.data["seq"])
                self._heard.set()

    async def connected(self) -> None:
        """Waits until it listens."""
        async with asyncio.timeout(WAIT_S):
            await self._connected.wait()

    async def until(self, position: int) -> None:
        """Waits until it has heard so far."""
        async with asyncio.timeout(WAIT_S):
            while not self.ids or self.ids[-1] < position:
                self._heard.clear()
                await self._heard.wait()


@asynccontextmanager
async def following(*addresses: str, agent: str) -> AsyncIterator[Follower]:
    """One that follows from the agent's first thought on."""
    follower = Follower(*addresses, agent=agent)
    running = asyncio.create_task(follower.run())
    try:
        await follower.connected()
        yield follower
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def think(
    api: httpx2.AsyncClient, agent: str, *contexts: str, **more: Any
) -> None:
    """A thought for each context, one after the other."""
    for context in contexts:
        body = {"agent_id": agent, "context": context, **more}
        (await api.post("/api/thought/generate", json=body)).raise_for_status()


async def new_agent(api: httpx2.AsyncClient) -> str:
    """One that nobody else uses."""
    agent = f"live-{uuid4().hex[:8]}"
    (await api.put(f"/api/thought/agents/{agent}", json={})).raise_for_status()
    return agent
