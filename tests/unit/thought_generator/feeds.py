"""What stands behind a feed in these tests, and how its listeners are read."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from thought_generator.domain.feed import Feed
from thought_generator.models.feed import Event, Told

WAIT_S = 5.0


def event(position: int, size: int = 0) -> Event:
    return Event(position, "primary", b'{"n":%d%s}' % (position, b" " * size))


class Log:
    """What the database holds."""

    def __init__(self, last: int = 0, size: int = 0) -> None:
        self._size = size
        self.events = [event(n, size) for n in range(1, last + 1)]
        self.reads = 0
        self.out: Exception | None = None

    def commit(self) -> Event:
        self.events.append(event(len(self.events) + 1, self._size))
        return self.events[-1]

    async def after(self, _: str, position: int, limit: int) -> list[Event]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.out is not None:
            raise self.out
        return self.events[position : position + limit]


async def take(listener: AsyncIterator[Sequence[Told]], count: int) -> list[int]:
    """The positions of so many events, or of all until the feed ends."""
    got: list[int] = []
    async with asyncio.timeout(WAIT_S):
        while len(got) < count and (batch := await anext(listener, None)) is not None:
            got += [each.position for each in batch if isinstance(each, Event)]
    return got


async def listening(feed: Feed, agents: int = 1) -> None:
    async with asyncio.timeout(WAIT_S):
        while len(feed.heard_agents) < agents:
            await asyncio.sleep(0)
