"""The live feed: one tail an agent, shared by all its listeners on this replica.

Positions count without a gap in commit order, so an event that is one ahead is the
next one, and anything else is read from the database: nothing is lost or told twice,
whoever brings the news.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Sequence,
)
from contextlib import asynccontextmanager

from servicekit.errors import AppError, Unavailable
from thought_generator.domain.flights import Flights
from thought_generator.domain.tail import MAX_TAIL_EVENTS, Tail
from thought_generator.metrics import LISTENERS, LISTENERS_CUT
from thought_generator.models.feed import Event, Notice, Told

MAX_LISTENERS = 2000
# Of all tails together, however many agents are heard; the quietest give way.
MAX_HELD_BYTES = 16_000_000
# What a listener far behind is handed at once, and holds while it takes it: no more
# events, and no further one once there are so many bytes.
PAGE_EVENTS = 16
PAGE_BYTES = 65_536
# A listener whose events cannot be read now asks again this often.
RETRY_S = 1.0

Fetch = Callable[[str, int, int], Awaitable[list[Event]]]


class Feed:
    """Tails of the agents that somebody listens to."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        # The one that moved last comes last.
        self._tails: dict[str, Tail] = {}
        self._readings: Flights[list[Event]] = Flights()
        self._listeners = 0
        self._ended: str | None = None

    @property
    def heard_agents(self) -> dict[str, int]:
        """Agents with listeners here, and how far these have been told."""
        return {agent_id: tail.position for agent_id, tail in self._tails.items()}

    @property
    def held_bytes(self) -> int:
        """Of all tails together."""
        return sum(tail.size_bytes for tail in self._tails.values())

    def announce(self, agent_id: str, event: Event) -> None:
        """A thought was committed, here or elsewhere; told in any order."""
        if (tail := self._tails.pop(agent_id, None)) is not None:
            self._tails[agent_id] = tail
            tail.append(event)
            self._make_room()

    def notice(self, agent_id: str, notice: Notice) -> None:
        """Tells whoever listens now."""
        if (tail := self._tails.get(agent_id)) is not None:
            tail.notice(notice)

    async def catch_up(self, agent_id: str, position: int) -> bool:
        """Reads what is missing up to `position`; whether news of it got lost."""
        tail, missed = self._tails.get(agent_id), False
        while tail is not None and tail.position < position:
            events = await self._fetch(agent_id, tail.position, MAX_TAIL_EVENTS)
            if not events:
                break
            missed = True
            for event in events:
                tail.append(event)
            self._make_room()
        return missed

    def end(self, agent_id: str, reason: str) -> None:
        """Ends the agent's listeners: what they were told is no more."""
        if (tail := self._tails.pop(agent_id, None)) is not None:
            tail.end(reason)

    def close(self, reason: str) -> None:
        """Ends every listener, also one that comes later."""
        self._ended = reason
        for tail in self._tails.values():
            tail.end(reason)

    def listen(
        self, agent_id: str, newest: int, after: int, patience_s: float
    ) -> AsyncGenerator[Sequence[Told], None]:
        """Events behind `after`, in order, as they come, and notices among them.

        `newest` is the agent's position now. Yields an empty list when nothing
        came for `patience_s`, and as its last a notice `end` with the reason.
        Unavailable when too many listen already.
        """
        if self._listeners >= MAX_LISTENERS:
            raise Unavailable(f"{MAX_LISTENERS} listeners are here already")
        return self._told(agent_id, newest, after, patience_s)

    def _make_room(self) -> None:
        excess = self.held_bytes - MAX_HELD_BYTES
        for tail in self._tails.values():
            while excess > 0 and (dropped := tail.drop_oldest()):
                excess -= dropped
            if excess <= 0:
                return

    @asynccontextmanager
    async def _listening(self, agent_id: str, position: int) -> AsyncIterator[Tail]:
        tail = self._tails.setdefault(agent_id, Tail(position))
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

    async def _told(
        self, agent_id: str, newest: int, after: int, patience_s: float
    ) -> AsyncGenerator[Sequence[Told], None]:
        async with self._listening(agent_id, newest) as tail:
            position, noticed = after, tail.noticed
            while (reason := self._ended or tail.ended) is None:
                if position < tail.position:
                    events = await self._behind(agent_id, tail, position)
                    if events:
                        position = events[-1].position
                        yield events
                elif noticed < tail.noticed:
                    notices = tail.notices_since(noticed)
                    noticed = tail.noticed
                    yield notices
                else:
                    try:
                        async with asyncio.timeout(patience_s):
                            await tail.moved()
                    except TimeoutError:
                        yield []
            LISTENERS_CUT.labels(reason).inc()
            yield [Notice("", "end", {"reason": reason})]

    async def _behind(self, agent_id: str, tail: Tail, position: int) -> list[Event]:
        """Events after `position`; none where the database cannot tell them now."""
        if (events := tail.behind(position)) is not None:
            return events
        # All who were cut off at once come back at once, and go on page by page.
        events, _ = await self._readings.join(
            (tail, position), lambda: self._read_in_turn(agent_id, tail, position)
        )
        return events

    async def _read_in_turn(
        self, agent_id: str, tail: Tail, position: int
    ) -> list[Event]:
        async with tail.reading:
            if self._ended or tail.ended:
                return []
            # Who waited may find that another has read it.
            if (events := tail.behind(position)) is not None:
                return events
            events = await self._read(agent_id, tail, position)
            if not events:
                await asyncio.sleep(RETRY_S)
        return _page(events)

    async def _read(self, agent_id: str, tail: Tail, position: int) -> list[Event]:
        missing = tail.missing(position)
        near = missing <= MAX_TAIL_EVENTS
        # Pages end at the same places, wherever one began.
        limit = missing if near else PAGE_EVENTS - position % PAGE_EVENTS
        try:
            events = await self._fetch(agent_id, position, limit)
        except AppError:
            return []
        if near:
            tail.prepend(events)
            self._make_room()
        return events


def _page(events: list[Event]) -> list[Event]:
    """The first of them, by as many bytes as a listener may hold."""
    size_bytes = 0
    for count, event in enumerate(events[:PAGE_EVENTS]):
        if size_bytes > PAGE_BYTES:
            return events[:count]
        size_bytes += len(event.thought)
    return events[:PAGE_EVENTS]
