"""The live feed: one tail an agent, shared by all its listeners on this replica.

A tail holds the agent's last events by position. Positions count without a gap in
commit order, so an event that is one ahead is the next one, and anything else is
read from the database: nothing is lost or told twice, whoever brings the news.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from servicekit.errors import Unavailable
from thought_generator.metrics import LISTENERS
from thought_generator.models import Event

# A listener that falls further behind reads from the database.
MAX_TAIL_EVENTS = 64
MAX_LISTENERS = 2000
PAGE_EVENTS = 200


Fetch = Callable[[str, int, int], Awaitable[list[Event]]]


class _Tail:
    def __init__(self, position: int) -> None:
        self.position = position
        self.events: deque[Event] = deque(maxlen=MAX_TAIL_EVENTS)
        self.listeners = 0
        self.ended = False
        self._moved = asyncio.Event()

    def append(self, event: Event) -> None:
        if event.position == self.position + 1:
            self.events.append(event)
            self.position = event.position
            self.wake()

    def wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def moved(self) -> None:
        await self._moved.wait()

    def behind(self, position: int) -> list[Event] | None:
        """Events after `position`, or None when they are no longer held."""
        missing = self.position - position
        if missing > len(self.events):
            return None
        return [event for event in self.events if event.position > position]


class Feed:
    """Tails of the agents that somebody listens to."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._tails: dict[str, _Tail] = {}
        self._listeners = 0
        self._closed = False

    @property
    def heard_agents(self) -> dict[str, int]:
        """Agents with listeners here, and how far these have been told."""
        return {agent_id: tail.position for agent_id, tail in self._tails.items()}

    def announce(self, agent_id: str, event: Event) -> None:
        """A thought was committed, here or elsewhere; told in any order."""
        if (tail := self._tails.get(agent_id)) is not None:
            tail.append(event)

    async def catch_up(self, agent_id: str, position: int) -> None:
        """Reads what is missing up to `position`, where news of it got lost."""
        tail = self._tails.get(agent_id)
        while tail is not None and tail.position < position:
            events = await self._fetch(agent_id, tail.position, PAGE_EVENTS)
            if not events:
                return
            for event in events:
                tail.append(event)

    def end(self, agent_id: str) -> None:
        """Ends the agent's listeners: what they were told is no more."""
        if (tail := self._tails.pop(agent_id, None)) is not None:
            tail.ended = True
            tail.wake()

    def close(self) -> None:
        """Ends every listener."""
        self._closed = True
        for tail in self._tails.values():
            tail.wake()

    @asynccontextmanager
    async def _listening(self, agent_id: str, position: int) -> AsyncIterator[_Tail]:
        tail = self._tails.setdefault(agent_id, _Tail(position))
        tail.listeners += 1
        self._listeners += 1
        LISTENERS.set(self._listeners)
        try:
            yield tail
        finally:
            tail.listeners -= 1
            self._listeners -= 1
            LISTENERS.set(self._listeners)
            if not tail.listeners and self._tails.get(agent_id) is tail:
                del self._tails[agent_id]

    def listen(
        self, agent_id: str, newest: int, after: int, patience_s: float
    ) -> AsyncGenerator[list[Event], None]:
        """Events behind `after`, in order, as they come.

        `newest` is the agent's position now. Yields an empty list when nothing
        came for `patience_s`. Unavailable when too many listen already.
        """
        if self._listeners >= MAX_LISTENERS:
            raise Unavailable(f"{MAX_LISTENERS} listeners are here already")
        return self._told(agent_id, newest, after, patience_s)

    async def _told(
        self, agent_id: str, newest: int, after: int, patience_s: float
    ) -> AsyncGenerator[list[Event], None]:
        async with self._listening(agent_id, newest) as tail:
            position = after
            while not (self._closed or tail.ended):
                if position >= tail.position:
                    try:
                        async with asyncio.timeout(patience_s):
                            await tail.moved()
                    except TimeoutError:
                        yield []
                    continue
                events = tail.behind(position)
                if events is None:
                    events = await self._fetch(agent_id, position, PAGE_EVENTS)
                if not events:
                    continue
                yield events
                position = events[-1].position
