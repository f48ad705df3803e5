"""The end of one agent's feed, shared by all who listen to it on this replica."""

import asyncio
from collections import deque
from itertools import islice

from thought_generator.models.feed import Event, Notice

# A listener that falls further behind reads from the database.
MAX_TAIL_EVENTS = 64
# Notices are told now or never; a burst of more pushes the oldest out.
MAX_TAIL_NOTICES = 16


class Tail:
    """The last events by position, without a gap, and the last notices."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.noticed = 0
        self.size_bytes = 0
        self.listeners = 0
        self.ended: str | None = None
        # Held while the database is read, so that who misses the same waits for it.
        self.reading = asyncio.Lock()
        self._events: deque[Event] = deque()
        self._notices: deque[Notice] = deque(maxlen=MAX_TAIL_NOTICES)
        self._moved = asyncio.Event()

    def append(self, event: Event) -> None:
        """Takes the event that is one ahead; any other is known or comes later."""
        if event.position != self.position + 1:
            return
        if len(self._events) == MAX_TAIL_EVENTS:
            self.drop_oldest()
        self._events.append(event)
        self.size_bytes += len(event.thought)
        self.position = event.position
        self._wake()

    def prepend(self, events: list[Event]) -> None:
        """Takes events that end where those held begin, as far as there is room."""
        for event in reversed(events):
            first = self.position - len(self._events) + 1
            if event.position + 1 == first and len(self._events) < MAX_TAIL_EVENTS:
                self._events.appendleft(event)
                self.size_bytes += len(event.thought)

    def drop_oldest(self) -> int:
        """Makes room: so many bytes, 0 when nothing is held."""
        if not self._events:
            return 0
        dropped = len(self._events.popleft().thought)
        self.size_bytes -= dropped
        return dropped

    def behind(self, position: int) -> list[Event] | None:
        """Events after `position`, or None when they are no longer held."""
        missing, held = self.position - position, len(self._events)
        if missing > held:
            return None
        return list(islice(self._events, held - missing, None))

    def missing(self, position: int) -> int:
        """How many events after `position` are older than those held."""
        return self.position - len(self._events) - position

    def notice(self, notice: Notice) -> None:
        """Takes a notice for whoever listens now."""
        self._notices.append(notice)
        self.noticed += 1
        self._wake()

    def notices_since(self, noticed: int) -> list[Notice]:
        """Notices that came since there had been so many."""
        count = min(self.noticed - noticed, len(self._notices))
        return list(islice(self._notices, len(self._notices) - count, None))

    def end(self, reason: str) -> None:
        """Ends its listeners."""
        self.ended = reason
        self._wake()

    async def moved(self) -> None:
        """Waits for anything to come."""
        await self._moved.wait()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
