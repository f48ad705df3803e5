"""Where the feed's news comes from: this replica, Valkey, PostgreSQL behind both."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from thought_generator.domain.feed import Feed
from thought_generator.errors import AgentUnknown
from thought_generator.models import Event
from thought_generator.stores.thoughts import ThoughtStore

# News may be lost with Valkey; the database is asked this often whether it was.
POLL_S = 0.25


class News(Protocol):
    """Events that other replicas published."""

    async def next(
        self, agents: list[str], at_most_s: float
    ) -> list[tuple[str, Event]]:
        """Events that came within that time."""
        ...


class LiveFeed:
    """Opens listeners, and keeps their tails moving."""

    def __init__(self, feed: Feed, thoughts: ThoughtStore, news: News) -> None:
        self._feed = feed
        self._thoughts = thoughts
        self._news = news

    async def open(
        self, agent_id: str, after: int | None, patience_s: float
    ) -> AsyncGenerator[list[Event], None]:
        """Events behind `after` (None: from now on).

        Raises AgentUnknown, or Unavailable when too many listen.
        """
        positions = await self._thoughts.positions([agent_id])
        if agent_id not in positions:
            raise AgentUnknown(agent_id)
        newest = positions[agent_id]
        after = newest if after is None else min(after, newest)
        return self._feed.listen(agent_id, newest, after, patience_s)

    def close(self) -> None:
        """Ends every listener."""
        self._feed.close()

    async def hear(self) -> None:
        """Takes in what other replicas publish, until cancelled."""
        while True:
            agents = list(self._feed.heard_agents)
            for agent_id, event in await self._news.next(agents, POLL_S):
                self._feed.announce(agent_id, event)

    async def poll(self) -> None:
        """Finds what nobody told us, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            agents = self._feed.heard_agents
            if not agents:
                continue
            positions = await self._thoughts.positions(list(agents))
            for agent_id, told in agents.items():
                position = positions.get(agent_id, -1)
                if position < told:
                    # Removed, and perhaps made anew: its positions began again.
                    self._feed.end(agent_id)
                else:
                    await self._feed.catch_up(agent_id, position)
