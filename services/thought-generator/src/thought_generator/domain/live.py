"""Where the feed's news comes from: this replica, Valkey, PostgreSQL behind both."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Protocol

import orjson

from thought_generator.domain.feed import Feed
from thought_generator.errors import AgentUnknown
from thought_generator.models.feed import Event, FeedEnd, Notice, Told
from thought_generator.stores.thoughts import ThoughtStore

# News may be lost with Valkey; the database is asked this often whether it was.
POLL_S = 0.25


class News(Protocol):
    """What replicas tell each other; any of it may be lost."""

    def publish(self, agent_id: str, told: Told) -> None:
        """Tells the others, soon."""
        ...

    async def next(self, agents: list[str], at_most_s: float) -> list[tuple[str, Told]]:
        """What the others told of these agents, waiting so long for the first."""
        ...

    def reread(self, agent_id: str) -> None:
        """Begins anew with an agent: something of it was missed."""
        ...


class LiveFeed:
    """Tells thoughts and notices; opens listeners, and keeps their tails moving."""

    def __init__(self, feed: Feed, thoughts: ThoughtStore, news: News) -> None:
        self._feed = feed
        self._thoughts = thoughts
        self._news = news
        # Of the agents that are heard.
        self._births: dict[str, datetime] = {}

    async def publish(self, agent_id: str, event: Event) -> None:
        """Tells a committed thought to whoever listens, here or elsewhere."""
        self._feed.announce(agent_id, event)
        self._news.publish(agent_id, event)

    async def notice(self, agent_id: str, notice: Notice) -> None:
        """Tells whoever listens now; one that is lost is not told again."""
        self._feed.notice(agent_id, notice)
        self._news.publish(agent_id, notice)

    async def open(
        self, agent_id: str, after: int | None, patience_s: float
    ) -> AsyncGenerator[Sequence[Told], None]:
        """Events behind `after`; from now on where it is None or still to come.

        Raises AgentUnknown, or Unavailable when too many listen.
        """
        end = (await self._thoughts.feed_ends([agent_id])).get(agent_id)
        if end is None:
            raise AgentUnknown(agent_id)
        self._meet(agent_id, end.born_at)
        newest = end.position
        after = newest if after is None else min(after, newest)
        return self._feed.listen(agent_id, newest, after, patience_s)

    def close(self) -> None:
        """Ends every listener."""
        self._feed.close("stopping")

    async def hear(self) -> None:
        """Takes in what other replicas publish, until cancelled."""
        while True:
            agents = list(self._feed.heard_agents)
            for agent_id, told in await self._news.next(agents, POLL_S):
                if isinstance(told, Notice):
                    self._feed.notice(agent_id, told)
                elif self._is_of_this_life(agent_id, told):
                    self._feed.announce(agent_id, told)

    async def poll(self) -> None:
        """Finds what nobody told us, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            agents = self._feed.heard_agents
            self._births = {
                agent_id: born_at
                for agent_id, born_at in self._births.items()
                if agent_id in agents
            }
            if agents:
                await self._look(agents)

    async def _look(self, agents: dict[str, int]) -> None:
        births = dict(self._births)
        ends = await self._thoughts.feed_ends(list(agents))
        for agent_id, told in agents.items():
            # Where one was made anew meanwhile, this says nothing of its listeners.
            if self._births.get(agent_id) == births.get(agent_id):
                await self._compare(agent_id, told, ends.get(agent_id))

    async def _compare(self, agent_id: str, told: int, end: FeedEnd | None) -> None:
        if end is None:
            self._feed.end(agent_id, "removed")
        elif not self._meet(agent_id, end.born_at):
            return
        elif end.position < told:
            self._feed.end(agent_id, "restored")
        elif await self._feed.catch_up(agent_id, end.position):
            self._news.reread(agent_id)

    def _meet(self, agent_id: str, born_at: datetime) -> bool:
        """Ends who listens to a former agent of that name; whether there was none."""
        if self._births.setdefault(agent_id, born_at) >= born_at:
            return True
        self._births[agent_id] = born_at
        self._feed.end(agent_id, "removed")
        return False

    def _is_of_this_life(self, agent_id: str, event: Event) -> bool:
        """Valkey may still hold what an agent of that name thought before it was
        removed; what is passed over wrongly is found by the next poll."""
        born_at = self._births.get(agent_id)
        if born_at is None:
            return False
        try:
            created_at = orjson.loads(event.thought)["created_at"]
            return datetime.fromisoformat(created_at) >= born_at
        except (ValueError, KeyError, TypeError):
            return False
